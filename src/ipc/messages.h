/*
 * ipc/messages.h: every message that goes between roles, with its struct, direction and meaning.
 *
 * The tables with the fields and their maxima stand in messages.c in the same order. Who may send
 * what in which state is the receiver's table (struct ipc_receiver in ipc/channel.h).
 *
 * Identity is never in a message from a less privileged role: a service knows which connection a
 * gate channel belongs to from its gatekeeper (GATE), and which account a session is from the
 * registry.
 */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include <stdint.h>

#include "ipc/message.h"

enum role {
	ROLE_SUPERVISOR,
	ROLE_GATEKEEPER_SMTP,
	ROLE_GATEKEEPER_IMAP,
	ROLE_GATEKEEPER_POP3,
	ROLE_GATEKEEPER_SUBMISSION,
	ROLE_GATE_SMTP,
	ROLE_GATE_IMAP,
	ROLE_GATE_POP3,
	ROLE_GATE_SUBMISSION,
	ROLE_KEYHOLDER,
	ROLE_DIRECTORY,
	ROLE_REGISTRY,
	ROLE_SESSION,
	ROLE_DELIVERY,
	ROLE_QUEUE,
	ROLE_DISPATCHER,
	ROLE_COURIER,
	ROLE_SCRIBES,
	ROLE_SCRIBE,
	ROLE_RESOLVER,
	ROLE_FETCHER,
	ROLE_FETCH,
	ROLE_LEDGER,
	N_ROLES
};

enum ipc_type {
	/* supervisor → any role */
	IPC_PEER =
	    1, /* here is your channel to another role (again, when that role was started anew) */
	IPC_LISTENER, /* to a gatekeeper: a listening socket */
	IPC_DRAIN,    /* take nothing new, finish what is under way, exit within `ms` */
	/* any role → supervisor */
	IPC_READY,      /* sandboxed, in its loop; session → registry: the mailbox is open */
	IPC_REPLACE_ME, /* gatekeeper, scribes: a child of mine crashed; execute me anew while I
	                   watch my last ones */
	IPC_MISCONDUCT, /* a peer that came by IPC_PEER broke the rules; sent by ipc/loop.c */
	IPC_OVERDUE, /* gatekeeper, registry, scribes: a child of mine should have ended long ago;
	                end it */

	/* gatekeeper → directory, keyholder, delivery: a new gate and its channel */
	IPC_GATE = 20,
	/* gate ⇄ gatekeeper */
	IPC_BUDGET,        /* may I hold `bytes` of message data in all? */
	IPC_BUDGET_ANSWER, /* `granted` 1 or 0 */
	IPC_INTRODUCE,     /* a channel to that service, please */
	IPC_INTRODUCED,    /* here it is; or: */
	IPC_NOT_INTRODUCED,

	/* gate ⇄ directory */
	IPC_RCPT = 30, /* does this address take mail? */
	IPC_RCPT_ANSWER,
	IPC_AUTH, /* a credential, and the stream that the session will speak on */
	IPC_AUTH_ANSWER,

	/* gate ⇄ keyholder */
	IPC_SIGN = 40,
	IPC_SIGNED,

	/* gate ⇄ delivery */
	IPC_DELIVER = 50,
	IPC_DELIVERED, /* the answer to this and to the next */
	IPC_DELIVER_SHORT,

	/* directory ⇄ registry */
	IPC_OPEN = 60, /* fork a session for this account */
	IPC_ACCOUNT_CREATE,
	IPC_ACCOUNT_REMOVE,
	IPC_REGISTRY_DONE,        /* the answer to each of these */
	IPC_ACCOUNT_END_SESSIONS, /* whoever is signed in must sign in anew */

	/* delivery → registry, registry → session, session → registry */
	IPC_CHANGED = 70,
	/* session → registry: bytes that are not what was written, for the ledger */
	IPC_DAMAGE,

	/* any role → ledger */
	IPC_LEDGER_EVENT = 80,

	/* command line ⇄ directory, over the control socket */
	IPC_CONTROL = 90,
	IPC_CONTROL_ROW,    /* zero or more rows of the answer */
	IPC_CONTROL_DONE,   /* the end of the answer */
	IPC_CONTROL_VERIFY, /* look at every byte of an account; IPC_CONTROL_DONE when it began */
	/* session → command line, on the channel that came with IPC_CONTROL_VERIFY: IPC_DAMAGE, and
	 */
	IPC_VERIFIED,

