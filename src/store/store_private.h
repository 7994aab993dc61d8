/* store/store_private.h: what the files of the store share. */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "base/arena.h"
#include "seal/keys.h"
#include "store/db.h"
#include "store/letterbox.h"
#include "store/store.h"
#include "store/store_mailbox.h"

enum { STORE_DB_WAIT_MS = 10000, STORE_FILE_NAME_MAX = 64 };
/* Blobs are made before the record that names them: younger ones are nobody's orphans. */
enum { STORE_REBUILD_BATCH = 1000 };
enum { STORE_SWEEP_INTERVAL_S = 24 * 3600, STORE_ORPHAN_AGE_S = 3600 };

/* While this file is there, the database is damaged or being rebuilt. */
#define STORE_DB_NAME     "mailbox.db"
#define STORE_DAMAGE_MARK "mailbox.db.is-damaged"

struct store {
	uint64_t account_id;
	struct keys keys;
	struct record_header_key opened_with; /* the last record that was taken in */
	struct record_sender sender;          /* of what is appended … */
	bool has_sender;                      /* … once something is */
	struct store_watch watch;
	int folder_fd; /* shared lock while the store is open; exclusive while it is rebuilt */
	int blobs_fd;
	struct letterbox *letterbox;
	struct db db;

	unsigned n_reported; /* places of damage */
	bool only_checks;    /* opened by store_open_to_check */
	bool held_back;      /* that a record of a later version waits is reported */

	char keywords[STORE_KEYWORDS_MAX][STORE_KEYWORD_LEN_MAX + 1];
	uint64_t keyword_bits;
	uint64_t keyword_generation;

	int64_t threads_at; /* up to this key thread_keys has been trimmed */
	bool gives_back;    /* pages of the database are being given back (store_space.h) */
	bool dead_left;     /* more is to be buried than somebody was to wait for */
	size_t n_changes;   /* noted since their record was looked at (changed.h) */
	size_t n_expunged;  /* since the record of what was expunged was looked at (expunged.h) */

	struct buf record;   /* sealed bytes of the record at hand */
	struct buf bytes;    /* and its message */
	struct arena parsed; /* what parsing a message leaves */

	struct store_scan *scans;        /* those that are open */
	struct search_work *search_work; /* on the word index; NULL: none at the moment */
};

/* Reports damage to whoever opened the store. */
void store_report(struct store *s, const char *file, uint64_t offset, const char *what);
void store_report_record(struct store *s, struct letterbox_place place, const char *what);
/* Notes that the database must be rebuilt, for the next to open it, and gives the error back. */
int store_note_error(struct store *s, int error);

/* -EBADMSG when another process noted that: it waits for us to end. */
MUST_USE int store_check_mark(struct store *s);

/* Reads the keywords anew when others were added; within a transaction. */
MUST_USE int store_keywords_refresh(struct store *s);
/* The bits of names that are each followed by a space; unknown ones are made while there is room.
 */
MUST_USE int store_keywords_of_names(struct store *s, struct str names, uint64_t *ret_bits);
/* The other way round. */
void store_keywords_to_names(struct store *s, uint64_t bits, struct buf *out);

/* A mailbox's row while a transaction changes it. */
struct store_box {
	uint64_t id;
	uint32_t uidvalidity, uidnext, first_recent;
	uint32_t n_messages, n_unseen, n_deleted;
	uint64_t size;
	uint64_t highest_modseq;
	uint64_t expunged_since;
};

MUST_USE int store_box_load(struct store *s, uint64_t id, struct store_box *ret_box);
/* Its name, in the arena. */
MUST_USE int store_box_name(struct store *s, uint64_t id, struct arena *a, struct str *ret_name);
MUST_USE int store_box_save(struct store *s, const struct store_box *box);
/* The id of a mailbox name in its one spelling; -ENOENT. */
MUST_USE int store_box_find(struct store *s, struct str name, uint64_t *ret_id);
/* Makes the mailbox and its superiors; -EEXIST. */
MUST_USE int store_box_create(
    struct store *s, struct str name, enum store_special_use use, uint64_t *ret_id);
/* A new mailbox has the rights of the one above it (RFC 4314 §4). -E2BIG. */
MUST_USE int rights_inherit(struct store *s, uint64_t from, uint64_t to);

/* One message in one mailbox. */
struct store_placement {
	uint32_t message;
	uint64_t flags;
	uint64_t size;
	int64_t internal_at;
	int internal_zone;
};

/* Adds it with the next UID, which is returned in `*ret_uid`. -E2BIG: no UID is left. */
MUST_USE int store_box_add(struct store *s, struct store_box *box,
    const struct store_placement *placement, uint64_t modseq, uint32_t *ret_uid);
/* Counts flags into or out of the box's numbers. */
void store_box_count_flags(struct store_box *box, uint64_t flags, int by);
/* Removes it, notes it as expunged, and as dead where no mailbox holds the message any more. */
MUST_USE int store_box_remove(
    struct store *s, struct store_box *box, uint32_t uid, uint64_t modseq);
/* The same where its row was just read. */
MUST_USE int store_box_remove_row(struct store *s, struct store_box *box, uint32_t uid,
    const struct store_placement *row, uint64_t modseq);
/*
 * message.c: ends the snapshot that open scans hold; they go on in a new one. What is read of a
 * message's row after it is not older than the call.
 */
void store_scans_stop(struct store *s);
/*
 * body.c: the message of a blob that no row names yet. Given: store_body_close. -EBADMSG: it is
 * damaged or missing (reported).
 */
struct store_body;
MUST_USE int store_body_of_blob(
    struct store *s, const struct body *key, struct store_body **ret_body);
/* Notes a message without place as dead, if it is. */
MUST_USE int store_message_release(struct store *s, uint32_t message);

/* line_sizes.c: notes what the lines of a message lack to end with CRLF, if they do. */
MUST_USE int store_note_line_ends(struct store *s, uint32_t message, size_t missing);

/* A MODSEQ for this transaction's change. */
uint64_t store_next_modseq(struct store *s);

/*
 * After a commit: frees the bytes of dead messages, of many a part (the rest by store_tidy). What
 * fails is tried again by a later call.
 */
void store_bury_dead(struct store *s);
/* Of all of them. */
void store_bury_all(struct store *s);
/* Removes blobs that no message has, once a day. */
void store_sweep(struct store *s);

#endif
