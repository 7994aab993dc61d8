#include "queue/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/fd.h"
#include "queue/database_private.h"
#include "queue/key.h"
#include "seal/blob.h"
#include "seal/vfs.h"
#include "store/io.h"

enum {
	PAGES_AT_ONCE = 16,
	PIECE_LEN = 128 << 10,
	NAMES_AT_ONCE = 64,
	PATH_LEN_MAX = 320,
	NAME_COST = 4096, /* of looking for a file, as if it were so many bytes */
	BUSY_MAX = 1000,
};

enum stage { STAGE_KEY, STAGE_LOG, STAGE_PAGES, STAGE_NAMED, STAGE_FILES, STAGE_DONE };

/* What is in every version of the database. */
static const char sql_body[] =
    "SELECT m.file FROM file f JOIN message m ON m.id=f.message WHERE f.id=?1";
static const char sql_named[] = "SELECT id FROM file WHERE id>?1 ORDER BY id LIMIT ?2";

struct queue_check {
	struct queue_check_watch watch;
	sqlite3 *db; /* NULL: it does not open */
	bool is_own; /* opened here */
	int folder_fd;
	sqlite3_stmt *body, *named; /* NULL: the tables cannot be read */
	enum stage stage;
	size_t n_found;
	unsigned n_busy;
	uint64_t bytes, of_bytes;
	uint32_t page;
	uint8_t after[BODY_BLOB_ID_LEN]; /* the last file that a message names */
	bool has_after;
	DIR *files;
	/* The file at hand. */
	int fd;
	struct blob_reader *reader;
	char name[BLOB_NAME_LEN + 1];
	char *piece;
};

/* --- findings --- */

static void tell(
    struct queue_check *c, const char *file, bool is_damage, uint64_t offset, const char *what)
{
	char path[PATH_LEN_MAX];
	const struct queue_finding finding = {path, is_damage, offset, what};

	snprintf(path, sizeof(path), "queue/%s", file);
	if (c->n_found++ < QUEUE_CHECK_FOUND_MAX)
		c->watch.found(c->watch.ctx, &finding);
}

static void on_damage(void *ctx, const struct seal_damage *damage)
{
	uint64_t offset = damage->page > 0 ? (uint64_t)(damage->page - 1) * VFS_PAGE_LEN : 0;

	tell(ctx, damage->file, true, offset,
	    damage->kind == SEAL_DAMAGE_PAGE ? "a page is damaged" : "the log is damaged");
}

/* --- beginning and end --- */

static uint64_t size_of(const struct queue_check *c, const char *name)
{
	struct stat st;

	return fstatat(c->folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)st.st_size;
}

static struct queue_check *check_new(struct queue_check_watch watch, int folder_fd)
{
	struct queue_check *c = calloc(1, sizeof(*c));

	if (!c || !(c->piece = malloc(PIECE_LEN)))
		abort();
	c->watch = watch;
	c->folder_fd = folder_fd;
	c->page = 1;
	c->fd = -1;
	c->of_bytes = size_of(c, QUEUE_DATABASE_FILE) + size_of(c, QUEUE_DATABASE_FILE "-wal");
	return c;
}

struct queue_check *queue_check_new(struct queue_db *db, struct queue_check_watch watch)
{
	struct queue_check *c = check_new(watch, db->folder_fd);

	c->db = db->handle;
	return c;
}

