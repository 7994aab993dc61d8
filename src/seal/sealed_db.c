#include "seal/sealed_db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "seal/page.h"
#include "seal/vfs.h"
#include "seal/vfs_file.h"

enum { SEALED_DB_LOOK_US = 1000, SEALED_DB_LOOKS = 10000, SEALED_DB_MODE = 0600 };

/* Only while a database is being opened. */
static const struct secret *opening_key;
static int opening_error;

const struct secret *sealed_db_take_key(void)
{
	const struct secret *key = opening_key;

	opening_key = NULL;
	return key;
}

void sealed_db_refuse(int error)
{
	opening_error = error;
}

/* A name beside `name` that nobody else uses. */
static void sealed_db_temporary_name(const char *name, char ret_name[static VFS_NAME_MAX + 32])
{
	uint8_t random[8];
	char digits[2 * sizeof(random) + 1];

	cipher_random(random, sizeof(random));
	sodium_bin2hex(digits, sizeof(digits), random, sizeof(random));
	snprintf(ret_name, VFS_NAME_MAX + 32, "%s.new-%s", name, digits);
}

static int sealed_db_write_first(const char *temporary, const struct secret *key)
{
	struct page_place place = {.role = PAGE_DATABASE, .page = 1};
	uint8_t page[VFS_PAGE_LEN];
	int fd CLEANUP(fd_close) =
	    open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, SEALED_DB_MODE);

	if (fd < 0)
		return -errno;
	cipher_random(place.file_id, PAGE_FILE_ID_LEN);
	struct secret *page_key CLEANUP(secret_free) =
	    secret_derive(key, "database page", str_of(place.file_id, PAGE_FILE_ID_LEN));
	page_first(page);
	page_seal(page_key->bytes, &place, page, page);
	int r = fd_write_all(fd, str_of(page, sizeof(page)));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* Makes the new name durable. */
static int sealed_db_sync_folder(const char *name)
{
	char path[VFS_NAME_MAX + 1] = ".";
	const char *slash = strrchr(name, '/');

	if (slash != NULL)
		snprintf(path, sizeof(path), "%.*s", (int)(slash - name + 1), name);
	int folder CLEANUP(fd_close) = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	return fsync(folder) < 0 ? -errno : 0;
}

/* Written beside it and linked: whoever comes first makes it, and it is whole from the start. */
static int sealed_db_create(const char *name, const struct secret *key)
{
	char temporary[VFS_NAME_MAX + 32];

	sealed_db_temporary_name(name, temporary);
	int r = sealed_db_write_first(temporary, key);
	if (r == 0 && link(temporary, name) < 0 && errno != EEXIST)
		r = -errno;
	unlink(temporary);
	if (r < 0)
		return r;
	return sealed_db_sync_folder(name);
}

static int sealed_db_errno(sqlite3 *db, int rc)
{
	int system_error = db == NULL ? 0 : sqlite3_system_errno(db);

	if (opening_error < 0)
		return opening_error;
	if (rc == SQLITE_IOERR_DATA)
		return -EBADMSG;
	switch (rc & 0xFF) {
	case SQLITE_OK:
		return 0;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CANTOPEN:
		return system_error > 0 ? -system_error : -ENOENT;
	}
	return system_error > 0 ? -system_error : -EIO;
}

static int sealed_db_connect(const char *name, const struct secret *key, sqlite3 **ret_db)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
	            SQLITE_OPEN_EXRESCODE;

	opening_error = 0;
	opening_key = key;
	int rc = sqlite3_open_v2(name, ret_db, flags, VFS_SQLITE_NAME);
	opening_key = NULL;
	return sealed_db_errno(*ret_db, rc);
}

/* SQLite answers with the mode it is in then. */
static int sealed_db_check_wal(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	bool is_wal =
	    rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
	int finished = sqlite3_finalize(statement);
	if (rc != SQLITE_ROW)
		return sealed_db_errno(db, rc == SQLITE_DONE ? finished : rc);
	return is_wal ? 0 : -EBADMSG;
}

/*
 * SQLite's own way of waiting looks only every 100 ms in the end: it would hardly ever meet the
 * short pauses that others make for us in long work.
 */
static int sealed_db_wait(UNUSED void *context, int n_before)
{
	if (n_before >= SEALED_DB_LOOKS)
		return 0;
	usleep(SEALED_DB_LOOK_US);
	return 1;
}

void sealed_db_set_waiting(struct sqlite3 *db, bool waits)
{
	sqlite3_busy_handler(db, waits ? sealed_db_wait : NULL, NULL);
}

