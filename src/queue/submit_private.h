/* queue/submit_private.h: a submitter, for submit.c (the dialogue) and submit_message.c (from DATA
 * on). */
#ifndef QUEUE_SUBMIT_PRIVATE_H
#define QUEUE_SUBMIT_PRIVATE_H

#include "base/buf.h"
#include "queue/submit.h"

enum submit_step {
	STEP_IDLE,  /* MAIL or CANCEL may come */
	STEP_MAIL,  /* asked whether the reverse-path is theirs */
	STEP_READY, /* RCPT or DATA may come */
	STEP_RCPT,  /* asked where the recipient is */
	STEP_EXAMINE,
	STEP_KEYS, /* of mail that is forwarded (forward.h) */
	STEP_MAY_SEND,
	STEP_SIGNERS, /* of mail that is forwarded */
	STEP_FINISH,
	STEP_SIGN,
	STEP_COMMIT,
};

struct key_ask;

/* Of mail that is forwarded. */
struct forward {
	bool waits, has_place; /* for a scribe; among the scribes for such mail */
	struct ipc_strs names; /* of keys */
	struct key_ask *asks;  /* NULL: the scribe has not named them yet */
	size_t n_keys, n_asked, n_open;
	uint64_t keys_until; /* clock_ms */
	bool is_sealing;     /* the keyholder is asked */
	unsigned n_sealed;
};

/* A message on its way in; all of it in `arena`. */
struct incoming {
	struct arena arena;
	struct accept accept; /* `ctx` is the submitter, NULL when it is gone */
	struct queued_recipient *recipients;
	size_t n_recipients;
	struct str trace;
	int message; /* sealed memfd, as it came */
	struct ipc_examined examined;
	bool path_is_assumed; /* the directory has not said of this message's reverse-path yet … */
	struct str sender;    /* to be set */
	struct str domain;    /* that signs; of mail that is forwarded: of the alias */
	struct forward forward;
	struct ipc_strs selectors;
	struct ipc_u64s algorithms;
	struct str fields[OUTGOING_SIGNATURES_MAX]; /* without signature */
	struct str hashes[OUTGOING_SIGNATURES_MAX];
	uint64_t requests[OUTGOING_SIGNATURES_MAX]; /* open at the keyholder; 0: answered */
	struct str signatures[OUTGOING_SIGNATURES_MAX];
	size_t n_signatures, n_signed;
	struct buf signed_fields;
	int finished; /* sealed memfd */
	void *map;
	size_t map_len;
};

/* A scribe reads what comes over one connection, message after message, within the limits in
 * ipc/scribing.h; a message of one who is not signed in has one of its own. */
struct submit_scribe {
	struct loop_entry *entry; /* NULL: none */
	bool is_at_work;          /* it has a message */
	unsigned n_messages;
	uint64_t began;      /* clock_ms */
	uint64_t idle_until; /* clock_ms; while it waits */
};

struct submitter {
	struct submitter *next, **at; /* of all */
	struct queue *q;
	struct loop_entry *entry; /* NULL: gone; it ends with its message */
	uint64_t account, connection;
	char peer[QUEUE_PEER_TEXT_MAX + 1];
	struct str user;
	char user_text[IPC_ADDRESS_MAX + 1];
	bool forwards; /* of gatekeeper-smtp */
	enum submit_step step;
	uint64_t until; /* clock_ms: the step is given up */
	/* … that they may send as it: it did for an earlier message, and is asked about this one
	 * with the authors. */
	char path[IPC_ADDRESS_MAX + 1];
	struct submit_scribe scribe;
	struct arena asked; /* of the recipient that the directory is asked about */
	struct incoming in;
};

/* Answers the question under way, and what comes next may come. */
void submit_answer(struct submitter *s, enum submit_result result, uint64_t message,
    const char *detail, enum submit_step next);
/* Ends the message under way with that answer. */
void submit_fail(struct submitter *s, enum submit_result result, struct str detail);
/* Forgets the message under way. */
void submit_forget(struct submitter *s);
/* Is the message under way within its account's limits still? Others of the account may have come
 * in since its MAIL, over other connections, and wait for the end of the round. */
enum submit_result submit_check_rate(struct submitter *s);
/* The scribe is not needed any more. */
void submit_drop_scribe(struct submitter *s);
/* Has the message prepared. */
void submit_start_scribe(struct submitter *s);
/* What the domain signs with; then the scribe finishes. */
void submit_ask_signers(struct submitter *s);
MUST_USE bool submit_dup_strs(struct arena *a, struct ipc_strs from, struct ipc_strs *to);
/* DATA: 0, or -EPROTO. */
int submit_begin_message(struct submitter *s, struct ipc_submit_data *m);

#endif
