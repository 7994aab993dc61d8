/*
 * gate/smtp/dialogue.h: the SMTP dialogue of a gate: its state, its table of commands, and what
 * the commands share.
 *
 * A command is a function of its own (cmd_*.c): it gets the state and the argument of its line and
 * gives its reply by value. The loop (dialogue.c) reads lines, looks the command up, sends
 * replies, together as far as commands came together (RFC 2920), and counts errors. A reply of
 * code 0 says that the command has answered itself or that the connection is over.
 *
 * `ending` ends the dialogue after the reply; `broken` holds the error of a connection that can
 * say no more.
 */
#ifndef GATE_SMTP_DIALOGUE_H
#define GATE_SMTP_DIALOGUE_H

#include "base/arena.h"
#include "gate/gate.h"
#include "gate/sign_in.h"
#include "gate/smtp/message.h"
#include "ipc/messages.h"
#include "smtp/command.h"
#include "smtp/parameter.h"
#include "smtp/path.h"
#include "smtp/reply.h"

enum {
	/* Messages on one connection: announced as MAILMAX (RFC 9422). */
	SMTP_MAIL_MAX = 100000,
	/* Commands without a message accepted in between, recipients apart. */
	SMTP_IDLE_COMMANDS_MAX = 200,
	/* Refused recipients and other refusals that are no error of syntax or order. */
	SMTP_REFUSALS_MAX = 250,
	/* Replies are sent when this much has gathered. */
	SMTP_REPLIES_GATHERED = 16384,
	SMTP_TRANSACTION_MEMORY = 256 * 1024,
	/* The whole of a message may take ten minutes (RFC 5321 §4.5.3.2.6) and what it takes at
	 * this rate. */
	SMTP_DATA_MS = 600 * 1000,
	SMTP_DATA_BYTES_PER_MS = 1,
	/* Delivery is waited for nearly as long as clients wait for us (10 minutes): an answer
	 * missed is a message doubled. */
	SMTP_DELIVER_MS = 540 * 1000,
	/* How much of a message that was refused is read on, beyond the largest allowed. */
	SMTP_SWALLOW_MAX = 16 * 1024 * 1024,
};

/* A recipient as the client named it. */
struct smtp_recipient {
	struct str address;            /* local@domain, quoted where it was */
	struct str original_recipient; /* ORCPT, decoded: "type;address", or empty */
	uint8_t notify;                /* SMTP_NOTIFY_ bits */
};

struct smtp_transaction {
	bool is_open;
	bool in_chunks;  /* BDAT has begun: DATA is not allowed (RFC 3030 §2) */
	bool has_failed; /* a chunk was refused: only RSET helps */
	struct arena arena;
	struct str reverse_path;
	struct smtp_mail_parameters parameters;
	struct str envelope_id; /* ENVID, decoded */
	size_t n_recipients;    /* as the client counts them */
	struct str first_recipient;
	bool forwards; /* somebody's mail leaves the house: the queue takes the message for all */
	struct smtp_recipient named[IPC_RECIPIENTS_MAX]; /* n_recipients; of the port of MX */
	size_t n_accounts;
	uint64_t accounts[IPC_RECIPIENTS_MAX];
	struct str recipients[IPC_RECIPIENTS_MAX]; /* the address that led to accounts[i] */
	struct smtp_message message;
};

struct smtp_dialogue;

/* What differs between the ports of SMTP, as data. */
struct smtp_policy {
	bool submits;        /* its clients sign in before anything else (RFC 6409) */
	unsigned extensions; /* SMTP_EXTENSION_ bits: offered where they can be had */
	struct str help;
	struct smtp_reply (*auth)(struct smtp_dialogue *d, struct str argument);
	/* MAIL is in order, and its transaction filled; a positive reply opens it. */
	struct smtp_reply (*sender)(struct smtp_dialogue *d);
	/* RCPT is in order; a positive reply counts it. */
	struct smtp_reply (*recipient)(struct smtp_dialogue *d, const struct smtp_path *path,
	    const struct smtp_rcpt_parameters *parameters);
	/* The message is whole and in order; `trace` is its Received field. */
	struct smtp_reply (*hand_over)(struct smtp_dialogue *d, struct str trace);
};

