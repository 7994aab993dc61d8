/* The sealing VFS: what it keeps, what it hides, what it finds. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "seal/page.h"
#include "seal/vfs.h"

enum { FILE_MAX = 64 << 20, LOG_HEADER = 32, LOG_FRAME = 24 + VFS_PAGE_LEN };

static const bool seals = !(CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED);

static struct secret *key;
static char folder[] = "/tmp/gatepost-vfs-test-XXXXXX";

/* What was reported since it was last cleared. */
static struct {
	int n;
	int n_of[SEAL_DAMAGE_FOREIGN + 1];
	char file[64];
	uint32_t page;
} reported;

static void on_damage(void *context, const struct seal_damage *damage)
{
	assert_ptr_equal(context, &reported);
	reported.n++;
	reported.n_of[damage->kind]++;
	reported.page = damage->page;
	snprintf(reported.file, sizeof(reported.file), "%s", damage->file);
}

static int set_up_group(UNUSED void **state)
{
	key = secret_random();
	seal_vfs_on_damage(on_damage, &reported);
	return mkdtemp(folder) == NULL || chdir(folder) < 0 ? -1 : 0;
}

static int tear_down_group(UNUSED void **state)
{
	secret_free(&key);
	return chdir("/") < 0 || rmdir(folder) < 0 ? -1 : 0;
}

static void remove_database(const char *name)
{
	char file[64];
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(file, sizeof(file), "%s%s", name, suffixes[i]);
		unlink(file);
	}
}

static int set_up(UNUSED void **state)
{
	memset(&reported, 0, sizeof(reported));
	return 0;
}

static int tear_down(UNUSED void **state)
{
	remove_database("a.db");
	remove_database("b.db");
	remove_database("copy.db");
	return 0;
}

static sqlite3 *open_database(const char *name)
{
	sqlite3 *db;

	assert_int_equal(sealed_db_open(name, key, SEALED_DB_CREATE, &db), 0);
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

/* The first column of the first row, or -1 and the error in `*ret_rc`. */
static sqlite3_int64 ask(sqlite3 *db, const char *sql, int *ret_rc)
{
	sqlite3_stmt *statement = NULL;
	sqlite3_int64 value = -1;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	*ret_rc = rc;
	return value;
}

static sqlite3_int64 expect_number(sqlite3 *db, const char *sql)
{
	int rc;
	sqlite3_int64 value = ask(db, sql, &rc);

	assert_int_equal(rc, SQLITE_ROW);
	return value;
}

static void expect_intact(sqlite3 *db)
{
	assert_int_equal(expect_number(db, "SELECT count(*) FROM pragma_integrity_check "
	                                   "WHERE integrity_check = 'ok'"),
	    1);
}

static void close_database(sqlite3 *db)
{
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct str load(const char *name)
{
	char *p;
	size_t len;

	assert_int_equal(fd_read_file(AT_FDCWD, name, FILE_MAX, &p, &len), 0);
	return str_of(p, len);
}

static void store(const char *name, struct str content)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, content), 0);
	close(fd);
}

static void drop(struct str content)
{
	free((void *)(uintptr_t)content.p);
}

static char *bytes_of(struct str content)
{
	return (char *)(uintptr_t)content.p;
}

/* `n` rows, each its own transaction; row i's text can be told from its number. */
static void fill(sqlite3 *db, int n)
{
	run(db, "CREATE TABLE IF NOT EXISTS mail(id INTEGER PRIMARY KEY, subject TEXT)");
	for (int i = 0; i < n; i++)
		run(db, "INSERT INTO mail(subject) SELECT 'Meeting at the gatepost ' || "
		        "(1 + (SELECT count(*) FROM mail)) || hex(zeroblob(3000))");
}

static const char check_rows[] =
    "SELECT count(*) FROM mail WHERE subject = 'Meeting at the gatepost ' || id || "
    "hex(zeroblob(3000))";

