#include "store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "seal/vfs.h"
#include "store/io.h"
#include "store/store_private.h"
#include "store/store_space.h"

enum {
	FREE_MIN = (4 << 20) / VFS_PAGE_LEN, /* pages, before anything is done … */
	FREE_PART = 4,                       /* … and this part of all */
	ENOUGH_PART = 16,                    /* it ends when so few are free … */
	ENOUGH_PAGES = 16,                   /* … or so few more: they are soon used again */
	PAGES_AT_ONCE = 64,                  /* in one transaction */
	COPY_PAGES_MAX = (1 << 30) / VFS_PAGE_LEN, /* some seconds, while others wait */
	SQL_MAX = 4096,
};

struct space {
	int64_t pages, free, gives_back;
};

static int ask(struct db *db, const char *sql, int64_t *ret_value)
{
	sqlite3_stmt *stmt = NULL;
	int result = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_step(stmt);
	int error = db_error(db, result);
	if (result == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return error;
}

static int look(struct db *db, struct space *ret_space)
{
	struct space space = {0};
	int error = ask(db, "PRAGMA auto_vacuum", &space.gives_back);
	if (!error)
		error = ask(db, "PRAGMA page_count", &space.pages);
	if (!error)
		error = ask(db, "PRAGMA freelist_count", &space.free);
	if (!error)
		*ret_space = space;
	return error;
}

static bool is_much(const struct space *space)
{
	return space->free >= FREE_MIN && space->free >= space->pages / FREE_PART;
}

static bool is_enough(const struct space *space)
{
	return space->free <= space->pages / ENOUGH_PART + ENOUGH_PAGES;
}

static int run_sql(struct db *db, const char *sql)
{
	return db_error(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

/* --- a few pages at a time --- */

/*
 * A part of the keys of threads of which no message is left. 1: there are more. A message that came
 * later would found such a thread anew (RFC 8474 §5.2).
 */
static int trim_some_threads(struct store *s)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_THREADS_NEXT, &stmt);
	if (error)
		return error;
	db_bind(stmt, s->threads_at);
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return row;
	bool more = row > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
	int64_t next = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	if (!more)
		return 0;
	error = db_run(&s->db, DB_THREADS_TRIM, s->threads_at, next);
	s->threads_at = next;
	return error ? error : 1;
}

/* Where much was deleted it is time for that, too. 0 when all are looked at, 1, or -errno. */
static int trim_threads(struct store *s, unsigned budget_ms)
{
	uint64_t until = clock_ms() + budget_ms;
	int more = s->gives_back ? 0 : 1; /* it was done before that */
	for (bool first = true; more > 0 && (first || clock_ms() < until); first = false) {
		int error = db_begin(&s->db);
		if (error)
			return error;
		more = trim_some_threads(s);
		error = db_end(&s->db, more < 0 ? more : 0);
		if (error)
			return error;
	}
	if (more == 0)
		s->threads_at = INT64_MIN;
	return more;
}

static int give_some_back(struct store *s, struct space *space, unsigned budget_ms)
{
	char sql[64];
	uint64_t until = clock_ms() + budget_ms;
	int error = 0;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", PAGES_AT_ONCE);
	do {
		error = run_sql(&s->db, sql);
		if (!error)
			error = look(&s->db, space);
	} while (!error && !is_enough(space) && clock_ms() < until);
	return error;
}

/* A checkpoint cuts the file, and this kind the log too. Who is in its way only puts that off. */
static void cut(struct store *s)
{
	sealed_db_set_waiting(s->db.handle, false);
	(void)sqlite3_wal_checkpoint_v2(
	    s->db.handle, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sealed_db_set_waiting(s->db.handle, true);
}

int store_space_work(struct store *s, unsigned budget_ms, bool *ret_more)
{
	struct space space;
	int error = look(&s->db, &space);
	*ret_more = false;
	if (error || !space.gives_back || (!s->gives_back && !is_much(&space)))
		return store_note_error(s, error);
	int more = trim_threads(s, budget_ms);
	if (more != 0) {
		*ret_more = more > 0;
		return more < 0 ? store_note_error(s, more) : 0;
	}
	error = give_some_back(s, &space, budget_ms);
	s->gives_back = !error && !is_enough(&space);
	*ret_more = s->gives_back;
	if (!error && !s->gives_back)
		cut(s);
	return store_note_error(s, error);
}

/* --- all at once --- */

bool space_wants_copy(struct db *db)
{
	struct space space;
	return look(db, &space) == 0 && !space.gives_back && is_much(&space) &&
	       space.pages - space.free <= COPY_PAGES_MAX;
}

/* The text that made a table and so on, with the other database's name in it. */
static int make_there(struct db *db, struct str sql)
{
	static const struct str kinds[] = {STR_INIT("CREATE TABLE "), STR_INIT("CREATE INDEX "),
	    STR_INIT("CREATE UNIQUE INDEX "), STR_INIT("CREATE TRIGGER ")};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_starts(sql, kinds[i]))
			continue;
		struct str rest = str_from(sql, kinds[i].len);
		char text[SQL_MAX];
		if (sql.len + sizeof("copy.") > sizeof(text))
			return -EINVAL;
		snprintf(text, sizeof(text), "%.*scopy.%.*s", STR_FMT(kinds[i]), STR_FMT(rest));
		return run_sql(db, text);
	}
	return -EINVAL;
}