	/* Mail going out: their structs stand in ipc/outgoing.h.
	 * directory → queue; submitter ⇄ queue */
	IPC_SUBMITTER = 100,
	IPC_SUBMIT_MAIL,
	IPC_SUBMIT_RCPT,
	IPC_SUBMIT_DATA,
	IPC_SUBMIT_CANCEL,
	IPC_SUBMIT_ANSWER,
	/* queue ⇄ directory */
	IPC_MAY_SEND = 110,
	IPC_MAY_SEND_ANSWER,
	IPC_ROUTE,
	IPC_ROUTE_ANSWER,
	IPC_SIGNERS,
	IPC_SIGNERS_ANSWER,
	/* queue ⇄ scribe; queue → scribes */
	IPC_PREPARE = 120,
	IPC_EXAMINED,
	IPC_FINISH,
	IPC_FINISHED,
	IPC_KEYS_WANTED,
	IPC_KEY,
	IPC_SEAL,
	IPC_SEALED,
	IPC_SCRIBE,
	/* queue ⇄ keyholder; directory ⇄ keyholder */
	IPC_DKIM_SIGN = 130,
	IPC_DKIM_SIGNED,
	IPC_DKIM_MAKE,
	IPC_DKIM_MADE,
	IPC_DKIM_KEY,
	IPC_DKIM_FORGET,
	/* queue → dispatcher, queue ⇄ courier */
	IPC_COURIER = 140,
	IPC_CARRY,
	IPC_CARRY_RCPT,
	IPC_CARRY_MESSAGE,
	IPC_CARRIED_RCPT,
	IPC_CARRIED,
	IPC_TLS_RESULT,
	IPC_COURIER_READY,
	/* dispatcher → resolver; courier, queue ⇄ resolver */
	IPC_ASKER = 150,
	IPC_DNS,
	IPC_DNS_ANSWER,
	/* queue ⇄ fetcher */
	IPC_FETCH_POLICY = 160,
	IPC_POLICY,
	IPC_POST_REPORT,
	IPC_POSTED,
	/* command line → directory → queue; command line ⇄ queue */
	IPC_QUEUE_CONTROL = 170,
	IPC_QUEUE_ASK,
};

enum {
	IPC_ADDRESS_MAX = 320,
	IPC_PASSWORD_MAX = 1024,
	IPC_RECIPIENTS_MAX = 200,
	IPC_TEXT_MAX = 512,
	IPC_SHORT_MAX = 16384, /* up to this a message is its own: no memory file is made for it */
};

struct ipc_peer {
	uint8_t role;   /* enum role */
	uint16_t index; /* which of several workers */
	int channel;
};

struct ipc_listener {
	uint8_t implicit_tls; /* 1: TLS before the first word (993) */
	uint16_t port;
	int socket;
};

struct ipc_drain {
	uint32_t ms;
};

struct ipc_ready {
	uint8_t unused;   /* 0 */
	uint8_t landlock; /* the landlock version in force, 0 none; for `gatepost roles` */
};

struct ipc_replace_me {
	uint8_t unused; /* 0 */
};

struct ipc_misconduct {
	uint8_t role; /* enum role, and which of several: as IPC_PEER named it */
	uint16_t index;
};

struct ipc_overdue {
	uint32_t pid; /* of a child of the sender's, or nothing happens */
};

struct ipc_gate {
	uint64_t connection; /* unique while the server runs; in every log line about it */
	struct str peer;     /* "192.0.2.1" or "2001:db8::1", at most 64 bytes */
	int channel;
};

struct ipc_budget {
	uint64_t bytes;
};

struct ipc_budget_answer {
	uint8_t granted;
};

struct ipc_introduce {
	uint8_t role;   /* enum role: keyholder; delivery or queue where the gate is one of SMTP */
	uint16_t index; /* which of several workers */
};

struct ipc_introduced {
	int channel;
};

enum not_introduced {
	INTRODUCE_MISSING, /* being started anew: another worker may be there */
	INTRODUCE_BUSY,
};

struct ipc_not_introduced {
	uint8_t reason; /* enum not_introduced */
};

enum rcpt_result {
	RCPT_OK,
	RCPT_UNKNOWN,   /* the domain is ours, the mailbox does not exist: 550 5.1.1 */
	RCPT_NOT_LOCAL, /* not our domain: 550 5.7.1, we do not relay */
	RCPT_TEMPORARY, /* cannot say now: 451 4.3.0 */
};

struct ipc_rcpt {
	uint8_t null_sender; /* the reverse-path is empty: what bounces may come */
	struct str address; /* local-part@domain, unquoted, U-labels or A-labels; or "postmaster" */
};

