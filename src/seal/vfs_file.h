/*
 * seal/vfs_file.h: an open file of the sealing VFS (internal to seal/).
 *
 * vfs.c has the VFS and the database file; vfs_log.c what is particular to the write-ahead log.
 */
#ifndef SEAL_VFS_FILE_H
#define SEAL_VFS_FILE_H

#include <sqlite3.h>

#include "seal/page.h"
#include "seal/secret.h"
#include "seal/vfs.h"

/* https://www.sqlite.org/fileformat2.html §4.1 */
enum {
	LOG_HEADER_LEN = 32,
	LOG_FRAME_HEADER_LEN = 24,
	LOG_FRAME_LEN = LOG_FRAME_HEADER_LEN + VFS_PAGE_LEN,
};

/* What a handle remembers of the log. */
struct vfs_log {
	uint8_t salts[PAGE_SALTS_LEN]; /* of the header, when last read or written */
	/* The frame whose header SQLite wrote; it goes to the file with the page, which comes next.
	 */
	struct page_place begun;
	/* The frame that was written last, in which hold of the lock that lets us write. */
	struct page_place written;
	uint64_t written_in;
	/* SQLite's running checksum and the last mark, while frames are read from the first on. */
	uint32_t n_summed;
	uint32_t sum[2];
	uint8_t mark[PAGE_MARK_LEN];
	/* Inside SQLite's rewriting of checksums; the frame it has just read. */
	bool rewriting;
	uint32_t rewritten;
};

struct vfs_file {
	sqlite3_file base; /* must be first */
	enum page_role role;
	const char *name;          /* borrowed from SQLite while the file is open */
	struct vfs_file *database; /* of a log; itself for a database */
	struct secret *page_key;   /* of a database */
	uint8_t file_id[PAGE_FILE_ID_LEN];
	/* Of a database: the index of its log, which several processes share, or NULL; whether we
	   hold the lock that lets us write. */
	const volatile uint8_t *log_index;
	bool writes;
	bool is_alone; /* and the lock of the whole file, with which nobody else can open it */
	uint64_t n_writings;     /* how often we had it */
	struct vfs_ahead *ahead; /* of a database; or NULL */
	struct vfs_log log;
	uint8_t *frame; /* LOG_FRAME_LEN bytes to work in */
	sqlite3_file *real;
};

/* Calls the report function, if there is one. */
void vfs_report(const struct vfs_file *file, enum seal_damage_kind kind, uint32_t page);

/* What the methods of a log do; SQLite's result codes. */
int vfs_log_read(struct vfs_file *log, void *p, int len, sqlite3_int64 at);
int vfs_log_write(struct vfs_file *log, const void *p, int len, sqlite3_int64 at);
void vfs_log_synced(struct vfs_file *log);

/* What checking does (seal/vfs.h): every frame of the log, under SQLite's write lock; pages of the
 * database from `first` on. Damage is reported; SQLITE_IOERR_DATA where there was some. */
int vfs_log_check(struct vfs_file *log);
int vfs_database_check(struct vfs_file *file, uint32_t first, uint32_t n, uint32_t *ret_n_pages);
/* Is it one of ours, and open? */
bool vfs_file_is_ours(const sqlite3_file *file);

#endif
