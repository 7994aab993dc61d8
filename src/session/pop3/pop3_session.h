/*
 * session/pop3/pop3_session.h: a signed-in POP3 connection (RFC 1939 §5, §6): its state, and what
 * its commands use.
 *
 * pop3_session_run (dialogue.c) reads commands and calls the handlers of the table in commands.c.
 * The gate has said "+OK" to the sign-in; the session starts silent, in TRANSACTION state.
 *
 * The maildrop is INBOX as it stood at sign-in: numbers and sizes stay, whatever other devices do.
 * Nobody is locked out (RFC 1939 §4 wants an exclusive lock so that numbers stay valid; here they
 * do without). A message that another device removes meanwhile cannot be retrieved any more, and
 * says so.
 *
 * Nothing is removed but by QUIT, all of it in one transaction that is durable before "+OK". A
 * message that RETR sent in full is marked \Seen when the connection ends, however it ends; TOP
 * marks nothing.
 *
 * Memory: a view of 16 bytes and another 5 a message; a message goes out piece by piece.
 */
#ifndef SESSION_POP3_POP3_SESSION_H
#define SESSION_POP3_POP3_SESSION_H

#include "base/attr.h"
#include "base/buf.h"
#include "pop3/command.h"
#include "session/authorize.h"
#include "session/imap/output.h"
#include "store/store_change.h"
#include "store/store_view.h"

enum {
	POP3_ERRORS_MAX = 50, /* in a row, then the connection ends */
	POP3_INPUT_LEN = 2 * POP3_LINE_MAX,
	POP3_SPACE_MS = 2000,     /* so long at the end deleted pages may be given back … */
	POP3_SPACE_SLICE_MS = 20, /* … in such steps */
	POP3_QUIET_MS = 1000,     /* after that without a word memory is given back */
	POP3_SLICE_LEN = 65536,   /* of a message, between two looks at the output */
	POP3_UPDATE_ARENA_MAX = 64 << 20,
	/* Of one transaction; between two of them others get at the database. */
	POP3_REMOVED_AT_ONCE = STORE_EXPUNGE_MAX,
	POP3_SEEN_AT_ONCE = 50000,
	POP3_PAUSE_MS = 3,
};

enum { POP3_RIGHTS_TO_REMOVE = STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE };

enum pop3_mark { POP3_DELETED = 1, POP3_RETRIEVED = 2 };

struct pop3_session {
	int stream;   /* non-blocking */
	int registry; /* non-blocking; -1: alone (tests) */
	struct store *store;
	struct subject subject; /* who is signed in */
	uint64_t timeout_ms;

	char input[POP3_INPUT_LEN];
	size_t input_len;
	struct imap_output out;

	struct store_view *view;
	unsigned rights; /* to INBOX, at sign-in; asked for anew before anything is changed */
	uint8_t *marks;  /* enum pop3_mark, one for each entry */
	uint32_t *sizes; /* in octets, or STORE_SIZE_GONE; NULL: not asked for yet */
	unsigned n_errors;
	bool draining; /* the server stops */
	bool ending;   /* after this response the connection ends */
};

/* The maildrop of this session: 0; -EACCES: INBOX is closed to the subject; -errno. Borrows the
 * store, the subject's name and both descriptors. */
MUST_USE int pop3_session_open(struct pop3_session *s, struct store *store,
    const struct subject *subject, int stream, int registry);
/* Marks what was retrieved, and frees. */
void pop3_session_close(struct pop3_session *s);
/* Serves the connection to its end: 0, or -errno where the stream broke. */
int pop3_session_run(struct pop3_session *s);

/* --- commands.c --- */

/* Runs one command, whose answer is then in the output. */
void pop3_run(struct pop3_session *s, const struct pop3_command *c);

/* "-ERR text"; counted. */
void pop3_error(struct pop3_session *s, const char *text);
/* The same for a store function's error, with RFC 3206's code. */
void pop3_store_error(struct pop3_session *s, int error);

/* Whether the subject has all of these rights to INBOX now: 0, -EACCES, -errno. */
MUST_USE int pop3_authorize(struct pop3_session *s, unsigned rights);

/* The message with this number; false, and answered, where there is none, or DELE marked it. */
MUST_USE bool pop3_find(struct pop3_session *s, uint32_t message, size_t *ret_at);
/* Makes `sizes`: 0 or -errno. */
MUST_USE int pop3_load_sizes(struct pop3_session *s);
/* Whether a message still counts: not marked as deleted, not gone. */
bool pop3_is_there(const struct pop3_session *s, size_t at);

/* --- cmd_quit.c --- */

/* Stores \Seen for what was retrieved; forgets it when that fails. */
void pop3_store_seen(struct pop3_session *s);

#endif
