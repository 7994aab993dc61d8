#include "seal/vfs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "seal/sealed_db.h"
#include "seal/vfs_ahead.h"
#include "seal/vfs_file.h"

/* A page may be read while a checkpoint writes it, before SQLite has taken its locks. */
enum { VFS_RETRIES = 5, VFS_RETRY_US = 500 };

/* https://www.sqlite.org/walformat.html §2.1: the pages of the last commit; §2.2: its locks. */
enum { INDEX_AT_N_PAGES = 20, INDEX_WRITE_LOCK = 0 };

static void (*report_damage)(void *context, const struct seal_damage *damage);
static void *report_context;

void seal_vfs_on_damage(
    void (*report)(void *context, const struct seal_damage *damage), void *context)
{
	report_damage = report;
	report_context = context;
}

void vfs_report(const struct vfs_file *file, enum seal_damage_kind kind, uint32_t page)
{
	struct seal_damage damage = {.kind = kind, .file = file->name, .page = page};

	if (report_damage != NULL)
		report_damage(report_context, &damage);
}

static struct vfs_file *vfs_file(sqlite3_file *file)
{
	return (struct vfs_file *)file;
}

static sqlite3_vfs *vfs_root(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

/* The database file: whole pages. */

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int database_load(struct vfs_file *file, uint32_t number, uint8_t *page)
{
	struct page_place place;
	uint64_t began_us = now_us();
	int rc = file->real->pMethods->xRead(
	    file->real, page, VFS_PAGE_LEN, (sqlite3_int64)(number - 1) * VFS_PAGE_LEN);

	if (rc != SQLITE_OK)
		return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_IOERR_DATA : rc;
	uint64_t took_us = now_us() - began_us;
	bool here = page_decode(page + PAGE_CONTENT_LEN, &place) == 0 &&
	            place.role == PAGE_DATABASE && place.page == number &&
	            memcmp(place.file_id, file->file_id, PAGE_FILE_ID_LEN) == 0;
	if (!page_open(file->page_key->bytes, page) || !here)
		return SQLITE_IOERR_DATA;
	if (file->ahead != NULL)
		vfs_ahead_read(file->ahead, number, page, took_us);
	return SQLITE_OK;
}

/*
 * Within a transaction that makes the database longer, SQLite may read one of its new pages before
 * it has written it anywhere, to move it (pointer maps): it expects zeros.
 */
static bool database_page_is_new(struct vfs_file *file, uint32_t number)
{
	uint32_t n_committed;
	sqlite3_int64 size;

	if (!file->writes || file->log_index == NULL)
		return false;
	memcpy(
	    &n_committed, (const uint8_t *)file->log_index + INDEX_AT_N_PAGES, sizeof(n_committed));
	return number > n_committed &&
	       file->real->pMethods->xFileSize(file->real, &size) == SQLITE_OK &&
	       (sqlite3_int64)(number - 1) * VFS_PAGE_LEN >= size;
}

/*
 * There are no holes (vfs_fill), so a page that is not there, or all zero, is damage too. SQLite
 * would take it for zeros.
 */
static int database_read_page(struct vfs_file *file, uint32_t number, uint8_t *page)
{
	if (database_page_is_new(file, number)) {
		memset(page, 0, VFS_PAGE_LEN);
		return SQLITE_OK;
	}
	int rc = database_load(file, number, page);

	for (int i = 0; rc == SQLITE_IOERR_DATA && i < VFS_RETRIES; i++) {
		usleep(VFS_RETRY_US);
		rc = database_load(file, number, page);
	}
	if (rc == SQLITE_IOERR_DATA)
		vfs_report(file, SEAL_DAMAGE_PAGE, number);
	return rc;
}

static int database_read(struct vfs_file *file, uint8_t *p, int len, sqlite3_int64 at)
{
	uint32_t number = (uint32_t)(at / VFS_PAGE_LEN) + 1;
	size_t within = (size_t)(at % VFS_PAGE_LEN);

	if (within == 0 && len == VFS_PAGE_LEN)
		return database_read_page(file, number, p);
	if (within + (size_t)len > VFS_PAGE_LEN)
		return SQLITE_IOERR_READ;
	if (at == 0 && len == PAGE_HEADER_LEN) {
		/*
		 * What SQLite asks before it takes a lock, for the page size and the reserved
		 * bytes: they are always the same, and page 1 may just be being written.
		 */
		page_first(file->frame);
	} else {
		int rc = database_read_page(file, number, file->frame);
		if (rc != SQLITE_OK)
			return rc;
	}
	memcpy(p, file->frame + within, (size_t)len);
	return SQLITE_OK;
}

static int database_write_page(struct vfs_file *file, uint32_t number, const uint8_t *plain)
{
	struct page_place place = {.role = PAGE_DATABASE, .page = number};

	memcpy(place.file_id, file->file_id, PAGE_FILE_ID_LEN);
	page_seal(file->page_key->bytes, &place, plain, file->frame);
	return file->real->pMethods->xWrite(
	    file->real, file->frame, VFS_PAGE_LEN, (sqlite3_int64)(number - 1) * VFS_PAGE_LEN);
}

/* Seals empty pages from the end of the file up to, not including, page `until`. */
static int database_fill(struct vfs_file *file, sqlite3_int64 until)
{
	static const uint8_t empty[VFS_PAGE_LEN];
	sqlite3_int64 size;
	int rc = file->real->pMethods->xFileSize(file->real, &size);

	for (sqlite3_int64 i = size / VFS_PAGE_LEN + 1; rc == SQLITE_OK && i < until; i++)
		rc = database_write_page(file, (uint32_t)i, empty);
	return rc;
}

static int database_write(struct vfs_file *file, const uint8_t *p, int len, sqlite3_int64 at)
{
	if (len != VFS_PAGE_LEN || at % VFS_PAGE_LEN != 0)
		return SQLITE_IOERR_WRITE;
	uint32_t number = (uint32_t)(at / VFS_PAGE_LEN) + 1;
	int rc = database_fill(file, number);
	return rc == SQLITE_OK ? database_write_page(file, number, p) : rc;
}

/* The methods of a file. */

static int vfs_close(sqlite3_file *base)
{
	struct vfs_file *file = vfs_file(base);
	int rc = file->real->pMethods->xClose(file->real);

	secret_free(&file->page_key);
	vfs_ahead_free(&file->ahead);
	if (file->frame != NULL)
		cipher_wipe(file->frame, LOG_FRAME_LEN);
	free(file->frame);
	file->frame = NULL;
	return rc;
}

static int vfs_read(sqlite3_file *base, void *p, int len, sqlite3_int64 at)
{
	struct vfs_file *file = vfs_file(base);

	return file->role == PAGE_LOG ? vfs_log_read(file, p, len, at)
	                              : database_read(file, p, len, at);
}

static int vfs_write(sqlite3_file *base, const void *p, int len, sqlite3_int64 at)
{
	struct vfs_file *file = vfs_file(base);

	return file->role == PAGE_LOG ? vfs_log_write(file, p, len, at)
	                              : database_write(file, p, len, at);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct vfs_file *file = vfs_file(base);

	if (file->role == PAGE_DATABASE) {
		int rc = database_fill(file, size / VFS_PAGE_LEN + 1);
		if (rc != SQLITE_OK)
			return rc;
	}
	return file->real->pMethods->xTruncate(file->real, size);
}

static int vfs_sync(sqlite3_file *base, int flags)
{
	struct vfs_file *file = vfs_file(base);

	if (file->role == PAGE_LOG)
		vfs_log_synced(file);
	return file->real->pMethods->xSync(file->real, flags);
}

static int vfs_file_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
	sqlite3_file *real = vfs_file(base)->real;
	return real->pMethods->xFileSize(real, ret_size);
}

