/*
 * Verifying an instance that no server runs on: what the roles do together for the running server
 * is done here in one process, each file in the folder of its role.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/verify.h"
#include "directory/database.h"
#include "directory/password.h"
#include "seal/vfs.h"
#include "store/store_check.h"

enum { PAGES_AT_ONCE = 64, STEP_LEN = 1 << 20, ARENA_LEN = 1 << 20, ACCOUNTS_AT_ONCE = 200 };

/* --- the directory --- */

static void on_directory_damage(void *ctx, const struct seal_damage *damage)
{
	char file[VFS_NAME_MAX + 32];
	uint64_t offset = damage->page > 0 ? (uint64_t)(damage->page - 1) * VFS_PAGE_LEN : 0;
	snprintf(file, sizeof(file), "directory/%s", damage->file);
	verify_damage(ctx, file, offset,
	    damage->kind == SEAL_DAMAGE_PAGE ? "a page is damaged" : "the log is damaged");
}

static int check_database(struct verify *v, struct database *db)
{
	uint32_t n_pages = 1;
	int result = 0;
	for (uint32_t page = 1; page <= n_pages; page += PAGES_AT_ONCE) {
		int error = database_check(db, page, PAGES_AT_ONCE, &n_pages);
		if (error && error != -EBADMSG)
			return error;
		result = result ? result : error;
		verify_progress(v, "directory", (uint64_t)page * VFS_PAGE_LEN,
		    (uint64_t)n_pages * VFS_PAGE_LEN);
	}
	return result;
}

/* The database, open when it can be; rows for what cannot. */
static struct database *open_directory(struct verify *v)
{
	struct database *db = NULL;
	size_t n_before = v->rows.n_rows;
	seal_vfs_on_damage(on_directory_damage, v);
	int error = database_open(false, &db);
	if (error == -ENOKEY)
		verify_damage(v, "directory/" DATABASE_KEY, 0, "does not match its checksum");
	else if (error == -EBADMSG && v->rows.n_rows == n_before)
		verify_damage(v, "directory/" DATABASE_FILE, 0, "does not open");
	else if (error && error != -EBADMSG)
		verify_failed(v, "directory/" DATABASE_FILE, error);
	return db;
}

static void verify_directory(struct verify *v, struct database *db)
{
	int error = check_database(v, db);
	if (!error)
		verify_row(v, "directory", "ok", NULL, "");
	else if (error != -EBADMSG)
		verify_failed(v, "directory/" DATABASE_FILE, error);
}

/* --- an account, in its folder --- */

struct checking {
	struct verify *v;
	uint64_t id;
};

static void on_account_damage(void *ctx, const struct store_damage *damage)
{
	const struct checking *c = ctx;
	char file[LOG_QUOTE_MAX + 64];
	snprintf(file, sizeof(file), "accounts/%" PRIu64 "/%s", c->id,
	    log_quote(str_of_cstr(damage->file)).text);
	verify_damage(c->v, file, damage->offset, damage->what);
}

static int check_store(struct verify *v, const char *name, struct store *s)
{
	struct store_check *check = store_check_new(s);
	struct store_check_progress progress;
	int more;
	while ((more = store_check_step(check, STEP_LEN)) > 0) {
		store_check_progress(check, &progress);
		verify_progress(v, name, progress.bytes, progress.of_bytes);
	}
	store_check_free(check);
	return more;
}