/* 1. What is written can be read again, and nothing of it stands in the files. */
static void test_round_trip(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db");

	if (!seals)
		skip();
	fill(db, 20);
	struct str log = load("a.db-wal");
	assert_true(log.len > 20 * VFS_PAGE_LEN);
	assert_int_equal(str_find(log, STR("gatepost")), log.len);
	drop(log);
	close_database(db);
	assert_int_equal(access("a.db-wal", F_OK), -1);
	struct str file = load("a.db");
	assert_int_equal(file.len % VFS_PAGE_LEN, 0);
	assert_int_equal(str_find(file, STR("gatepost")), file.len);
	assert_int_equal(str_find(file, STR("SQLite")), file.len);
	drop(file);
	db = open_database("a.db");
	assert_int_equal(expect_number(db, check_rows), 20);
	close_database(db);
	assert_int_equal(reported.n, 0);
}

/* 2. What sealed_db_open refuses. */
static void test_refusals(UNUSED void **state)
{
	sqlite3 *db = NULL;
	struct secret *other CLEANUP(secret_free) = secret_random();

	if (!seals)
		skip();
	assert_int_equal(sealed_db_open("a.db", key, 0, &db), -ENOENT);
	close_database(open_database("a.db"));
	assert_int_equal(sealed_db_open("a.db", other, 0, &db), -EBADMSG);
	assert_int_equal(reported.n_of[SEAL_DAMAGE_PAGE], 1);
	store("b.db", STR("short"));
	assert_int_equal(sealed_db_open("b.db", key, 0, &db), -EBADMSG);
	assert_int_equal(reported.n_of[SEAL_DAMAGE_FOREIGN], 1);
	assert_string_equal(reported.file, "b.db");
	/* Of a build that does not seal, if this one does, and the other way round. */
	struct str file = load("a.db");
	bytes_of(file)[PAGE_CONTENT_LEN + 45] ^= CIPHER_FLAG_NOT_SEALED;
	store("b.db", file);
	assert_int_equal(
	    sealed_db_open("b.db", key, 0, &db), -EBADMSG); /* ours, with that bit flipped */
	bytes_of(file)[99] ^= 1;
	store("b.db", file);
	drop(file);
	assert_int_equal(sealed_db_open("b.db", key, 0, &db), -EPROTONOSUPPORT);
	assert_null(db);
	assert_int_equal(
	    sqlite3_open_v2("a.db", &db, SQLITE_OPEN_READWRITE, "sealed"), SQLITE_CANTOPEN);
	sqlite3_close(db);
	char name[VFS_NAME_MAX + 2];
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(sealed_db_open(name, key, 0, &db), -ENAMETOOLONG);
}

/* 3. Sorting, joining and changing much at once opens no other file. */
static void test_no_other_files(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db");

	fill(db, 5);
	store("a.db-journal", STR("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 plain pages to play back"));
	run(db, "CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
	        " WHERE i < 20000) SELECT i, hex(randomblob(100)) AS word FROM n");
	run(db, "CREATE INDEX word ON big(word)");
	run(db, "UPDATE big SET i = i + 1 WHERE i % 7 = 0");
	assert_true(expect_number(db, "SELECT count(*) FROM (SELECT DISTINCT a.word || b.word FROM "
	                              "big a JOIN big b ON a.i = b.i ORDER BY 1)") > 10000);
	assert_int_equal(sqlite3_exec(db, "ATTACH 'c.db' AS c", NULL, NULL, NULL), SQLITE_CANTOPEN);
	run(db, "VACUUM");
	expect_intact(db);
	close_database(db);
	db = open_database("a.db");
	assert_int_equal(expect_number(db, check_rows), 5);
	assert_int_equal(expect_number(db, "SELECT count(*) FROM big"), 20000);
	close_database(db);
	assert_int_equal(reported.n, 0);
}

