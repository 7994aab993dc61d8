/* A sealed database gives free pages back, and is whole whatever happens meanwhile. */
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

#include "seal/vfs.h"

enum { ROWS = 3000, ROUNDS = 60, KILLS = 40 };

static struct secret *key;
static char folder[] = "/tmp/gatepost-shrink-test-XXXXXX";
static int n_reported;

static void on_damage(UNUSED void *context, const struct seal_damage *damage)
{
	n_reported++;
	print_error("%s: kind %d, page %u\n", damage->file, damage->kind, damage->page);
}

static int set_up_group(UNUSED void **state)
{
	key = secret_random();
	seal_vfs_on_damage(on_damage, NULL);
	return mkdtemp(folder) == NULL || chdir(folder) < 0 ? -1 : 0;
}

static int tear_down_group(UNUSED void **state)
{
	secret_free(&key);
	return chdir("/") < 0 || rmdir(folder) < 0 ? -1 : 0;
}

static int tear_down(UNUSED void **state)
{
	unlink("a.db");
	unlink("a.db-wal");
	unlink("a.db-shm");
	return 0;
}

static sqlite3 *open_database(void)
{
	sqlite3 *db;

	assert_int_equal(sealed_db_open("a.db", key, SEALED_DB_CREATE, &db), 0);
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

static sqlite3_int64 number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	int rc = sqlite3_step(statement);
	if (rc != SQLITE_ROW)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_int64 value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void expect_intact(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;

	assert_int_equal(
	    sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(statement, 0), "ok");
	sqlite3_finalize(statement);
}

static const char tables[] = "CREATE TABLE IF NOT EXISTS mail (id INTEGER PRIMARY KEY, text BLOB);"
                             "CREATE TABLE IF NOT EXISTS words (word BLOB, id INTEGER,"
                             " PRIMARY KEY (word, id)) WITHOUT ROWID;"
                             "CREATE INDEX IF NOT EXISTS length ON mail (length(text));";

static void add_rows(sqlite3 *db, int n)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
	    "BEGIN IMMEDIATE; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
	    " WHERE i < %d) INSERT INTO mail(text) SELECT randomblob(abs(random()) %% 3000 *"
	    " (1 + 20 * (i %% 50 = 0))) FROM n; INSERT OR IGNORE INTO words SELECT"
	    " substr(text, 1, 40), id FROM mail; COMMIT",
	    n);
	run(db, sql);
}

static off_t file_len(void)
{
	struct stat st;

	assert_int_equal(stat("a.db", &st), 0);
	return st.st_size;
}

static void test_shrinks(UNUSED void **state)
{
	sqlite3 *db = open_database();

	run(db, tables);
	add_rows(db, ROWS);
	run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	off_t before = file_len();
	run(db, "DELETE FROM mail WHERE id % 10 != 1;"
	        "DELETE FROM words WHERE id NOT IN (SELECT id FROM mail)");
	run(db, "PRAGMA incremental_vacuum(100000)");
	run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	expect_intact(db);
	assert_true(file_len() < before / 3);
	assert_int_equal(number(db, "PRAGMA freelist_count"), 0);
	sqlite3_close(db);
	assert_int_equal(n_reported, 0);
}