static void verify_account(
    struct verify *v, int accounts_fd, uint64_t id, const struct secret *master)
{
	char name[64];
	struct checking checking = {v, id};
	struct store_watch watch = {on_account_damage, &checking};
	struct store *s = NULL;
	size_t n_before = v->rows.n_rows;
	snprintf(name, sizeof(name), "accounts/%" PRIu64, id);
	int folder CLEANUP(fd_close) = openat(
	    accounts_fd, strrchr(name, '/') + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error = folder < 0 || fchdir(folder) < 0 ? -errno : 0;
	if (!error)
		error = store_open_to_check(master, id, &watch, &s);
	if (!error)
		error = check_store(v, name, s);
	store_close(s);
	if (error)
		verify_failed(v, name, error);
	else if (v->rows.n_rows == n_before)
		verify_row(v, name, master ? "ok" : "sealed", NULL, "");
}

static int verify_accounts(struct verify *v, struct database *db, int accounts_fd)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct name after = {0};
	struct account_row *rows;
	size_t n = ACCOUNTS_AT_ONCE;
	while (n > 0) {
		int error = database_accounts(db, &after, ACCOUNTS_AT_ONCE, &arena, &rows, &n);
		if (error)
			return error;
		for (size_t i = 0; i < n; i++)
			verify_account(v, accounts_fd, rows[i].id, NULL);
		if (n == 0)
			break;
		struct arena next = ARENA_MAX(ARENA_LEN);
		struct name last = rows[n - 1].name;
		if (!arena_dup(&next, last.local, &after.local) ||
		    !arena_dup(&next, last.domain, &after.domain))
			return -ENOMEM;
		arena_done(&arena);
		arena = next;
	}
	return 0;
}

/* The account's id and its master key. */
static int unlock(struct verify *v, struct database *db, uint64_t *ret_id, struct secret **ret)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct buf password CLEANUP(buf_done) = BUF_MAX(PASSWORD_LEN_MAX);
	uint8_t slot[SLOT_LEN];
	struct name name;
	if (!name_parse(str_of_cstr(v->account), &arena, &name))
		return -ENOENT;
	int error = database_account_id(db, &name, ret_id);
	if (!error)
		error = database_slot(db, *ret_id, SLOT_PASSWORD, slot);
	if (!error && !password_prepare(str_of_cstr(v->password), &password))
		error = -EACCES;
	if (!error)
		error = slot_open_password(
		    str_of(slot, sizeof(slot)), *ret_id, buf_str(&password), ret);
	if (password.p)
		explicit_bzero(password.p, password.len);
	return error;
}

static void verify_one(struct verify *v, struct database *db, int accounts_fd)
{
	struct secret *master CLEANUP(secret_free) = NULL;
	uint64_t id = 0;
	int error = unlock(v, db, &id, &master);
	if (error == -ENOENT)
		verify_row(v, v->account, "failed", NULL, "no such account");
	else if (error == -EACCES)
		verify_row(v, v->account, "failed", NULL, "that is not its password");
	else if (error)
		verify_failed(v, v->account, error);
	else
		verify_account(v, accounts_fd, id, master);
}

/* --- all of it --- */

static int in_folders(struct verify *v, int directory_fd, int accounts_fd)
{
	if (fchdir(directory_fd) < 0)
		return -errno;
	struct database *db = open_directory(v);
	if (!db)
		return 0;
	if (!v->account)
		verify_directory(v, db);
	int error = 0;
	if (v->account)
		verify_one(v, db, accounts_fd);
	else
		error = verify_accounts(v, db, accounts_fd);
	/* Its files are named from its folder. */
	if (fchdir(directory_fd) < 0)
		error = -errno;
	database_close(db);
	seal_vfs_on_damage(NULL, NULL);
	return error;
}

void verify_stopped(struct verify *v)
{
	int before CLEANUP(fd_close) = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int directory CLEANUP(fd_close) =
	    openat(v->data_fd, "directory", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int accounts CLEANUP(fd_close) =
	    openat(v->data_fd, "accounts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_init();
	int error = before < 0 || directory < 0 || accounts < 0
	                ? -errno
	                : in_folders(v, directory, accounts);
	if (before >= 0 && fchdir(before) < 0)
		error = -errno;
	if (error == -EBADMSG)
		verify_row(v, "accounts", "failed", NULL, "the directory cannot list all of them");
	else if (error)
		verify_failed(v, "directory", error);
}
