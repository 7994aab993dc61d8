/*
 * session/imap/imap_session.h: a signed-in IMAP connection: its state, and what its commands use.
 *
 * imap_session_run (dialogue.c) reads commands and calls the handlers of the table in commands.c,
 * one per file cmd_*.c. A handler writes untagged responses and returns its result, from which the
 * dialogue makes the tagged response; before that it sends what changed meanwhile (update.c).
 *
 * The session starts silent, in authenticated state: the gate has said the tagged OK.
 *
 * It does no input or output but on its stream, its channel and the store.
 */
#ifndef SESSION_IMAP_SESSION_H
#define SESSION_IMAP_SESSION_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "imap/command.h"
#include "imap/reader.h"
#include "session/authorize.h"
#include "session/checking.h"
#include "session/imap/effort.h"
#include "session/imap/output.h"
#include "session/imap/spools.h"
#include "store/store_mailbox.h"
#include "store/store_view.h"

enum {
	IMAP_INPUT_LEN = 8192,
	IMAP_BAD_COMMANDS_MAX = 50,         /* in a row, then BYE */
	IMAP_SESSION_ARENA_MAX = 256 << 20, /* of one command's working memory */
	IMAP_MESSAGES_FACTOR = 2,   /* MULTIAPPEND: so many largest messages in one command */
	IMAP_QUIET_MS = 1000,       /* after that without a word memory is given back */
	IMAP_INDEX_AFTER_MS = 150,  /* after that the word index is worked on … */
	IMAP_INDEX_SLICE_MS = 20,   /* … for so long … */
	IMAP_INDEX_PAUSE_MS = 2,    /* … and others get the lock */
	IMAP_TRY_AGAIN_MS = 2000,   /* when news could not be taken in or read */
	IMAP_TAKE_IN_MS = 200,      /* a command waits no longer for mail to be taken in … */
	IMAP_TAKE_IN_AFTER_MS = 10, /* … the rest of it is after such a silence, bit by bit … */
	IMAP_GIVE_BACK_MS = 5000,   /* for each step of UNAUTHENTICATE */
	IMAP_TAKE_IN_EVERY_MS = 1000, /* … and now and then at a command, where there is none */
};

struct imap_session {
	int stream;   /* non-blocking */
	int registry; /* non-blocking; -1: alone (tests) */
	struct store *store;
	struct subject subject; /* who is signed in */
	uint64_t append_limit;
	uint64_t timeout_ms;
	uint32_t message_limit; /* messages of one command (RFC 9738); UINT32_MAX: any */

	struct imap_reader *reader;
	struct imap_spools spools; /* its long literals */
	char *input;               /* IMAP_INPUT_LEN bytes, NULL while quiet */
	size_t input_start, input_end;
	struct imap_output out;
	struct arena arena; /* of the command under way */
	struct imap_effort effort;
	uint32_t lowest_processed; /* by a command that was cut short: a UID; 0: it was not */

	bool rev2;      /* ENABLE IMAP4rev2: UTF-8 names, ESEARCH, no RECENT */
	bool utf8;      /* names are UTF-8, by IMAP4rev2 or UTF8=ACCEPT */
	bool utf8_only; /* ENABLE UTF8=ACCEPT: SEARCH without CHARSET (RFC 6855 §3) */
	bool condstore; /* MODSEQ in every FETCH response (RFC 7162 §3.1) */
	bool uidonly;   /* no message numbers, either way (RFC 9586) */
	bool qresync;   /* VANISHED instead of EXPUNGE (RFC 7162 §3.2.3) */
	bool changed;   /* the registry said that something changed, or what did is not told yet */
	bool draining;  /* the server stops */
	bool ending;    /* after this response the connection ends */
	bool may_unauthenticate;          /* the configuration allows it (RFC 8437) */
	bool gives_back;                  /* after this response it is the gate's again */
	struct imap_notify_watch *notify; /* NULL: no NOTIFY yet */
	bool notify_due;                  /* something changed that it may be about */
	bool metadata; /* ENABLE METADATA: changes of annotations are told (RFC 5464 §4.4.2) */
	uint64_t seen_annotations, own_annotation; /* MODSEQs: all told up to; our own change */
	struct imap_compression *compression;      /* NULL: none */
	bool compress;                             /* it begins after this response */
	unsigned n_bad;
	uint64_t appended_to; /* a mailbox, whose list may be far behind; 0: none */
	bool index_behind;    /* the word index may have something to do (store/store_search.h) */
	struct checking checking; /* of every byte of the account, while nobody waits */
	bool mail_waits;          /* not all of it is taken in yet */
	uint64_t taken_in_at_ms;  /* when some of it last was */
	uint64_t try_again_at_ms; /* IDLE leaves `changed` alone until then; 0: now */