/* Opens a copy that may be damaged, and counts the good rows; -1 when that failed. */
static sqlite3_int64 rows_of_copy(void)
{
	sqlite3 *db = NULL;
	int rc = SQLITE_ERROR;
	sqlite3_int64 n = -1;

	if (sealed_db_open("copy.db", key, 0, &db) < 0)
		return -1;
	n = ask(db, check_rows, &rc);
	/* Never a row that is not as it was written. */
	if (n >= 0)
		assert_int_equal(expect_number(db, "SELECT count(*) FROM mail"), n);
	sqlite3_close(db);
	remove_database("copy.db");
	return n;
}

/* 4. A flipped byte of the database is found when its page is read. */
static void test_database_flips(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db");

	if (!seals)
		skip();
	fill(db, 12);
	close_database(db);
	struct str file = load("a.db");
	for (size_t at = 0; at < file.len; at += at % VFS_PAGE_LEN < PAGE_CONTENT_LEN ? 997 : 5) {
		memset(&reported, 0, sizeof(reported));
		bytes_of(file)[at] ^= 0x20;
		store("copy.db", file);
		bytes_of(file)[at] ^= 0x20;
		/* Page 2 is a pointer map, which only moving pages reads (vfs_check_test). */
		assert_int_equal(rows_of_copy(), at / VFS_PAGE_LEN == 1 ? 12 : -1);
		if (at / VFS_PAGE_LEN == 1)
			continue;
		assert_true(reported.n > 0);
		assert_string_equal(reported.file, "copy.db");
	}
	drop(file);
}

/* 5. Pages that are genuine but in the wrong place, cut off or emptied. */
static void test_database_moved_pages(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db"), *other = open_database("b.db");

	fill(db, 12);
	fill(other, 12);
	close_database(db);
	close_database(other);
	struct str file = load("a.db"), foreign = load("b.db");
	size_t at = 3 * VFS_PAGE_LEN;
	char *saved = malloc(file.len);
	assert_non_null(saved);
	memcpy(saved, file.p, file.len);

	memcpy(bytes_of(file) + at, saved + at + VFS_PAGE_LEN, VFS_PAGE_LEN);
	store("copy.db", file);
	assert_int_equal(rows_of_copy(), -1);

	memcpy(bytes_of(file) + at, foreign.p + at, VFS_PAGE_LEN);
	store("copy.db", file);
	assert_int_equal(rows_of_copy(), -1);

	memset(bytes_of(file) + at, 0, VFS_PAGE_LEN);
	store("copy.db", file);
	assert_int_equal(rows_of_copy(), -1);
	assert_int_equal(reported.n_of[SEAL_DAMAGE_PAGE], 3);
	assert_int_equal(reported.page, 4);

	store("copy.db", str_of(saved, file.len - VFS_PAGE_LEN));
	assert_int_equal(rows_of_copy(), -1);
	free(saved);
	drop(file);
	drop(foreign);
}

/* A database and a log as a crash of all processes leaves them, in copy.db. */
struct crashed {
	struct str file;
	struct str log;
};

static struct crashed crash(int n_rows)
{
	sqlite3 *db = open_database("a.db");

	fill(db, n_rows);
	struct crashed crashed = {load("a.db"), load("a.db-wal")};
	close_database(db);
	return crashed;
}

static sqlite3_int64 recover(struct str file, struct str log)
{
	memset(&reported, 0, sizeof(reported));
	store("copy.db", file);
	store("copy.db-wal", log);
	return rows_of_copy();
}