/*
 * Into an empty table of the same form SQLite copies whole rows, with their indexes, as they are.
 * The number of rows is what it must be, or nothing is done.
 */
static int fill_there(struct db *db, struct str name)
{
	char text[SQL_MAX];
	int64_t equal = 0;
	if (name.len > sizeof(text) / 8)
		return -EINVAL;
	snprintf(text, sizeof(text), "INSERT INTO copy.\"%.*s\" SELECT * FROM main.\"%.*s\"",
	    STR_FMT(name), STR_FMT(name));
	int error = run_sql(db, text);
	snprintf(text, sizeof(text),
	    "SELECT (SELECT count(*) FROM copy.\"%.*s\") = (SELECT count(*) FROM main.\"%.*s\")",
	    STR_FMT(name), STR_FMT(name));
	if (!error)
		error = ask(db, text, &equal);
	return error || equal ? error : -EIO;
}

/* Runs `each` on the first column of what `sql` finds. */
static int for_each(struct db *db, const char *sql, int (*each)(struct db *db, struct str text))
{
	sqlite3_stmt *stmt = NULL;
	int error = db_error(db, sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL));
	int row = error;
	while (!error && (row = db_step(db, stmt)) > 0)
		error = each(db, db_column_str(stmt, 0));
	sqlite3_finalize(stmt);
	return error ? error : row;
}

#define OURS "name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"

/* Triggers come last: they would act on what is copied. */
static int copy_content(struct db *db)
{
	int64_t version = 0;
	char sql[64];
	int error = for_each(
	    db, "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND " OURS, make_there);
	if (!error)
		error = for_each(db,
		    "SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND " OURS,
		    make_there);
	if (!error)
		error = for_each(db,
		    "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND " OURS,
		    fill_there);
	if (!error)
		error = for_each(
		    db, "SELECT sql FROM main.sqlite_schema WHERE type = 'trigger'", make_there);
	if (!error)
		error = ask(db, "PRAGMA main.user_version", &version);
	snprintf(sql, sizeof(sql), "PRAGMA copy.user_version = %d", (int)version);
	return error ? error : run_sql(db, sql);
}

/* All that stands in the logs goes into the files; -EBUSY where somebody is in the way. */
static int settle(struct db *db, const char *name)
{
	return db_error(db,
	    sqlite3_wal_checkpoint_v2(db->handle, name, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

static int copy_with(struct db *db, const struct secret *key)
{
	int error = sealed_db_attach(db->handle, SPACE_COPY_NAME, key, "copy");
	if (error)
		return error;
	error = run_sql(db, "PRAGMA foreign_keys = OFF");
	if (!error)
		error = copy_content(db);
	if (!error)
		error = settle(db, "main");
	if (!error)
		error = settle(db, "copy");
	return error ? error : run_sql(db, "DETACH copy");
}

/* A log is there only while the database is open, or after a crash: then it may hold something. */
static int remove_log(int folder_fd, const char *database, bool must_be_empty)
{
	static const char *const parts[] = {"-wal", "-shm"};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char name[STORE_FILE_NAME_MAX];
		struct stat st;
		snprintf(name, sizeof(name), "%s%s", database, parts[i]);
		if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (must_be_empty && i == 0 && st.st_size > 0)
			return -EBUSY;
		int error = io_unlink(folder_fd, name, false);
		if (error)
			return error;
	}
	return 0;
}

static int remove_copy(int folder_fd)
{
	int error = remove_log(folder_fd, SPACE_COPY_NAME, false);
	int gone = io_unlink(folder_fd, SPACE_COPY_NAME, false);
	return error || gone == -ENOENT ? error : gone;
}

/*
 * The copy is durable before it takes the name, and neither has a log then: one must never meet
 * another database.
 */
static int put_in_place(int folder_fd)
{
	int fd CLEANUP(fd_close) = -1;
	int error = remove_log(folder_fd, SPACE_COPY_NAME, true);
	if (!error)
		error = remove_log(folder_fd, STORE_DB_NAME, true);
	if (!error)
		error = io_open(folder_fd, SPACE_COPY_NAME, O_RDONLY, 0, &fd);
	if (!error)
		error = io_fsync(fd);
	if (!error)
		error = io_fsync(folder_fd);
	if (!error)
		error = io_rename(folder_fd, SPACE_COPY_NAME, folder_fd, STORE_DB_NAME);
	return error ? error : io_fsync(folder_fd);
}

int space_copy(int folder_fd, const struct secret *key)
{
	struct db db = {0};
	int error = remove_copy(folder_fd);
	if (!error)
		error = sealed_db_open(STORE_DB_NAME, key, 0, &db.handle);
	if (!error)
		error = copy_with(&db, key);
	db_done(&db);
	if (!error)
		error = put_in_place(folder_fd);
	if (error) {
		int removed = remove_copy(folder_fd);
		(void)removed; /* the next copying tries it again */
	}
	return error;
}
