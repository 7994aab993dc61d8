#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "mail/charset.h"
#include "mail/summary.h"
#include "seal/vfs.h"
#include "store/io.h"
#include "store/rebuild.h"
#include "store/schema.h"
#include "store/search_work.h"
#include "store/space.h"
#include "store/store_check.h"
#include "store/store_private.h"

enum { LOCK_PAUSE_MS = 20 };

void store_init(void)
{
	cipher_init();
	charset_init();
	sqlite3_initialize();
	seal_vfs_init();
}

void store_report(struct store *s, const char *file, uint64_t offset, const char *what)
{
	s->n_reported++;
	if (s->watch.damage)
		s->watch.damage(s->watch.ctx,
		    &(struct store_damage){.file = file, .offset = offset, .what = what});
}

void store_report_record(struct store *s, struct letterbox_place place, const char *what)
{
	char name[SEGMENT_NAME_LEN + 1];
	char path[STORE_FILE_NAME_MAX];
	segment_name(place.segment, name);
	snprintf(path, sizeof(path), "letterbox/%s", name);
	store_report(s, path, place.offset, what);
}

int store_note_error(struct store *s, int error)
{
	if (error != -EBADMSG || !s->db.damaged)
		return error;
	int fd CLEANUP(fd_close) = -1;
	int marked = io_open(s->folder_fd, STORE_DAMAGE_MARK, O_WRONLY | O_CREAT, 0600, &fd);
	(void)marked; /* the next to open it finds the damage by itself, or when it gets there */
	return error;
}

int store_check_mark(struct store *s)
{
	if (faccessat(s->folder_fd, STORE_DAMAGE_MARK, F_OK, 0) < 0)
		return 0;
	s->db.damaged = true;
	return -EBADMSG;
}

static void on_sealed_damage(void *ctx, const struct seal_damage *damage)
{
	struct store *s = ctx;
	static const char *const what[] = {
	    [SEAL_DAMAGE_PAGE] = "page of the database is damaged",
	    [SEAL_DAMAGE_LOG] = "log of the database is damaged",
	    [SEAL_DAMAGE_LOG_TAIL] = "end of the database's log does not open",
	    [SEAL_DAMAGE_LOG_MENDED] = "a header in the database's log was wrong",
	    [SEAL_DAMAGE_FOREIGN] = "not this account's database",
	};
	store_report(s, damage->file, (uint64_t)damage->page * VFS_PAGE_LEN, what[damage->kind]);
}

