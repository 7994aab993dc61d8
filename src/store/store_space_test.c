/*
 * mailbox.db gives its free pages back: bit by bit while others work, by copying where an early
 * version made it, and whole whatever fails on the way. Run from the root of the tree.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/digest.h"
#include "seal/vfs.h"
#include "store/space.h"
#include "store/store_change.h"
#include "store/store_check.h"
#include "store/store_ingest.h"
#include "store/store_private.h"
#include "store/store_space.h"
#include "store/test_expect.h"
#include "store/test_faults.h"
#include "store/test_sample.h"

enum {
	N_MESSAGES = 3000,
	N_KEPT = 20,
	INBOX = 1,
	BUDGET_MS = 0,
	CHECK_LEN = 1 << 20,
	CONTENT_MAX = 64 << 20,
};

static struct test_account t;
static char root[200];

static off_t database_len(void)
{
	struct stat st;
	assert_int_equal(stat(STORE_DB_NAME, &st), 0);
	return st.st_size;
}

static sqlite3 *open_raw(void)
{
	struct secret *key CLEANUP(secret_free) =
	    keys_derive(t.master, TEST_ACCOUNT, KEYS_LABEL_MAILBOX_DB);
	sqlite3 *db = NULL;
	test_check(sealed_db_open(STORE_DB_NAME, key, 0, &db));
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

/* What a query finds, every byte of it. */
static void add_rows(sqlite3 *db, const char *sql, struct buf *out)
{
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const void *p = sqlite3_column_blob(stmt, i);
			int len = sqlite3_column_bytes(stmt, i);
			buf_printf(out, "%d:%d:", sqlite3_column_type(stmt, i), len);
			buf_add(out, str_of(p, p ? (size_t)len : 0));
		}
		buf_add_c(out, '\n');
	}
	assert_int_equal(rc, SQLITE_DONE);
	sqlite3_finalize(stmt);
}

static void add_tables(sqlite3 *db, struct buf *out)
{
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(
	    sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1",
	        -1, &stmt, NULL),
	    SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		char *sql = sqlite3_mprintf(
		    "SELECT * FROM \"%w\" ORDER BY 1", sqlite3_column_text(stmt, 0));
		add_rows(db, sql, out);
		sqlite3_free(sql);
	}
	sqlite3_finalize(stmt);
}

/* All that is in the database, its schema and version too; it is intact. */
static struct digest_text content(void)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(CONTENT_MAX);
	sqlite3 *db = open_raw();
	add_rows(db, "PRAGMA integrity_check", &out);
	assert_true(str_eq(buf_str(&out), STR("3:2:ok\n")));
	add_rows(db, "PRAGMA user_version", &out);
	add_rows(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2", &out);
	add_tables(db, &out);
	sqlite3_close(db);
	assert_true(out.len > 10000);
	return digest_of(buf_str(&out));
}

static int number(const char *sql)
{
	sqlite3 *db = open_raw();
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int value = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

/* Every byte of the account. */
static void expect_whole(struct store *s)
{
	struct store_check *c = store_check_new(s);
	int more;
	while ((more = store_check_step(c, CHECK_LEN)) == 1)
		continue;
	assert_int_equal(more, 0);
	store_check_free(c);
	assert_int_equal(t.n_damage, 0);
}

static void deliver_many(struct store *s)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(8192),
	                records CLEANUP(buf_done) = BUF_MAX(64 << 20);
	size_t n = 0;
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		buf_clear(&text);
		buf_printf(&text, "Subject: %u of many", i);
		for (unsigned k = 0; k < 60; k++)
			buf_printf(&text, "\r\n word%u", i * 61 + k);
		buf_printf(&text, "\r\nMessage-ID: <%u@example.test>\r\n\r\ntext\r\n", i);
		test_seal(&t, buf_str(&text), &records);
	}
	test_put(buf_str(&records));
	test_check(store_ingest(s, &n));
	assert_int_equal(n, N_MESSAGES);
}

static void expunge_most(struct store *s)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(16 << 20);
	struct store_flag_change deleted = {STORE_FLAGS_ADD, STORE_DELETED, false, 0, 0};
	struct store_flag_result flagged;
	struct store_uids removed;
	struct store_view *v = NULL;
	static uint32_t uids[N_MESSAGES - N_KEPT];
	for (uint32_t i = 0; i < N_MESSAGES - N_KEPT; i++)
		uids[i] = i + 1;
	struct store_uids some = {uids, N_MESSAGES - N_KEPT};
	test_check(store_view_open(s, INBOX, false, &v));
	test_check(store_flags(v, some, &deleted, &arena, &flagged));
	do
		test_check(store_expunge(v, some, true, &arena, &removed));
	while (removed.n == STORE_EXPUNGE_MAX);
	store_view_close(v);
}

static void test_gives_back(UNUSED void **state)
{
	test_account_make(&t);
	struct store *s = test_open(&t);
	bool more = true;
	deliver_many(s);
	test_check(store_space_work(s, BUDGET_MS, &more));
	assert_false(more);
	expunge_most(s);
	sqlite3 *other = open_raw();
	run(other, "BEGIN; SELECT count(*) FROM messages"); /* somebody reads meanwhile */
	assert_int_equal(sqlite3_wal_checkpoint(other, NULL) & 0xff, SQLITE_LOCKED);
	off_t before = database_len();
	assert_true(before > 6 << 20);
	unsigned rounds = 0;
	do {
		test_check(store_space_work(s, BUDGET_MS, &more));
		rounds++;
	} while (more);
	assert_true(rounds > 1);
	assert_int_equal(number("SELECT count(*) FROM thread_keys"), N_KEPT);
	assert_int_equal(database_len(), before); /* that one still sees it all */
	run(other, "SELECT count(*) FROM messages; COMMIT");
	sqlite3_close(other);
	store_bury_all(s);
	test_consistent(s, "INBOX");
	store_close(s);
	s = test_open(&t);
	assert_true(database_len() < before / 4);
	expect_whole(s);
	test_consistent(s, "INBOX");
	store_close(s);
	content();
	test_account_remove(&t);
}