/* 6. Whatever byte of the log is flipped: mended, or reported with what is lost. */
static void test_log_flips(UNUSED void **state)
{
	struct crashed crashed = crash(6);
	size_t n_frames = (crashed.log.len - LOG_HEADER) / LOG_FRAME;

	if (!seals)
		skip();
	assert_int_equal(recover(crashed.file, crashed.log), 6);
	assert_int_equal(reported.n, 0);
	for (size_t at = 0; at < crashed.log.len;) {
		size_t within = at < LOG_HEADER ? at : (at - LOG_HEADER) % LOG_FRAME;
		size_t frame = at < LOG_HEADER ? 0 : (at - LOG_HEADER) / LOG_FRAME + 1;
		bool is_header = at < LOG_HEADER || within < 24;
		bytes_of(crashed.log)[at] ^= 0x01;
		sqlite3_int64 n = recover(crashed.file, crashed.log);
		bytes_of(crashed.log)[at] ^= 0x01;
		assert_true(reported.n > 0);
		assert_string_equal(reported.file, "copy.db-wal");
		assert_int_equal(reported.page, frame);
		if (is_header)
			assert_int_equal(n, 6);
		else if (frame < n_frames)
			assert_int_equal(n, -1);
		else
			assert_int_equal(n, 5);
		assert_int_equal(reported.n_of[SEAL_DAMAGE_LOG_MENDED], is_header);
		at += is_header ? 1 : within < 24 + PAGE_CONTENT_LEN ? 1009 : 3;
	}
	drop(crashed.file);
	drop(crashed.log);
}

/* 7. A log cut off anywhere ends with its last whole transaction, without complaint. */
static void test_log_torn(UNUSED void **state)
{
	struct crashed crashed = crash(6);
	sqlite3_int64 least = 0;

	for (size_t len = LOG_HEADER + 3 * LOG_FRAME; len <= crashed.log.len; len += 3301) {
		sqlite3_int64 n = recover(crashed.file, str_first(crashed.log, len));
		assert_true(n >= least && n <= 6);
		assert_int_equal(reported.n, 0);
		least = n;
	}
	/* A last frame of which only the front arrived. */
	memset(bytes_of(crashed.log) + crashed.log.len - 8192, 0, 8192);
	assert_int_equal(recover(crashed.file, crashed.log), 5);
	assert_int_equal(reported.n_of[SEAL_DAMAGE_LOG_TAIL], 1);
	memset(bytes_of(crashed.log) + crashed.log.len - VFS_PAGE_LEN, 0, VFS_PAGE_LEN);
	assert_int_equal(recover(crashed.file, crashed.log), 5);
	assert_int_equal(reported.n, 0);
	drop(crashed.file);
	drop(crashed.log);
}

/* 8. Frames of the log that were exchanged, doubled or emptied. */
static void test_log_moved_frames(UNUSED void **state)
{
	struct crashed crashed = crash(6);
	size_t n_frames = (crashed.log.len - LOG_HEADER) / LOG_FRAME;
	char *frame = bytes_of(crashed.log) + LOG_HEADER + (n_frames / 2) * LOG_FRAME;
	static char saved[LOG_FRAME];

	memcpy(saved, frame, LOG_FRAME);
	memcpy(frame, frame + LOG_FRAME, LOG_FRAME);
	memcpy(frame + LOG_FRAME, saved, LOG_FRAME);
	assert_int_equal(recover(crashed.file, crashed.log), -1);
	assert_true(reported.n_of[SEAL_DAMAGE_LOG] > 0);
	/* The same frame twice; and both of them emptied. */
	memcpy(frame, saved, LOG_FRAME);
	assert_int_equal(recover(crashed.file, crashed.log), -1);
	memset(frame, 0, (size_t)2 * LOG_FRAME);
	assert_int_equal(recover(crashed.file, crashed.log), -1);
	assert_true(reported.n_of[SEAL_DAMAGE_LOG] > 0);
	drop(crashed.file);
	drop(crashed.log);
}