/* Who has the whole file for itself (locking_mode=EXCLUSIVE) does not ask for the locks of the log
 * any more: nobody else can write. */
static int vfs_lock(sqlite3_file *base, int level)
{
	struct vfs_file *file = vfs_file(base);
	int rc = file->real->pMethods->xLock(file->real, level);

	if (rc == SQLITE_OK && level == SQLITE_LOCK_EXCLUSIVE) {
		file->is_alone = file->writes = true;
		file->n_writings++;
	}
	return rc;
}

static int vfs_unlock(sqlite3_file *base, int level)
{
	struct vfs_file *file = vfs_file(base);

	if (file->is_alone)
		file->is_alone = file->writes = false;
	return file->real->pMethods->xUnlock(file->real, level);
}

static int vfs_check_reserved_lock(sqlite3_file *base, int *ret_reserved)
{
	sqlite3_file *real = vfs_file(base)->real;
	return real->pMethods->xCheckReservedLock(real, ret_reserved);
}

static int vfs_file_control(sqlite3_file *base, int op, void *arg)
{
	sqlite3_file *real = vfs_file(base)->real;

	/* Neither mapping nor growing in steps: both would go past the shim. */
	if (op == SQLITE_FCNTL_MMAP_SIZE || op == SQLITE_FCNTL_CHUNK_SIZE ||
	    op == SQLITE_FCNTL_SIZE_HINT)
		return SQLITE_NOTFOUND;
	return real->pMethods->xFileControl(real, op, arg);
}

