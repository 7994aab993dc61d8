/*
 * seal/vfs.h: SQLite databases whose every page is sealed.
 *
 * A VFS that stands on SQLite's own "unix" one. Each page of the database and each frame of its
 * write-ahead log is encrypted and authenticated with its page number, its role (database or log),
 * the file's random id and, in the log, its place: a page that was changed, moved, or taken from
 * another file or another time of the log is an error, never wrong content. WAL only, several
 * processes at once; no rollback journal, no temporary file, no memory mapping is ever opened (an
 * attempt fails with SQLITE_CANTOPEN). The -shm file holds page numbers and sums, no content, and
 * is not sealed.
 *
 * What it cannot see: the whole folder put back to an earlier state; the last transactions of the
 * log cut off cleanly.
 *
 * Names are used as they are, relative to the current folder; no path is canonicalised, no parent
 * looked at. System calls: openat, close, pread64, pwrite64, fcntl (locks), fstat, newfstatat,
 * fdatasync, fsync, ftruncate, unlink, link, access, mmap and munmap (of -shm), fchmod, fchown and
 * geteuid (-shm when root), getpid, getrandom, clock_nanosleep, and those of seal/secret.h.
 */
#ifndef SEAL_VFS_H
#define SEAL_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "seal/secret.h"

struct sqlite3;

enum {
	VFS_PAGE_LEN = 16384,
	VFS_RESERVE_LEN = 88, /* of each page, for nonce, tag, id */
	VFS_NAME_MAX = 128,
	VFS_CACHE_KIB = 4096,
	VFS_CHECKPOINT_PAGES = 256,
	VFS_LOG_LEN_MAX = 8 << 20, /* so much of it stays when it was written to the database */
};

enum seal_damage_kind {
	SEAL_DAMAGE_PAGE, /* a page of the database is not authentic: reading it fails */
	SEAL_DAMAGE_LOG,  /* committed work in the log cannot be read: opening fails */
	/* The log's last transaction does not open: an interrupted write, or damage. It is left
	   out. */
	SEAL_DAMAGE_LOG_TAIL,
	SEAL_DAMAGE_LOG_MENDED, /* a header in the log was wrong, and made again from its frame */
	/* Not such a file, of another version, or of a build without sealing. */
	SEAL_DAMAGE_FOREIGN,
};

struct seal_damage {
	enum seal_damage_kind kind;
	const char *file; /* its name, borrowed during the call */
	uint32_t page; /* of the database, or the frame of the log, from 1; 0: the file's header */
};

/* Calls `report` for every damage found from now on in this process. NULL ends it. */
void seal_vfs_on_damage(
    void (*report)(void *context, const struct seal_damage *damage), void *context);

enum sealed_db_flags {
	SEALED_DB_CREATE = 1, /* make it when it is not there */
	SEALED_DB_READONLY =
	    2, /* no statement may change it (the files are still opened for writing) */
};

/*
 * Opens the database `name` with a key of its own (keys_derive; copied): 0 and a handle (given:
 * sqlite3_close_v2), or
 *   -ENOENT it is not there, -EBADMSG damaged or another key, -EPROTONOSUPPORT another version or a
 *   build without sealing, -ENAMETOOLONG, -EBUSY, -EIO and other -errno of the machine.
 *
 * The handle is set up: WAL, synchronous=FULL, temporary things in memory, foreign keys on, cell
 * sizes checked, schema not trusted, cache of VFS_CACHE_KIB, busy time-out 10 s. A database is made
 * in one step: after a crash it is there as a whole or not at all. It gives free pages back when it
 * is told to (PRAGMA incremental_vacuum); one of an early version cannot (PRAGMA auto_vacuum is 0).
 */
MUST_USE int sealed_db_open(
    const char *name, const struct secret *key, unsigned flags, struct sqlite3 **ret_db);

/*
 * From now on this process alone has the database open, until it is closed: others find it busy
 * (-EBUSY), and no transaction costs a lock. -EBUSY: somebody else has it open now.
 */
MUST_USE int sealed_db_take_alone(struct sqlite3 *db);

/* Whether it waits for others, as at first, or fails at once (SQLITE_BUSY). */
void sealed_db_set_waiting(struct sqlite3 *db, bool waits);

/*
 * Makes the sealed database `name`, which is not there yet, and attaches it to an open one under
 * the name `as` (a plain word; "DETACH …" ends it). -EEXIST, and as sealed_db_open.
 */
MUST_USE int sealed_db_attach(
    struct sqlite3 *db, const char *name, const struct secret *key, const char *as);

/*
 * Checking every byte, also those that no query reads: free pages, older frames of the log. What is
 * damaged is reported to seal_vfs_on_damage. 0, -EBADMSG when something was, -EBUSY when others
 * work on it and it is to be tried again, other -errno. Not within a transaction.
 *
 * The log in one go: nobody writes meanwhile. The pages `n` at a time from `first` (1) on; how many
 * there are is in `*ret_n_pages`, unless the result is an error other than -EBADMSG.
 */
MUST_USE int sealed_db_check_log(struct sqlite3 *db);
MUST_USE int sealed_db_check_pages(
    struct sqlite3 *db, uint32_t first, uint32_t n, uint32_t *ret_n_pages);

/*
 * Registers the VFS, as SQLite's default: a plain database is opened only by naming the VFS "unix".
 * Idempotent; roles call it before their sandbox. Does cipher_init too.
 */
void seal_vfs_init(void);

#endif