struct ipc_rcpt_answer {
	uint8_t result;           /* enum rcpt_result */
	struct ipc_u64s accounts; /* who gets it: several for an alias; empty unless RCPT_OK */
	uint8_t forwards; /* 1: an alias sends it out of the house (too): it goes to the queue */
};

enum auth_result {
	AUTH_OK,
	AUTH_WRONG,     /* unknown user and wrong password look and last alike */
	AUTH_SLOW_DOWN, /* too many failures from this network or for this account */
	AUTH_TEMPORARY, /* the registry or the folder is not there: try again */
};

struct ipc_auth {
	struct str user; /* the address, or its local part when there is one domain */
	struct str password;
	uint8_t protocol; /* enum session_protocol */
	int stream; /* one end of a stream pair: the session will speak on it, after AUTH_OK; for
	               SESSION_SUBMISSION of an ipc_pair, and the queue will */
};

struct ipc_auth_answer {
	uint8_t result; /* enum auth_result */
	uint64_t account;
};

enum sign_scheme {
	SIGN_TLS13, /* `input` is the content of RFC 8446 §4.4.3: 64 spaces, context, 0, hash */
	SIGN_TLS12, /* `input` is client_random, server_random, ServerECDHParams (RFC 8422 §5.4) */
};

struct ipc_sign {
	uint8_t scheme; /* enum sign_scheme */
	uint8_t hash;   /* 0 SHA-256, 1 SHA-384, 2 SHA-512 */
	uint8_t pss;    /* RSA keys: 1 PSS, 0 PKCS#1 v1.5; EC keys: 0 */
	struct str
	    key; /* SHA-256 of the certificate's public key (SubjectPublicKeyInfo), 32 bytes */
	struct str input; /* at most 1024 bytes */
};

struct ipc_signed {
	uint8_t ok;           /* 0: refused */
	struct str signature; /* at most 1024 bytes */
};

struct ipc_envelope {
	struct ipc_u64s accounts;   /* account ids, one copy each however often it is named */
	struct ipc_strs recipients; /* the RCPT address that led to accounts[i]; same length */
	struct str reverse_path;    /* "" for the null sender */
	struct str
	    trace; /* Received: field(s) to stand on top, CRLF lines; delivery adds Return-Path: */
	struct str envelope_id; /* ENVID (RFC 3461), decoded; may be empty */
	uint8_t body;           /* 0 7BIT, 1 8BITMIME, 2 BINARYMIME */
	uint8_t smtputf8;
};

struct ipc_deliver {
	struct ipc_envelope envelope;
	int message; /* sealed memfd: the message as received, CRLF lines */
};

struct ipc_deliver_short {
	struct ipc_envelope envelope;
	struct str message; /* the same, at most IPC_SHORT_MAX bytes */
};

enum deliver_result {
	DELIVER_OK,        /* durable in every letterbox: 250 */
	DELIVER_FULL,      /* disk full: 452 4.3.1; nothing was kept */
	DELIVER_QUOTA,     /* a mailbox is full: 452 4.2.2; nothing was kept */
	DELIVER_TEMPORARY, /* sync or write failed, folder not there: 451 4.3.0 */
};

struct ipc_delivered {
	uint8_t result;    /* enum deliver_result */
	uint64_t account;  /* for DELIVER_QUOTA: whose */
	struct str detail; /* for the log, at most IPC_TEXT_MAX */
};

/* SESSION_VERIFY: no protocol, and not for gates to ask: the account is checked (session/verify.h).
 * Its `master_key` may be an empty memory file: then without the key. */
enum session_protocol {
	SESSION_IMAP,
	SESSION_POP3,
	N_SESSION_PROTOCOLS, /* those that the registry makes a session for */
	/* To sign in with (IPC_AUTH): not a session but the queue is at the other end. */
	SESSION_SUBMISSION = N_SESSION_PROTOCOLS,
	N_SIGN_IN_PROTOCOLS,
	SESSION_VERIFY = 255
};

struct ipc_open {
	uint64_t request;
	uint64_t account;
	uint64_t connection;
	uint8_t protocol; /* enum session_protocol */
	struct str peer;
	struct str
	    user;       /* the address signed in with, for the session's own use (never in a log) */
	int master_key; /* sealed memfd of 32 bytes; the registry passes it on unread */
	int stream;
};

struct ipc_account_create {
	uint64_t request;
	uint64_t account;
	struct str
	    keys; /* content of the account's `keys` file (docs/formats.md), at most 4096 bytes */
};

struct ipc_account_remove {
	uint64_t request;
	uint64_t account;
};

struct ipc_account_end_sessions {
	uint64_t request;
	uint64_t account;
};

struct ipc_registry_done {
	uint64_t request;
	uint32_t error; /* 0 or an errno value */
};