static int vfs_sector_size(sqlite3_file *base)
{
	sqlite3_file *real = vfs_file(base)->real;
	return real->pMethods->xSectorSize(real);
}

/*
 * A sealed page is never written atomically, whatever the file system does with plain ones; and
 * without "powersafe overwrite" SQLite would write log frames in pieces.
 */
static int vfs_device_characteristics(sqlite3_file *base)
{
	sqlite3_file *real = vfs_file(base)->real;
	int kept = SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | SQLITE_IOCAP_IMMUTABLE;
	return (real->pMethods->xDeviceCharacteristics(real) & kept) |
	       SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int vfs_shm_map(
    sqlite3_file *base, int region, int region_len, int extend, void volatile **ret_p)
{
	struct vfs_file *file = vfs_file(base);
	int rc = file->real->pMethods->xShmMap(file->real, region, region_len, extend, ret_p);

	if (region == 0)
		file->log_index = rc == SQLITE_OK ? *ret_p : NULL;
	return rc;
}

static int vfs_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	struct vfs_file *file = vfs_file(base);
	int rc = file->real->pMethods->xShmLock(file->real, offset, n, flags);

	if (rc == SQLITE_OK && offset == INDEX_WRITE_LOCK) {
		file->writes = (flags & SQLITE_SHM_LOCK) != 0;
		file->n_writings += file->writes;
	}
	return rc;
}

static void vfs_shm_barrier(sqlite3_file *base)
{
	sqlite3_file *real = vfs_file(base)->real;
	real->pMethods->xShmBarrier(real);
}

static int vfs_shm_unmap(sqlite3_file *base, int delete_it)
{
	struct vfs_file *file = vfs_file(base);

	file->log_index = NULL;
	file->writes = false;
	return file->real->pMethods->xShmUnmap(file->real, delete_it);
}

