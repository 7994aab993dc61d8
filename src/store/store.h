/*
 * store/store.h: one account's mail: the folder accounts/<id> of a signed-in user.
 *
 *   keys                     the account's key pair (seal/keys.h)
 *   letterbox/NNNNNN.seg     sealed records, append-only (store/letterbox.h): where every message
 * lies blobs/<hex id>           large messages (seal/blob.h) mailbox.db (-wal, -shm)  the index
 * over them (store/schema.h), sealed (seal/vfs.h)
 *
 * The current directory is the account's folder; all paths are relative to it. Several processes
 * (the user's devices) have the same store open at once; each hears from outside when another one
 * changed something (the registry's CHANGED), and then refreshes its views. One store has one user
 * in its process: functions are not to be called from several threads.
 *
 * What the other headers do: store_mailbox.h folders, store_view.h a selected folder,
 * store_message.h reading, store_change.h flags, copies and removal, store_append.h new messages,
 * store_ingest.h what delivery brought. All need a `struct store`.
 *
 * Errors: 0 or -errno. Common to all functions that touch the store, besides those they name:
 *   -EBADMSG  damage (reported; the store may be partly readable. See `store_damaged`)
 *   -EBUSY    another process held the database for longer than 10 s
 *   -ENOSPC, -EDQUOT disk or quota full; -EIO and others: the machine's
 * Nothing is changed by a call that fails. `ret_` results are then untouched.
 *
 * It does not log, does not know IMAP's syntax, and holds no global state but SQLite's.
 *
 * System calls: those of seal/vfs.h, and openat, close, read, pread64, write, pwrite64, lseek,
 * fstat, newfstatat, flock, setitimer, fdatasync, fsync, ftruncate, mkdirat, unlinkat, linkat,
 * renameat, renameat2, getdents64, fstatfs, fcntl, mmap, munmap, madvise, brk, getrandom,
 * clock_gettime.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "seal/secret.h"

/* Flags of a message in a mailbox. Keywords have a bit each, the same in the whole account. */
enum {
	STORE_SEEN = 1 << 0,
	STORE_ANSWERED = 1 << 1,
	STORE_FLAGGED = 1 << 2,
	STORE_DELETED = 1 << 3,
	STORE_DRAFT = 1 << 4,
	STORE_SYSTEM_FLAGS = 0x1f,
	STORE_KEYWORD_FIRST = 8, /* the first keyword's bit */
	STORE_KEYWORDS_MAX = 54,
	STORE_KEYWORD_LEN_MAX = 64,
};
/* In views only, never stored. */
#define STORE_RECENT ((uint64_t)1 << 62) /* IMAP4rev1 \Recent */
#define STORE_GONE   ((uint64_t)1 << 63) /* expunged, but still counted (store_view_refresh) */
/* What may be stored. */
#define STORE_FLAGS_MASK                                                                           \
	(STORE_SYSTEM_FLAGS | (((uint64_t)1 << STORE_KEYWORDS_MAX) - 1) << STORE_KEYWORD_FIRST)

enum {
	STORE_MESSAGE_LEN_MAX = 100 << 20, /* above every configured message size */
	STORE_CACHE_KIB = 2048,            /* of SQLite, per process */
};

/* A place where the store found bytes that are not what was written. */
struct store_damage {
	const char *file; /* relative to the account's folder; borrowed during the call */
	uint64_t offset;
	const char *what; /* a few words without contents: "record does not open" */
};

struct store_watch {
	void (*damage)(void *ctx, const struct store_damage *damage); /* may be NULL */
	void *ctx;
};

struct store;

/* Sets up ciphers, SQLite and charsets: before the sandbox. Idempotent. */
void store_init(void);

/*
 * Opens the account in the current directory with its master key (both borrowed during the call,
 * `watch` copied); given: store_close. The database is made when it is not there, with the default
 * mailboxes, and brought up to this version's schema. A damaged one is set aside (renamed to
 * mailbox.db.damaged-<time>) and rebuilt from the letterbox: then all mailboxes have new
 * UIDVALIDITYs.
 *   -EACCES the master key is not this account's, -ENOENT there is no account, -EPROTONOSUPPORT
 *   written by a later version, -EBUSY damaged, but another process still has it open.
 */
MUST_USE int store_open(const struct secret *master, uint64_t account_id,
    const struct store_watch *watch, struct store **ret_store);
/* Nothing for NULL. Views, scans and bodies must be closed before. */
void store_close(struct store *s);

/* Does what was put off so that a client need not wait for it: called when a session falls idle. */
void store_tidy(struct store *s);
/* Gives back memory that only speeds things up: called when a session falls idle. */
void store_release_memory(struct store *s);

/*
 * Until store_let_go, what is read of the database is read as it stood at one moment, with the
 * locks of one read. For a few reads of one command: a change of our own, a scan, or a body that is
 * not where it should be ends it early.
 */
void store_hold(struct store *s);
void store_let_go(struct store *s);

/*
 * True when the database was found damaged while in use. It is rebuilt by the next `store_open`
 * that finds no other process in it: a session ends itself when it sees this.
 */
bool store_damaged(const struct store *s);

/* What delivery says is used, and the limit (0: none), in bytes of sealed files. */
MUST_USE int store_usage(struct store *s, uint64_t *ret_used, uint64_t *ret_limit);

/*
 * The bit of a keyword (any case; the first spelling is kept): 0 when there is none and `create` is
 * false. -E2BIG when the account has STORE_KEYWORDS_MAX, -EINVAL when it is no atom (RFC 9051 §9)
 * or too long.
 */
MUST_USE int store_keyword(struct store *s, struct str name, bool create, uint64_t *ret_bit);
/* The name of a keyword's bit, borrowed until the store is closed; empty when it has none. */
struct str store_keyword_name(struct store *s, uint64_t bit);
/* All bits that have a name. Other processes' new ones come with the next store_view_refresh. */
uint64_t store_keywords(const struct store *s);

#endif