/* 9. A transaction larger than the cache, which writes its pages to the log more than once. */
static void test_spill(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db");

	fill(db, 3);
	run(db, "CREATE TABLE counter(id INTEGER PRIMARY KEY, n INTEGER, filler TEXT)");
	run(db, "PRAGMA cache_size=10; PRAGMA wal_autocheckpoint=0; BEGIN");
	run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000) "
	        "INSERT INTO counter SELECT i, 0, hex(randomblob(200)) FROM n");
	for (int i = 0; i < 4; i++)
		run(db, "UPDATE counter SET n = n + 1");
	run(db, "COMMIT; BEGIN; UPDATE counter SET n = n + 100; ROLLBACK");
	run(db, "UPDATE counter SET n = n + 1 WHERE id = 17");
	struct str file = load("a.db"), log = load("a.db-wal");
	assert_int_equal(expect_number(db, "SELECT sum(n) FROM counter"), 12001);
	close_database(db);
	store("copy.db", file);
	store("copy.db-wal", log);
	assert_int_equal(sealed_db_open("copy.db", key, 0, &db), 0);
	assert_int_equal(expect_number(db, "SELECT sum(n) FROM counter"), 12001);
	expect_intact(db);
	close_database(db);
	assert_int_equal(reported.n_of[SEAL_DAMAGE_LOG], 0);
	assert_int_equal(reported.n_of[SEAL_DAMAGE_LOG_MENDED], 0);
	drop(file);
	drop(log);
}

/* 10. Left-overs of a longer, abandoned transaction behind the end of the log do no harm. */
static void test_left_overs(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db");

	fill(db, 3);
	run(db, "PRAGMA cache_size=10; PRAGMA wal_autocheckpoint=0; BEGIN");
	run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) "
	        "INSERT INTO mail SELECT i + 1000, hex(randomblob(3000)) FROM n");
	run(db, "ROLLBACK");
	struct str before = load("a.db-wal");
	fill(db, 1);
	struct str file = load("a.db"), log = load("a.db-wal");
	assert_int_equal(log.len, before.len);
	close_database(db);
	assert_int_equal(recover(file, log), 4);
	assert_int_equal(reported.n, 0);
	drop(before);
	drop(file);
	drop(log);
}

/* One writing process: adds rows until it is killed, tells each through a pipe when committed. */
static void write_rows(int number, int pipe_fd)
{
	sqlite3 *db;
	char sql[200];

	if (sealed_db_open("a.db", key, 0, &db) < 0)
		_exit(1);
	for (int i = 0;; i++) {
		uint32_t told[2] = {(uint32_t)number, (uint32_t)i};
		snprintf(sql, sizeof(sql), "INSERT INTO pair VALUES(%d, %d, hex(randomblob(%d)))",
		    number, i, i % 50 * 100);
		if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK ||
		    write(pipe_fd, told, sizeof(told)) != sizeof(told))
			_exit(2);
	}
}

enum { WRITERS = 4, ROUNDS = 12, KILL_AFTER_US = 40000 };

/* 11. Four writers, killed in the middle: all that was told is there, once. */
static void test_killed_writers(UNUSED void **state)
{
	uint32_t told[2];
	int number = 0, status;

	close_database(open_database("a.db"));
	for (int round = 0; round < ROUNDS; round++) {
		pid_t writers[WRITERS];
		int ends[2];
		sqlite3 *db = open_database("a.db");
		run(db, "CREATE TABLE IF NOT EXISTS pair(a INT, b INT, filler TEXT, UNIQUE(a, b))");
		close_database(db);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		for (int i = 0; i < WRITERS; i++, number++)
			if ((writers[i] = fork()) == 0)
				write_rows(number, ends[1]);
		close(ends[1]);
		usleep(KILL_AFTER_US + (unsigned)round * 1777);
		for (int i = 0; i < WRITERS; i++)
			kill(writers[i], SIGKILL);
		for (int i = 0; i < WRITERS; i++) {
			assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
			assert_true(WIFSIGNALED(status));
		}
		db = open_database("a.db");
		while (read(ends[0], told, sizeof(told)) == sizeof(told)) {
			char sql[100];
			snprintf(sql, sizeof(sql),
			    "SELECT count(*) FROM pair WHERE a = %u AND b = %u", told[0], told[1]);
			assert_int_equal(expect_number(db, sql), 1);
		}
		expect_intact(db);
		close_database(db);
		close(ends[0]);
	}
	assert_int_equal(reported.n_of[SEAL_DAMAGE_PAGE], 0);
	assert_int_equal(reported.n_of[SEAL_DAMAGE_LOG], 0);
}