static const sqlite3_io_methods vfs_methods = {
    .iVersion = 2, /* 3 would have memory mapping */
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved_lock,
    .xFileControl = vfs_file_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_device_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

bool vfs_file_is_ours(const sqlite3_file *file)
{
	return file != NULL && file->pMethods == &vfs_methods;
}

int vfs_database_check(struct vfs_file *file, uint32_t first, uint32_t n, uint32_t *ret_n_pages)
{
	sqlite3_int64 size;
	int rc = file->real->pMethods->xFileSize(file->real, &size);

	if (rc != SQLITE_OK)
		return rc;
	uint32_t n_pages = (uint32_t)((size + VFS_PAGE_LEN - 1) / VFS_PAGE_LEN);
	bool damaged = false;
	for (uint32_t i = first; i < first + n && i <= n_pages; i++) {
		rc = database_read_page(file, i, file->frame);
		if (rc != SQLITE_OK && rc != SQLITE_IOERR_DATA)
			return rc;
		damaged = damaged || rc == SQLITE_IOERR_DATA;
	}
	*ret_n_pages = n_pages;
	return damaged ? SQLITE_IOERR_DATA : SQLITE_OK;
}

/* The methods of the VFS. */

/* Of page 1: does it open as of this version, whatever version it says? Then that is damage. */
static bool database_is_this_version(struct vfs_file *file, const struct secret *key)
{
	struct page_place place;
	uint8_t page[VFS_PAGE_LEN];

	if (file->real->pMethods->xRead(file->real, page, sizeof(page), 0) != SQLITE_OK)
		return false;
	page_claim_version(page + PAGE_CONTENT_LEN);
	if (page_decode(page + PAGE_CONTENT_LEN, &place) < 0)
		return false;
	struct secret *page_key CLEANUP(secret_free) =
	    secret_derive(key, "database page", str_of(place.file_id, PAGE_FILE_ID_LEN));
	return page_open(page_key->bytes, page);
}

/* The file's id, out of the trailer of page 1, makes its key. Pages are not checked yet: page 1 may
 * have been cut short by a crash, and stand in the log. */
static int database_begin(struct vfs_file *file)
{
	uint8_t trailer[VFS_RESERVE_LEN];
	struct page_place place;
	const struct secret *key = sealed_db_take_key();
	int rc =
	    file->real->pMethods->xRead(file->real, trailer, sizeof(trailer), PAGE_CONTENT_LEN);

	if (key == NULL)
		return SQLITE_CANTOPEN;
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
		return rc;
	int r = page_decode(trailer, &place);
	if (r == -EPROTONOSUPPORT && database_is_this_version(file, key))
		r = -EBADMSG;
	if (r < 0 || place.role != PAGE_DATABASE) {
		sealed_db_refuse(r);
		vfs_report(file, SEAL_DAMAGE_FOREIGN, 0);
		return SQLITE_NOTADB;
	}
	memcpy(file->file_id, place.file_id, PAGE_FILE_ID_LEN);
	file->page_key =
	    secret_derive(key, "database page", str_of(file->file_id, PAGE_FILE_ID_LEN));
	file->database = file;
	return SQLITE_OK;
}

/* What SQLite's own VFS opened last: it tells nobody its descriptors, and one of our own would end
 * its locks when it is closed. */
static int opened_fd = -1;
static int (*open_of_root)(const char *, int, int);

static int open_and_note(const char *path, int flags, int mode)
{
	opened_fd = open_of_root(path, flags, mode);
	return opened_fd;
}

static void note_opened(sqlite3_vfs *root)
{
	sqlite3_syscall_ptr open = root->xGetSystemCall(root, "open");

	_Static_assert(sizeof(open) == sizeof(open_of_root), "both are functions");
	memcpy(&open_of_root, &open, sizeof(open));
	int rc = root->xSetSystemCall(root, "open", (sqlite3_syscall_ptr)open_and_note);
	assert(rc == SQLITE_OK);
}

static int vfs_open_real(
    sqlite3_vfs *vfs, const char *name, struct vfs_file *file, int flags, int *ret_flags)
{
	*file = (struct vfs_file){.name = name, .real = (sqlite3_file *)(file + 1)};
	if (flags & SQLITE_OPEN_MAIN_DB) {
		file->role = PAGE_DATABASE;
		flags &= ~SQLITE_OPEN_CREATE; /* sealed_db_open makes them */
	} else if (flags & SQLITE_OPEN_WAL) {
		file->role = PAGE_LOG;
		file->database = vfs_file(sqlite3_database_file_object(name));
	} else {
		return SQLITE_CANTOPEN; /* journals and temporary files would be plain */
	}
	return vfs_root(vfs)->xOpen(vfs_root(vfs), name, file->real, flags, ret_flags);
}

static int vfs_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
	struct vfs_file *file = vfs_file(base);

	base->pMethods = NULL;
	opened_fd = -1;
	int rc = vfs_open_real(vfs, name, file, flags, ret_flags);
	if (rc == SQLITE_OK && file->role == PAGE_DATABASE) {
		rc = database_begin(file);
		if (rc != SQLITE_OK)
			file->real->pMethods->xClose(file->real);
	}
	if (rc != SQLITE_OK)
		return rc;
	file->frame = malloc(LOG_FRAME_LEN);
	if (file->frame == NULL)
		abort();
	if (file->role == PAGE_DATABASE && opened_fd >= 0)
		file->ahead = vfs_ahead_new(opened_fd);
	base->pMethods = &vfs_methods;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	return vfs_root(vfs)->xDelete(vfs_root(vfs), name, sync_folder);
}