struct ipc_changed {
	struct ipc_u64s
	    accounts; /* registry → session and session → registry: empty, the session's own */
};

struct ipc_damage {
	struct str file; /* relative to the account's folder, at most 256 bytes */
	uint64_t offset;
	struct str what; /* a few words, at most 128 bytes */
};

enum ledger_kind {
	LEDGER_START,
	LEDGER_STOP,
	LEDGER_ALARM_GATE_CRASH,
	LEDGER_ALARM_ROLE_CRASH,
	LEDGER_ALARM_BAD_MESSAGE,
	LEDGER_ALARM_DAMAGE,
	LEDGER_ACCOUNT_ADD,
	LEDGER_ACCOUNT_REMOVE,
	LEDGER_ACCOUNT_PASSWORD,
	LEDGER_DOMAIN_ADD,
	LEDGER_DOMAIN_REMOVE,
	LEDGER_ALIAS_ADD,
	LEDGER_ALIAS_REMOVE,
	LEDGER_SEND_GRANT, /* to the account: to send as an address that is not its own */
	LEDGER_SEND_REVOKE,
	LEDGER_FILES,       /* what the server began with: "gatepost.conf=", "certificate=", "key=",
	                       "keyholder=" and the digest of the file, each where its reader knows it */
	LEDGER_DOMAIN_KEYS, /* DKIM: made, switched to, retired */
	N_LEDGER_KINDS
};

struct ipc_ledger_event {
	uint8_t kind;      /* enum ledger_kind; each sender may raise only the kinds of its role */
	uint64_t account;  /* 0: none. Accounts are named by id: the ledger holds no addresses */
	struct str peer;   /* the network address it is about, or empty */
	struct str detail; /* at most IPC_TEXT_MAX; no addresses of users, no message contents */
};

enum control_verb {
	CONTROL_DOMAIN_ADD,
	CONTROL_DOMAIN_LIST,
	CONTROL_DOMAIN_REMOVE,
	CONTROL_ACCOUNT_ADD,
	CONTROL_ACCOUNT_LIST,
	CONTROL_ACCOUNT_SHOW,
	CONTROL_ACCOUNT_PASSWORD,
	CONTROL_ACCOUNT_REMOVE,
	CONTROL_ALIAS_ADD,
	CONTROL_ALIAS_LIST,
	CONTROL_ALIAS_REMOVE,
	CONTROL_VERIFY,        /* the directory's own files: a row for each damaged place */
	CONTROL_DOMAIN_KEYS,   /* a row for each key of DKIM */
	CONTROL_DOMAIN_ROTATE, /* make new ones */
	CONTROL_DOMAIN_SWITCH, /* sign with them */
	CONTROL_DOMAIN_RETIRE, /* forget the old ones */
	CONTROL_SEND_GRANT,    /* `name` may be sent as by the account targets[0] */
	CONTROL_SEND_REVOKE,   /* no more */
	CONTROL_SEND_LIST,     /* what `name` may send as: rows of address and right */
	N_CONTROL_VERBS
};

struct ipc_control {
	uint8_t verb;            /* enum control_verb */
	struct str name;         /* domain, address or alias; *_LIST: the last one of the piece
	                            before, or empty: lists go on until a piece has no rows */
	struct ipc_strs targets; /* of an alias; at most 100 */
	struct str password;     /* new one, for ACCOUNT_ADD and ACCOUNT_PASSWORD */
	struct str credential; /* ACCOUNT_PASSWORD: old password or recovery key, to open a slot */
	uint64_t quota_bytes;  /* ACCOUNT_ADD; 0: none */
	uint8_t on_behalf;     /* SEND_…: the right to send on behalf, not that to send as */
};

struct ipc_control_verify {
	struct str name;     /* of the account */
	struct str password; /* its password, or empty: without its key */
	int channel;         /* the session answers here: a SOCK_SEQPACKET socket */
};

struct ipc_verified {
	uint64_t bytes; /* looked at */
	uint64_t of_bytes;
	uint64_t n_files;
	uint64_t n_damaged; /* places, all told before as IPC_DAMAGE */
	uint8_t done;       /* 1: that was the end; 0: it goes on */
	uint8_t with_key;   /* 1: what is sealed was opened */
	uint32_t error;     /* an errno value: it could not be brought to the end; else 0 */
};

struct ipc_control_row {
	struct ipc_strs names;  /* column names */
	struct ipc_strs values; /* the same number */
};

struct ipc_control_done {
	uint32_t error;    /* 0, or an errno value */
	struct str reason; /* one sentence for the person: what, where, what to do */
};

#endif