/* Locks the account's folder: LOCK_SH for use, LOCK_EX for rebuilding. */
static int lock_folder(struct store *s, int how)
{
	uint64_t until = clock_ms() + STORE_DB_WAIT_MS;
	while (flock(s->folder_fd, how | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_ms() >= until)
			return -EBUSY;
		struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int read_keys(struct store *s, const struct secret *master)
{
	char *file = NULL;
	size_t len = 0;
	int error = fd_read_plain_file(s->folder_fd, "keys", KEYS_FILE_LEN, &file, &len);
	if (error)
		return error == -EFBIG ? -EBADMSG : error;
	error = keys_decode(str_of(file, len), master, s->account_id, &s->keys);
	free(file);
	if (error == -EBADMSG)
		store_report(s, "keys", 0, "does not open");
	return error;
}

static int open_folders(struct store *s)
{
	int error = io_open(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0, &s->folder_fd);
	if (!error)
		error = io_open(s->folder_fd, "blobs", O_RDONLY | O_DIRECTORY, 0, &s->blobs_fd);
	if (!error)
		error = letterbox_open(s->folder_fd, s->account_id, &s->letterbox);
	return error;
}

static int open_database(struct store *s, const struct secret *key)
{
	int error = sealed_db_open(STORE_DB_NAME, key, SEALED_DB_CREATE, &s->db.handle);
	if (error)
		return error;
	char pragma[64];
	snprintf(pragma, sizeof(pragma), "PRAGMA cache_size = -%d", STORE_CACHE_KIB);
	error = db_error(&s->db, sqlite3_exec(s->db.handle, pragma, NULL, NULL, NULL));
	struct letterbox_place end;
	if (!error)
		error = letterbox_committed(s->letterbox, &end);
	if (!error)
		error = schema_upgrade(&s->db, end);
	if (!error)
		error = db_begin_read(&s->db);
	if (error)
		return error;
	error = store_keywords_refresh(s);
	db_end_read(&s->db);
	return error;
}

/*
 * Copies the database, if nobody else has it open, and opens it again. While the lock changes it is
 * closed: somebody else may be the one to copy it.
 */
static int open_shorter(struct store *s, const struct secret *key)
{
	db_done(&s->db);
	if (flock(s->folder_fd, LOCK_EX | LOCK_NB) == 0) {
		int copied = space_copy(s->folder_fd, key);
		(void)copied; /* otherwise the next who opens it does it */
	}
	int error = lock_folder(s, LOCK_SH);
	return error ? error : open_database(s, key);
}

/* Opens the database, rebuilt where it is damaged. */
static int open_or_rebuild(struct store *s, const struct secret *key)
{
	bool marked = faccessat(s->folder_fd, STORE_DAMAGE_MARK, F_OK, 0) == 0;
	if (!marked) {
		int error = open_database(s, key);
		if (!error && space_wants_copy(&s->db))
			error = open_shorter(s, key);
		if (error != -EBADMSG)
			return error;
		db_done(&s->db);
	}
	char name[REBUILD_NAME_MAX];
	int error = lock_folder(s, LOCK_EX);
	if (!error)
		error = rebuild_set_aside(s, name);
	if (!error)
		error = open_database(s, key);
	if (!error)
		error = rebuild_fill(s, name, key);
	return error ? error : lock_folder(s, LOCK_SH);
}

static struct store *new_store(uint64_t account_id, const struct store_watch *watch)
{
	struct store *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	*s = (struct store){.account_id = account_id,
	    .watch = *watch,
	    .folder_fd = -1,
	    .threads_at = INT64_MIN,
	    .blobs_fd = -1,
	    .record = BUF_MAX(RECORD_LEN_MAX),
	    .bytes = BUF_MAX(STORE_MESSAGE_LEN_MAX),
	    .parsed = ARENA_MAX(SUMMARY_ARENA_MAX)};
	store_init();
	seal_vfs_on_damage(on_sealed_damage, s);
	return s;
}

int store_open(const struct secret *master, uint64_t account_id, const struct store_watch *watch,
    struct store **ret_store)
{
	struct store *s = new_store(account_id, watch);
	int error = open_folders(s);
	if (!error)
		error = read_keys(s, master);
	if (!error)
		error = lock_folder(s, LOCK_SH);
	if (!error) {
		struct secret *key CLEANUP(secret_free) =
		    keys_derive(master, account_id, KEYS_LABEL_MAILBOX_DB);
		error = open_or_rebuild(s, key);
	}
	if (error) {
		store_close(s);
		return error;
	}
	store_bury_all(s);
	store_sweep(s);
	*ret_store = s;
	return 0;
}

/* What does not open because it is damaged is reported, and left out. */
static int open_what_opens(struct store *s, const struct secret *master)
{
	int error = read_keys(s, master);
	if (error && error != -EBADMSG)
		return error;
	struct secret *key CLEANUP(secret_free) =
	    keys_derive(master, s->account_id, KEYS_LABEL_MAILBOX_DB);
	unsigned n_before = s->n_reported;
	error = sealed_db_open(STORE_DB_NAME, key, 0, &s->db.handle);
	if (error == -EBADMSG && s->n_reported == n_before)
		store_report(s, STORE_DB_NAME, 0, "does not open");
	return error == -EBADMSG || error == -ENOENT ? 0 : error;
}

int store_open_to_check(const struct secret *master, uint64_t account_id,
    const struct store_watch *watch, struct store **ret_store)
{
	struct store *s = new_store(account_id, watch);
	s->only_checks = true;
	int error = open_folders(s);
	if (!error)
		error = lock_folder(s, LOCK_SH);
	if (!error && faccessat(s->folder_fd, STORE_DAMAGE_MARK, F_OK, 0) == 0)
		store_report(s, STORE_DB_NAME, 0, "is damaged, and waits for the next sign-in");
	if (!error && master)
		error = open_what_opens(s, master);
	if (error) {
		store_close(s);
		return error;
	}
	*ret_store = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	/* Whoever met the damage and whatever came of it: the next to open it makes it anew. */
	if (!s->only_checks && store_damaged(s)) {
		int noted = store_note_error(s, -EBADMSG);
		(void)noted;
	}
	store_tidy(s);
	search_work_done(s);
	db_done(&s->db);
	seal_vfs_on_damage(NULL, NULL);
	letterbox_close(&s->letterbox);
	fd_close(&s->blobs_fd);
	fd_close(&s->folder_fd);
	keys_done(&s->keys);
	record_header_key_forget(&s->opened_with);
	record_sender_done(&s->sender);
	buf_done(&s->record);
	buf_done(&s->bytes);
	arena_done(&s->parsed);
	free(s);
}

void store_release_memory(struct store *s)
{
	buf_done(&s->record);
	buf_done(&s->bytes);
	arena_done(&s->parsed);
	body_forget();
	letterbox_rest(s->letterbox);
	db_forget_statements(&s->db);
	sqlite3_db_release_memory(s->db.handle);
	malloc_trim(0);
}

void store_hold(struct store *s)
{
	db_hold(&s->db);
}

void store_let_go(struct store *s)
{
	db_let_go(&s->db);
}

bool store_damaged(const struct store *s)
{
	return s->db.damaged;
}

int store_usage(struct store *s, uint64_t *ret_used, uint64_t *ret_limit)
{
	uint64_t used;
	int error = letterbox_used(s->letterbox, &used);
	if (error)
		return error;
	*ret_used = used;
	*ret_limit = s->keys.public.quota_bytes;
	return 0;
}

uint64_t store_next_modseq(struct store *s)
{
	assert(s->db.in_transaction);
	return s->db.state.next_modseq++;
}