	struct store_view *view; /* the selected mailbox, NULL: none */
	bool examined;           /* it was opened by EXAMINE */
	bool read_only;          /* it was, or nothing in it may be changed */
	unsigned rights;         /* to it, as they were when the command came */
	bool said_read_only;     /* what the client was told of it last */
	uint64_t said_flags;     /* and which flags it may change */
	uint64_t known_keywords;
	struct imap_range *saved; /* UIDs of SEARCH RETURN (SAVE) (RFC 9051 §6.4.4.1) */
	size_t n_saved;
};

enum imap_status { IMAP_OK, IMAP_NO, IMAP_BAD };

/* What a command came to. `code` without brackets, may be empty; both valid until the answer. */
struct imap_result {
	enum imap_status status;
	struct str code;
	const char *text;
};

#define IMAP_RESULT_OK(text)       ((struct imap_result){IMAP_OK, {NULL, 0}, text})
#define IMAP_RESULT_BAD(text)      ((struct imap_result){IMAP_BAD, {NULL, 0}, text})
#define IMAP_RESULT_NO(code, text) ((struct imap_result){IMAP_NO, STR(code), text})

/* The result of a store function's error, with RFC 5530's code. */
struct imap_result imap_store_error(struct imap_session *s, int error);
/* BAD [UIDREQUIRED]: message numbers after ENABLE UIDONLY (RFC 9586 §3.2). */
struct imap_result imap_uid_required(void);
/* For a ceiling of the session's own arena. */
struct imap_result imap_too_much(void);

enum imap_state { IMAP_AUTHENTICATED = 1, IMAP_SELECTED = 2 };

struct imap_handler {
	struct imap_result (*run)(struct imap_session *s, const struct imap_command *c);
	unsigned states;    /* enum imap_state, where it is allowed */
	bool keeps_numbers; /* without UID: no EXPUNGE responses (RFC 9051 §7.5.1) */
	bool without_view;  /* does not look into the selected mailbox: it need not be loaded */
	bool reads_little; /* a few rows, most often: they are read as of one moment (store_hold) */
};

/* NULL where the command is none after sign-in. */
const struct imap_handler *imap_handler_of(enum imap_command_id id);

/* Serves the connection to its end: 0, or -errno where stream or store broke. */
int imap_session_run(struct imap_session *s);
/* A session of the account's owner on these (borrowed, but `s` owns what it makes):
 * imap_session_done. */
void imap_session_init(
    struct imap_session *s, struct store *store, int stream, int registry, uint64_t append_limit);
void imap_session_done(struct imap_session *s);

/* --- dialogue.c, for IDLE --- */

enum imap_wait { IMAP_WAIT_LINE, IMAP_WAIT_CHANGED, IMAP_WAIT_END };
/*
 * Flushes, then waits for the next line or, with `for_changes`, until something changed. The line
 * is in the reader (to be reset by the caller). END: the connection is over.
 */
MUST_USE enum imap_wait imap_wait(struct imap_session *s, bool for_changes);

/* --- cmd_metadata.c --- */

/* From now on changes by others are told. False where they cannot be read. */
MUST_USE bool imap_watch_metadata(struct imap_session *s);
/* Tells what other sessions changed, once the client has enabled METADATA (RFC 5464 §4.4.2). */
void imap_send_metadata_changes(struct imap_session *s);