/* 12. In a folder whose parent cannot be passed any more, as another user. */
static void test_unreachable_parent(UNUSED void **state)
{
	enum { NOBODY = 65534 };
	int status;

	if (geteuid() != 0)
		skip(); /* nobody else to be */
	assert_int_equal(mkdir("inner", 0700), 0);
	assert_int_equal(chown("inner", NOBODY, NOBODY), 0);
	pid_t child = fork();
	if (child == 0) {
		sqlite3 *db;
		if (chdir("inner") < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(1);
		if (access("..", X_OK) == 0 && access("../inner", F_OK) == 0)
			_exit(2);
		if (sealed_db_open("a.db", key, SEALED_DB_CREATE, &db) < 0)
			_exit(3);
		fill(db, 3);
		int wrong = expect_number(db, check_rows) != 3;
		sqlite3_close(db);
		_exit(wrong);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(unlink("inner/a.db"), 0);
	assert_int_equal(rmdir("inner"), 0);
}

/* 13. Read-only handles read. */
static void test_readonly(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db");

	fill(db, 2);
	close_database(db);
	assert_int_equal(sealed_db_open("a.db", key, SEALED_DB_READONLY, &db), 0);
	assert_int_equal(expect_number(db, check_rows), 2);
	assert_int_not_equal(sqlite3_exec(db, "DELETE FROM mail", NULL, NULL, NULL), SQLITE_OK);
	close_database(db);
}

/* 14. Who has it alone grows, shrinks, spills and rolls back as ever; a crash leaves what was
 * committed; and alone means alone. */
static void test_alone(UNUSED void **state)
{
	sqlite3 *db = open_database("a.db"), *other = NULL;

	fill(db, 3);
	assert_int_equal(sealed_db_open("a.db", key, 0, &other), 0);
	assert_int_equal(expect_number(other, check_rows), 3);
	sealed_db_set_waiting(db, false);
	assert_int_equal(sealed_db_take_alone(db), -EBUSY);
	sealed_db_set_waiting(other, false);
	close_database(other);
	assert_int_equal(sealed_db_take_alone(db), 0);
	run(db, "CREATE TABLE counter(id INTEGER PRIMARY KEY, n INTEGER, filler TEXT)");
	run(db, "PRAGMA cache_size=10; PRAGMA wal_autocheckpoint=0; BEGIN");
	run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000) "
	        "INSERT INTO counter SELECT i, 0, hex(randomblob(200)) FROM n");
	for (int i = 0; i < 4; i++)
		run(db, "UPDATE counter SET n = n + 1");
	run(db, "COMMIT; BEGIN; UPDATE counter SET n = n + 100; ROLLBACK");
	run(db, "DELETE FROM counter WHERE id % 3 <> 1; PRAGMA incremental_vacuum");
	run(db, "PRAGMA wal_checkpoint(RESTART)");
	fill(db, 7);
	run(db, "UPDATE counter SET n = n + 1 WHERE id = 16");
	struct str file = load("a.db"), log = load("a.db-wal");
	assert_int_equal(expect_number(db, check_rows), 10);
	expect_intact(db);
	close_database(db);
	store("copy.db", file);
	store("copy.db-wal", log);
	assert_int_equal(sealed_db_open("copy.db", key, 0, &db), 0);
	assert_int_equal(expect_number(db, "SELECT sum(n) FROM counter"), 4001);
	assert_int_equal(expect_number(db, check_rows), 10);
	expect_intact(db);
	close_database(db);
	assert_int_equal(reported.n, 0);
	drop(file);
	drop(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_no_other_files, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_database_flips, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_database_moved_pages, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_log_flips, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_log_torn, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_log_moved_frames, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_spill, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_left_overs, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_killed_writers, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_unreachable_parent, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_readonly, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