static void open_sample(void)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/test/formats/11", root);
	test_sample_open(&t, path);
}

static void test_early_version(UNUSED void **state)
{
	open_sample();
	assert_int_equal(number("PRAGMA auto_vacuum"), 0);
	sqlite3 *db = open_raw();
	run(db, "CREATE TABLE junk (a BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1"
	        " FROM n WHERE i < 700) INSERT INTO junk SELECT randomblob(10000) FROM n;"
	        " DROP TABLE junk");
	sqlite3_close(db);
	off_t len = database_len();
	/* Somebody else is there: it stays as it is. */
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	store_close(test_open(&t));
	assert_true(database_len() >= len);
	assert_int_equal(number("PRAGMA auto_vacuum"), 0);
	struct digest_text before = content(); /* of this version's tables */
	close(fd);
	struct store *s = test_open(&t);
	expect_whole(s);
	store_close(s);
	assert_true(database_len() < len / 4);
	assert_int_equal(number("PRAGMA auto_vacuum"), 2);
	assert_string_equal(content().text, before.text);
	assert_int_equal(access(SPACE_COPY_NAME, F_OK), -1);
	test_account_remove(&t);
}

#ifdef GATEPOST_FAULTS

static int copy_it(void)
{
	struct secret *key CLEANUP(secret_free) =
	    keys_derive(t.master, TEST_ACCOUNT, KEYS_LABEL_MAILBOX_DB);
	int fd CLEANUP(fd_close) = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return space_copy(fd, key);
}

static struct digest_text sample_content(void)
{
	open_sample();
	struct digest_text all = content();
	test_account_remove(&t);
	return all;
}

/* Each `step`-th system call fails, `error`, or kills the process: 0. One or the other is there,
 * whole. */
static unsigned strike_everywhere(int error, unsigned step)
{
	struct digest_text all = sample_content();
	bool struck = true;
	unsigned n = 1;
	for (; struck; n += step) {
		open_sample();
		int status = 0;
		pid_t pid = error ? 0 : fork();
		if (pid == 0) {
			io_fault_at(n, error);
			int r = copy_it();
			struck = io_fault_count() >= n;
			io_fault_at(0, 0);
			assert_true(struck || r == 0);
			if (!error)
				_exit(0);
		} else {
			assert_int_equal(waitpid(pid, &status, 0), pid);
			struck = WIFSIGNALED(status);
		}
		assert_string_equal(content().text, all.text);
		assert_int_equal(copy_it(), 0); /* what was left over is in nobody's way */
		assert_string_equal(content().text, all.text);
		assert_int_equal(number("PRAGMA auto_vacuum"), 2);
		test_account_remove(&t);
	}
	return n;
}

static void test_copying_fails(UNUSED void **state)
{
	assert_true(strike_everywhere(ENOSPC, 5) > 50);
	assert_true(strike_everywhere(EIO, 7) > 50);
}

static void test_copying_is_killed(UNUSED void **state)
{
	assert_true(strike_everywhere(0, 2) > 50);
}

enum { STEP_OF_KILLS = 43 };

static void work_to_the_end(void)
{
	struct store *s = test_open(&t);
	bool more = true;
	while (more)
		test_check(store_space_work(s, BUDGET_MS, &more));
	store_close(s);
}

/* Killed while pages are given back; whoever comes next finds everything, and goes on. */
static void test_giving_is_killed(UNUSED void **state)
{
	test_account_make(&t);
	struct store *s = test_open(&t);
	deliver_many(s);
	expunge_most(s);
	store_bury_all(s);
	store_close(s);
	sqlite3 *db = open_raw();
	run(db, "DELETE FROM thread_keys WHERE thread_id NOT IN (SELECT thread_id FROM objects)");
	sqlite3_close(db);
	struct digest_text all = content();
	off_t before = database_len();
	bool struck = true;
	int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *bytes = NULL;
	size_t len = 0;
	test_check(fd_read_file(folder, "mailbox.db", TEST_SAMPLE_FILE_MAX, &bytes, &len));
	for (unsigned n = 1; struck; n += STEP_OF_KILLS) {
		int status;
		unlink("mailbox.db-wal");
		unlink("mailbox.db-shm");
		unlink("mailbox.db");
		test_check(fd_write_file(folder, "mailbox.db", str_of(bytes, len), 0600));
		pid_t pid = fork();
		if (pid == 0) {
			io_fault_at(n, 0);
			work_to_the_end();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		struck = WIFSIGNALED(status);
		assert_string_equal(content().text, all.text);
	}
	work_to_the_end();
	assert_true(database_len() < before / 4);
	assert_string_equal(content().text, all.text);
	close(folder);
	free(bytes);
	test_account_remove(&t);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_gives_back),
	    cmocka_unit_test(test_early_version),
#ifdef GATEPOST_FAULTS
	    cmocka_unit_test(test_copying_fails),
	    cmocka_unit_test(test_copying_is_killed),
	    cmocka_unit_test(test_giving_is_killed),
#endif
	};
	assert_non_null(getcwd(root, sizeof(root)));
#ifdef GATEPOST_FAULTS
	test_hook_sqlite();
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