/* The whole dialogue, from the greeting on; the result is for the tests. */
int smtp_serve(struct gate *g, const struct smtp_policy *policy);

struct smtp_dialogue {
	struct gate *g;
	const struct smtp_policy *policy;
	char hello[SMTP_DOMAIN_MAX + 2];
	struct str hello_name; /* empty before EHLO or HELO */
	bool is_extended;      /* EHLO */
	bool ending;
	bool has_quit;
	int broken;
	unsigned n_errors;
	unsigned n_refusals;
	unsigned n_idle;
	unsigned n_messages;
	struct gate_tries tries;
	uint64_t began_ms;
	char words[SMTP_REPLY_LINE_MAX]; /* of a reply that is no constant */
	struct smtp_transaction tx;
};

/* The commands. `argument` is borrowed until the next wait. */
struct smtp_reply smtp_cmd_ehlo(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_helo(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_starttls(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_mail(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_rcpt(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_data(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_bdat(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_rset(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_noop(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_help(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_vrfy(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_expn(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_auth(struct smtp_dialogue *d, struct str argument);
struct smtp_reply smtp_cmd_quit(struct smtp_dialogue *d, struct str argument);

/* No reply: said already, or nobody is there. */
#define SMTP_NO_REPLY ((struct smtp_reply){.code = 0})

/* Forgets the transaction, its message and memory. */
void smtp_transaction_reset(struct smtp_dialogue *d);

/* Makes ready to receive the message of the open transaction. */
void smtp_transaction_receive(struct smtp_dialogue *d);

/* The end of the connection with a 421: `reply` is given back for the command to return. */
struct smtp_reply smtp_end(struct smtp_dialogue *d, struct smtp_reply reply);

/*
 * The connection gave `error` in the midst of a command: leaves the right last word (or none) and
 * ends the dialogue.
 */
struct smtp_reply smtp_lost(struct smtp_dialogue *d, int error);

/*
 * The next line without its CRLF, consumed: borrowed until the next wait. 0, 1 where it was too
 * long or did not end with CRLF (`*ret_reply` says so), or the connection's error.
 */
MUST_USE int smtp_read_line(
    struct smtp_dialogue *d, struct str *ret_line, struct smtp_reply *ret_reply);

/* Extensions that this connection can have now. */
unsigned smtp_extensions(const struct smtp_dialogue *d);

/* Waits for more of a message that began at `began_ms`. */
MUST_USE int smtp_wait_for_data(struct smtp_dialogue *d, uint64_t began_ms, uint64_t received);

/* The values of policies: who may send mail here, who takes it (mx.c), signing in (auth.c). */
struct smtp_reply smtp_sign_in(struct smtp_dialogue *d, struct str argument);

/* Hands the message to the delivery worker of its accounts (deliver.c). */
struct smtp_reply smtp_hand_to_delivery(struct smtp_dialogue *d, struct str trace);

/* Keeps what RCPT says of a recipient, in the transaction's memory; false where there is none. */
MUST_USE bool smtp_recipient_keep(struct smtp_transaction *tx, const struct smtp_path *path,
    const struct smtp_rcpt_parameters *parameters, struct smtp_recipient *ret_recipient);

/*
 * The steps of a submission at the queue (submit.c), over channels.queue: their replies, with the
 * queue's words. No answer ends the connection.
 */
struct smtp_reply smtp_submit_sender(struct smtp_dialogue *d);
struct smtp_reply smtp_submit_recipient(
    struct smtp_dialogue *d, const struct smtp_recipient *recipient);
struct smtp_reply smtp_submit_message(struct smtp_dialogue *d, struct str trace);

/*
 * The message is complete: judges it, hands it over, and gives the reply to DATA or to the
 * last BDAT. The transaction is over.
 */
struct smtp_reply smtp_deliver(struct smtp_dialogue *d);

/* One line in the log about a message or recipient that was not taken. */
void smtp_log_refusal(const struct smtp_dialogue *d, struct smtp_reply reply, struct str recipient);

#endif