/* A rollback journal is nothing to us: one that lies there must not be played back. */
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_found)
{
	if (str_ends(str_of_cstr(name), STR("-journal"))) {
		*ret_found = 0;
		return SQLITE_OK;
	}
	return vfs_root(vfs)->xAccess(vfs_root(vfs), name, flags, ret_found);
}

/* As it is: the parents of the folder may be out of reach. */
static int vfs_full_pathname(UNUSED sqlite3_vfs *vfs, const char *name, int out_len, char *ret_name)
{
	return str_to_cstr(str_of_cstr(name), ret_name, (size_t)out_len) == 0 ? SQLITE_OK
	                                                                      : SQLITE_CANTOPEN;
}

static int vfs_randomness(UNUSED sqlite3_vfs *vfs, int len, char *p)
{
	cipher_random(p, (size_t)len);
	return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	return vfs_root(vfs)->xSleep(vfs_root(vfs), us);
}

static int vfs_current_time(sqlite3_vfs *vfs, double *ret_days)
{
	return vfs_root(vfs)->xCurrentTime(vfs_root(vfs), ret_days);
}

static int vfs_current_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ret_ms)
{
	return vfs_root(vfs)->xCurrentTimeInt64(vfs_root(vfs), ret_ms);
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *ret_text)
{
	return vfs_root(vfs)->xGetLastError(vfs_root(vfs), len, ret_text);
}

void seal_vfs_init(void)
{
	static sqlite3_vfs vfs = {
	    .iVersion = 2,
	    .mxPathname = VFS_NAME_MAX + 16,
	    .zName = VFS_SQLITE_NAME,
	    .xOpen = vfs_open,
	    .xDelete = vfs_delete,
	    .xAccess = vfs_access,
	    .xFullPathname = vfs_full_pathname,
	    .xRandomness = vfs_randomness,
	    .xSleep = vfs_sleep,
	    .xCurrentTime = vfs_current_time,
	    .xGetLastError = vfs_last_error,
	    .xCurrentTimeInt64 = vfs_current_time_ms,
	};

	cipher_init();
	if (vfs.pAppData != NULL)
		return;
	sqlite3_vfs *root = sqlite3_vfs_find("unix");
	assert(root != NULL);
	note_opened(root);
	vfs.pAppData = root;
	vfs.szOsFile = (int)sizeof(struct vfs_file) + root->szOsFile;
	/* The default, so that nothing is opened plain unless by name, and SQLite's own random
	 * numbers come from cipher_random: its "unix" would open /dev/urandom, which a sandbox
	 * hides. */
	int rc = sqlite3_vfs_register(&vfs, 1);
	assert(rc == SQLITE_OK);
}