/* All that may happen in one transaction and beside it, in a random order. */
static void one_round(sqlite3 *db, sqlite3 *other, unsigned chance)
{
	switch (chance % 9) {
	case 0:
		add_rows(db, 500);
		break;
	case 1:
		run(db, "DELETE FROM mail WHERE id % 3 = 0");
		break;
	case 2:
		run(db, "DELETE FROM words WHERE id NOT IN (SELECT id FROM mail)");
		break;
	case 3:
		run(db, "PRAGMA incremental_vacuum(50)");
		break;
	case 4:
		run(db, "BEGIN IMMEDIATE; DELETE FROM mail WHERE id % 2 = 0;"
		        "PRAGMA incremental_vacuum(200); INSERT INTO mail(text) SELECT"
		        " randomblob(20000) FROM words LIMIT 40; SAVEPOINT x; PRAGMA "
		        "incremental_vacuum(20); INSERT INTO mail(text) SELECT randomblob(50000) "
		        "FROM words LIMIT 10; ROLLBACK TO x; RELEASE x; ROLLBACK");
		break;
	case 5:
		run(db, "BEGIN IMMEDIATE; DELETE FROM mail WHERE id % 5 = 0;"
		        "PRAGMA incremental_vacuum(200); SAVEPOINT x; INSERT INTO mail(text) SELECT"
		        " randomblob(20000) FROM words LIMIT 40; PRAGMA incremental_vacuum(20);"
		        "ROLLBACK TO x; RELEASE x; INSERT INTO mail(text) SELECT randomblob(9000) "
		        "FROM words LIMIT 40; COMMIT");
		break;
	case 6:
		if (sqlite3_get_autocommit(other))
			run(other, "BEGIN; SELECT count(*) FROM mail WHERE length(text) > 1000");
		break;
	case 7:
		if (!sqlite3_get_autocommit(other))
			run(other, "SELECT sum(length(text)) FROM mail; COMMIT");
		break;
	default:
		run(db, "PRAGMA wal_checkpoint(PASSIVE)");
	}
}

static void test_at_random(UNUSED void **state)
{
	sqlite3 *db = open_database();
	sqlite3 *other;

	run(db, tables);
	add_rows(db, ROWS);
	assert_int_equal(sealed_db_open("a.db", key, 0, &other), 0);
	srand(7);
	for (int i = 0; i < ROUNDS; i++) {
		one_round(db, other, (unsigned)rand());
		if (i % 10 == 0)
			expect_intact(db);
	}
	expect_intact(db);
	if (!sqlite3_get_autocommit(other))
		run(other, "COMMIT");
	sqlite3_close(other);
	sqlite3_close(db);
	db = open_database();
	expect_intact(db);
	sqlite3_close(db);
	assert_int_equal(n_reported, 0);
}

/* Roots of tables stand first in such a database: what is there is moved, also if it is new. */
static void test_roots_move(UNUSED void **state)
{
	sqlite3 *db = open_database();

	run(db, tables);
	run(db, "BEGIN IMMEDIATE; CREATE TABLE x (a); CREATE INDEX y ON x (a);"
	        "INSERT INTO x SELECT randomblob(30000) FROM (VALUES (1), (2), (3));"
	        "CREATE TABLE z (a); INSERT INTO z SELECT a FROM x; DROP TABLE x;"
	        "CREATE INDEX v ON z (a); CREATE TABLE w (a); DROP TABLE words; COMMIT");
	expect_intact(db);
	assert_int_equal(number(db, "SELECT count(*) FROM z WHERE length(a) = 30000"), 3);
	sqlite3_close(db);
	db = open_database();
	expect_intact(db);
	sqlite3_close(db);
	assert_int_equal(n_reported, 0);
}

static void work_until_killed(unsigned seed)
{
	sqlite3 *db = open_database();

	srand(seed);
	for (;;) {
		unsigned chance = (unsigned)rand() % 10;
		one_round(db, db, chance < 6 ? chance : chance == 6 ? 3 : 8);
	}
}

static void test_killed(UNUSED void **state)
{
	sqlite3 *db = open_database();

	run(db, tables);
	add_rows(db, ROWS);
	run(db, "CREATE TABLE kept AS SELECT randomblob(500) FROM mail LIMIT 500");
	sqlite3_close(db);
	for (unsigned i = 0; i < KILLS; i++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			work_until_killed(i);
		usleep(5000 + 7919 * i % 90000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		db = open_database();
		expect_intact(db);
		assert_int_equal(number(db, "SELECT count(*) FROM kept"), 500);
		sqlite3_close(db);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_shrinks, tear_down),
	    cmocka_unit_test_teardown(test_at_random, tear_down),
	    cmocka_unit_test_teardown(test_roots_move, tear_down),
	    cmocka_unit_test_teardown(test_killed, tear_down),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