/* --- update.c --- */

/*
 * Takes in new mail for IMAP_TAKE_IN_MS; what fails stays `changed` and is tried again. Where there
 * is more, `mail_waits`: the client sees the mailbox grow (RFC 9051 §7.4.1).
 */
void imap_take_in(struct imap_session *s);
/* The same for as little as can be. */
void imap_take_in_some(struct imap_session *s);
/* At the end of a command: news, or waiting mail's turn. */
bool imap_is_due(const struct imap_session *s);
/* Sends what is new in the selected mailbox, if any; EXPUNGE only without `keep_numbers`. False:
 * BYE, the connection is to end. */
bool imap_send_updates(struct imap_session *s, bool keep_numbers, bool with_uid);
/* The same BYE, where there is more to tell than can be: false. */
bool imap_end_untold(struct imap_session *s);
/*
 * "* 7 FETCH (" of the message at that position, and "UID 19 " where asked; with UIDONLY
 * "* 19 UIDFETCH (" (RFC 9586 §3.3).
 */
void imap_fetch_open(struct imap_session *s, size_t at, uint32_t uid, bool with_uid);
/* What a message has now: "* 7 FETCH (UID 19 FLAGS () MODSEQ (5))"; UID and FLAGS where asked. */
void imap_send_entry(struct imap_session *s, size_t at, bool with_uid, bool with_flags);
/* Sends what is new, then with QRESYNC "HIGHESTMODSEQ n", the code of an OK to what expunged. */
struct str imap_expunged_code(struct imap_session *s);
/* Lists the selected mailbox where that was not done yet. False: `*ret_result` says why. */
MUST_USE bool imap_load_view(struct imap_session *s, struct imap_result *ret_result);
/* From now on responses have MODSEQ; the client hears where it stands (RFC 7162 §3.1). */
void imap_enable_condstore(struct imap_session *s);
/* Tells the other sessions of the account that this one changed something. */
void imap_tell_others(struct imap_session *s);

/* "* FLAGS (…)" and "* OK [PERMANENTFLAGS (…)]" */
void imap_send_flags(struct imap_session *s);
/* Appends "(\Seen keyword)" of stored bits. */
void imap_flags_write(struct imap_session *s, uint64_t flags, struct buf *out);
/* The stored bits of flags from a command; keywords are made where `create`. */
MUST_USE int imap_flags_to_store(
    struct imap_session *s, const struct imap_flags *flags, bool create, uint64_t *ret_flags);

/* --- select.c --- */

/* Leaves the selected mailbox, if any; with `say` "* OK [CLOSED]" (RFC 9051 §7.1). */
void imap_unselect(struct imap_session *s, bool say);

/* --- names.c --- */

/* The kept form of a mailbox name from the client, in the arena. False: `*ret_result` says why. */
MUST_USE bool imap_read_name(
    struct imap_session *s, struct str name, struct str *ret_name, struct imap_result *ret_result);
/* The mailbox of that name; NO [NONEXISTENT] or, with `try_create`, NO [TRYCREATE]. */
MUST_USE bool imap_find_mailbox(struct imap_session *s, struct str name, bool try_create,
    struct store_mailbox *ret_mailbox, struct imap_result *ret_result);

/* --- numbers.c --- */

/*
 * The messages that a set of a command names, as ranges of positions in the view (first ≤ i <
 * end), in the arena. For message numbers beyond the mailbox: false with a BAD.
 */
struct imap_positions {
	struct imap_position_range {
		size_t first, end;
	} * v;
	size_t n;
	size_t count; /* of messages */
};
MUST_USE bool imap_positions_of(struct imap_session *s, const struct imap_set *set, bool uid,
    struct imap_positions *ret_positions, struct imap_result *ret_result);

/* Their UIDs, ascending, without those already gone; in the arena. -E2BIG. */
struct store_uids;
MUST_USE int imap_uids_of(
    struct imap_session *s, const struct imap_positions *positions, struct store_uids *ret_uids);

#endif