static bool is_there(const struct queue_check *c, const char *name)
{
	struct stat st;

	return fstatat(c->folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The database, where it opens; else it is told why not. */
static int open_database(struct queue_check *c)
{
	struct secret *key CLEANUP(secret_free) = NULL;
	int error = queue_key_read(&key);

	if (error) /* STAGE_KEY tells it */
		return error == -ENOENT || error == -ENOKEY || error == -ELOOP ? 0 : error;
	seal_vfs_on_damage(on_damage, c);
	error = sealed_db_open(QUEUE_DATABASE_FILE, key, 0, &c->db);
	seal_vfs_on_damage(NULL, NULL);
	if (error == -ENOENT)
		tell(c, QUEUE_DATABASE_FILE, true, 0, "is missing");
	else if (error == -EBADMSG && c->n_found == 0)
		tell(c, QUEUE_DATABASE_FILE, true, 0, "does not open");
	return error == -ENOENT || error == -EBADMSG ? 0 : error;
}

int queue_check_open(struct queue_check_watch watch, struct queue_check **ret_check)
{
	int folder CLEANUP(fd_close) = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return -errno;
	struct queue_check *c = check_new(watch, fd_take(&folder));
	c->is_own = true;
	int error = !is_there(c, QUEUE_KEY_FILE) && !is_there(c, QUEUE_DATABASE_FILE)
	                ? -ENOENT
	                : open_database(c);
	if (error) {
		queue_check_free(c);
		return error;
	}
	*ret_check = c;
	return 0;
}

static void leave_file(struct queue_check *c)
{
	blob_reader_free(&c->reader);
	fd_close(&c->fd);
}

void queue_check_free(struct queue_check *c)
{
	if (!c)
		return;
	leave_file(c);
	if (c->files)
		closedir(c->files);
	sqlite3_finalize(c->body);
	sqlite3_finalize(c->named);
	if (c->is_own) {
		sqlite3_close_v2(c->db);
		fd_close(&c->folder_fd);
	}
	free(c->piece);
	free(c);
}

void queue_check_progress(const struct queue_check *c, uint64_t *ret_bytes, uint64_t *ret_of_bytes)
{
	*ret_bytes = c->bytes < c->of_bytes ? c->bytes : c->of_bytes;
	*ret_of_bytes = c->of_bytes;
}

/* --- key and database --- */

static int check_key(struct queue_check *c)
{
	struct secret *key CLEANUP(secret_free) = NULL;
	int error = queue_key_read(&key);

	c->stage = c->db ? STAGE_LOG : STAGE_FILES;
	if (error == -ENOENT || error == -ENOKEY || error == -ELOOP) {
		tell(c, QUEUE_KEY_FILE, true, 0,
		    error == -ENOENT ? "is missing" : "does not match its checksum");
		return 0;
	}
	return error;
}

static int check_log(struct queue_check *c)
{
	int error = sealed_db_check_log(c->db);

	if (error && error != -EBADMSG)
		return error;
	c->bytes += size_of(c, QUEUE_DATABASE_FILE "-wal");
	c->stage = STAGE_PAGES;
	return 0;
}

/* Without the tables (a page of them is damaged) the files are compared with their checksums. */
static void prepare(struct queue_check *c)
{
	if (sqlite3_prepare_v2(c->db, sql_body, -1, &c->body, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(c->db, sql_named, -1, &c->named, NULL) != SQLITE_OK) {
		sqlite3_finalize(c->body);
		c->body = NULL;
	}
}

static int check_pages(struct queue_check *c)
{
	uint32_t n_pages = 0;
	int error = sealed_db_check_pages(c->db, c->page, PAGES_AT_ONCE, &n_pages);

	if (error && error != -EBADMSG)
		return error;
	c->page += PAGES_AT_ONCE;
	c->bytes += (uint64_t)PAGES_AT_ONCE * VFS_PAGE_LEN;
	if (c->page <= n_pages)
		return 0;
	prepare(c);
	c->stage = c->named ? STAGE_NAMED : STAGE_FILES;
	return 0;
}

/* --- the files of large messages --- */

/* Those that messages name are there. What cannot be read here is a page that was told already. */
static int check_named(struct queue_check *c)
{
	uint8_t ids[NAMES_AT_ONCE][BODY_BLOB_ID_LEN];
	char name[BLOB_NAME_LEN + 1];
	size_t n = 0;

	sqlite3_bind_blob(
	    c->named, 1, c->after, c->has_after ? BODY_BLOB_ID_LEN : 0, SQLITE_STATIC);
	sqlite3_bind_int(c->named, 2, NAMES_AT_ONCE);
	while (n < NAMES_AT_ONCE && sqlite3_step(c->named) == SQLITE_ROW)
		if (sqlite3_column_bytes(c->named, 0) == BODY_BLOB_ID_LEN)
			memcpy(ids[n++], sqlite3_column_blob(c->named, 0), BODY_BLOB_ID_LEN);
	sqlite3_reset(c->named);
	for (size_t i = 0; i < n; i++) {
		blob_name(ids[i], name);
		if (!is_there(c, name))
			tell(c, name, true, 0, "is missing");
	}
	if (n > 0)
		memcpy(c->after, ids[n - 1], BODY_BLOB_ID_LEN);
	c->has_after = n > 0;
	c->bytes += n * NAME_COST;
	if (n < NAMES_AT_ONCE)
		c->stage = STAGE_FILES;
	return 0;
}

/* How the file is opened: 1 it is known, 0 no message has it, -EBADMSG that cannot be read. */
static int find_body(struct queue_check *c, struct body *ret_body)
{
	struct buf id CLEANUP(buf_done) = BUF_MAX(BODY_BLOB_ID_LEN);

	if (!c->body || !hex_decode(str_of_cstr(c->name), &id))
		return -EBADMSG;
	sqlite3_bind_blob(c->body, 1, id.p, (int)id.len, SQLITE_STATIC);
	int code = sqlite3_step(c->body);
	int result = code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : -EBADMSG;
	if (result == 1) {
		struct str bytes = str_of(
		    sqlite3_column_blob(c->body, 0), (size_t)sqlite3_column_bytes(c->body, 0));
		result = body_decode(bytes, ret_body) < 0 ? -EBADMSG : 1;
	}
	sqlite3_reset(c->body);
	return result;
}

static int judge_file(struct queue_check *c, int error)
{
	leave_file(c);
	if (error == -EBADMSG || error == -EPROTONOSUPPORT || error == -ENODATA ||
	    error == -ELOOP) {
		tell(c, c->name, true, 0, "is damaged");
		return 0;
	}
	return error == -ENOENT ? 0 : error; /* its message went this moment */
}

/* Another file under this name is damage, too: it is not what was written. */
static int check_without_key(struct queue_check *c)
{
	uint8_t id[BODY_BLOB_ID_LEN];
	char header[BLOB_HEADER_LEN], right_name[BLOB_NAME_LEN + 1];
	int error = fd_pread_all(c->fd, header, sizeof(header), 0);

	if (!error)
		error = blob_decode_header(str_of(header, sizeof(header)), id);
	if (error)
		return error;
	blob_name(id, right_name);
	return strcmp(right_name, c->name) == 0 ? blob_check(c->fd) : -EBADMSG;
}

static int open_file(struct queue_check *c)
{
	struct stat st;
	int error = io_open(c->folder_fd, c->name, O_RDONLY | O_NONBLOCK, 0, &c->fd);

	if (!error)
		error = fd_stat(c->fd, &st);
	if (!error && !S_ISREG(st.st_mode))
		error = -EBADMSG;
	if (!error)
		c->of_bytes += (uint64_t)st.st_size;
	return error;
}

static int enter_file(struct queue_check *c)
{
	struct body body CLEANUP(body_wipe) = {0};
	int known = find_body(c, &body);

	if (known == 0) {
		tell(c, c->name, false, 0, "no message has it");
		return 0;
	}
	int error = open_file(c);
	if (error)
		return judge_file(c, error);
	if (known == 1) {
		error = blob_reader_new(c->fd, &body, &c->reader);
		return error ? judge_file(c, error) : 0;
	}
	return judge_file(c, check_without_key(c));
}

static int check_piece(struct queue_check *c)
{
	size_t got = 0;
	int error = blob_reader_read(c->reader, c->piece, PIECE_LEN, &got);

	c->bytes += got; /* of the message: compressed it is less */
	return !error && got > 0 ? 0 : judge_file(c, error);
}

static int begin_files(struct queue_check *c)
{
	int fd CLEANUP(fd_close) = openat(c->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	c->files = fdopendir(fd);
	if (!c->files)
		return -errno;
	(void)fd_take(&fd); /* closedir closes it */
	return 0;
}

static int check_next_file(struct queue_check *c)
{
	int error = c->files ? 0 : begin_files(c);

	if (error)
		return error;
	const struct dirent *e = readdir(c->files);
	if (!e) {
		c->stage = STAGE_DONE;
		return 0;
	}
	size_t len = strspn(e->d_name, "0123456789abcdef");
	if (len != BLOB_NAME_LEN || e->d_name[len] != '\0')
		return 0;
	memcpy(c->name, e->d_name, sizeof(c->name));
	return enter_file(c);
}

/* --- step by step --- */

static int next(struct queue_check *c)
{
	if (c->reader)
		return check_piece(c);
	switch (c->stage) {
	case STAGE_KEY:
		return check_key(c);
	case STAGE_LOG:
		return check_log(c);
	case STAGE_PAGES:
		return check_pages(c);
	case STAGE_NAMED:
		return check_named(c);
	case STAGE_FILES:
		return check_next_file(c);
	case STAGE_DONE:
		break;
	}
	return 0;
}

/* Only the look at the log and at the pages tells of damage: reading meets the same places again.
 */
static int guarded(struct queue_check *c)
{
	bool looks = c->stage == STAGE_LOG || c->stage == STAGE_PAGES;

	if (looks)
		seal_vfs_on_damage(on_damage, c);
	int error = next(c);
	if (looks)
		seal_vfs_on_damage(NULL, NULL);
	return error;
}

int queue_check_step(struct queue_check *c)
{
	uint64_t until = c->bytes + QUEUE_CHECK_STEP_LEN;
	enum stage stage = c->stage;
	int error = 0;

	while (!error && c->stage != STAGE_DONE && c->bytes < until && c->stage == stage)
		error = guarded(c);
	if (error == -EBUSY && c->n_busy++ < BUSY_MAX)
		return 1;
	return error ? error : c->stage != STAGE_DONE;
}