static int sealed_db_set_up(sqlite3 *db, unsigned flags)
{
	char pragmas[512];

	sealed_db_set_waiting(db, true);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	/* Deleted content stays in free pages, sealed; overwriting it would cost and hide nothing.
	 */
	snprintf(pragmas, sizeof(pragmas),
	    "PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON;"
	    "PRAGMA mmap_size=0; PRAGMA secure_delete=OFF; PRAGMA cache_size=-%d;"
	    "PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%d; PRAGMA query_only=%d;",
	    VFS_CACHE_KIB, VFS_CHECKPOINT_PAGES, VFS_LOG_LEN_MAX,
	    (flags & SEALED_DB_READONLY) != 0);
	int rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return sealed_db_errno(db, rc);
	/* This reads page 1, so a wrong key shows here. */
	return sealed_db_check_wal(db);
}

int sealed_db_open(
    const char *name, const struct secret *key, unsigned flags, struct sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	struct stat st;

	seal_vfs_init();
	if (strlen(name) > VFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (stat(name, &st) < 0) {
		if (errno != ENOENT || !(flags & SEALED_DB_CREATE))
			return -errno;
		int r = sealed_db_create(name, key);
		if (r < 0)
			return r;
	}
	int r = sealed_db_connect(name, key, &db);
	if (r == 0)
		r = sealed_db_set_up(db, flags);
	if (r < 0)
		sqlite3_close_v2(db);
	else
		*ret_db = db;
	return r;
}

int sealed_db_attach(struct sqlite3 *db, const char *name, const struct secret *key, const char *as)
{
	char sql[VFS_NAME_MAX + 64];
	struct stat st;

	if (strlen(name) > VFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (stat(name, &st) == 0)
		return -EEXIST;
	int r = sealed_db_create(name, key);
	if (r < 0)
		return r;
	char *text = sqlite3_snprintf(sizeof(sql), sql, "ATTACH %Q AS %s", name, as);
	opening_error = 0;
	opening_key = key;
	int rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	opening_key = NULL;
	return sealed_db_errno(db, rc);
}

/* The lock is taken by the first transaction that writes. The index of the log stays where it is,
 * shared memory that nobody shares: the shim looks into it. */
int sealed_db_take_alone(struct sqlite3 *db)
{
	opening_error = 0;
	int rc = sqlite3_exec(
	    db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;", NULL, NULL, NULL);
	return sealed_db_errno(db, rc);
}

/* --- checking --- */

static int sealed_db_file(sqlite3 *db, int op, struct vfs_file **ret_file)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(db, "main", op, &file);

	if (rc != SQLITE_OK)
		return sealed_db_errno(db, rc);
	*ret_file = vfs_file_is_ours(file) ? (struct vfs_file *)file : NULL;
	return 0;
}

int sealed_db_check_log(struct sqlite3 *db)
{
	struct vfs_file *log = NULL;

	opening_error = 0;
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return sealed_db_errno(db, rc);
	int r = sealed_db_file(db, SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (r == 0 && log != NULL) {
		rc = vfs_log_check(log);
		r = rc == SQLITE_OK ? 0 : rc == SQLITE_IOERR_DATA ? -EBADMSG : -EIO;
	}
	rc = sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r == 0 ? sealed_db_errno(db, rc) : r;
}

/*
 * A crash in the middle of a checkpoint leaves pages half-written that the log still has: they are
 * written again first.
 */
static int sealed_db_settle(sqlite3 *db)
{
	int in_log = 0, done = 0;
	int rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_log, &done);

	if (rc != SQLITE_OK)
		return sealed_db_errno(db, rc);
	return in_log == done ? 0 : -EBUSY;
}

int sealed_db_check_pages(struct sqlite3 *db, uint32_t first, uint32_t n, uint32_t *ret_n_pages)
{
	struct vfs_file *file = NULL;

	opening_error = 0;
	int settled = first == 1 ? sealed_db_settle(db) : 0;
	if (settled < 0 && settled != -EBADMSG)
		return settled;
	int r = sealed_db_file(db, SQLITE_FCNTL_FILE_POINTER, &file);
	if (r < 0)
		return r;
	if (file == NULL)
		return -EINVAL;
	int rc = vfs_database_check(file, first, n, ret_n_pages);
	return rc == SQLITE_OK ? settled : rc == SQLITE_IOERR_DATA ? -EBADMSG : -EIO;
}
