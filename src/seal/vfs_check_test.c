/* Checking a sealed database: every byte of it and of its log, whether a query reads it or not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "seal/page.h"
#include "seal/vfs.h"

enum { LOG_HEADER = 32, LOG_FRAME = 24 + VFS_PAGE_LEN };

static struct secret *key;
static char folder[] = "/tmp/gatepost-vfs-check-XXXXXX";

static struct {
	unsigned n;
	char file[64];
	uint32_t page;
} reported;

static void on_damage(void *context UNUSED, const struct seal_damage *damage)
{
	reported.n++;
	reported.page = damage->page;
	snprintf(reported.file, sizeof(reported.file), "%s", damage->file);
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

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

static sqlite3 *open_database(void)
{
	sqlite3 *db;
	assert_int_equal(sealed_db_open("a.db", key, SEALED_DB_CREATE, &db), 0);
	return db;
}

/* A database with tables, free pages, and a log that has older frames than those that count. */
static sqlite3 *make_database(void)
{
	sqlite3 *db = open_database();
	run(db, "PRAGMA wal_autocheckpoint=0; CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB);"
	        "CREATE TABLE u(x BLOB);");
	for (int i = 0; i < 12; i++)
		run(db, "INSERT INTO t(x) VALUES(randomblob(15000));"
		        "INSERT INTO u VALUES(randomblob(15000));");
	run(db, "DROP TABLE u; PRAGMA wal_checkpoint(PASSIVE);");
	return db;
}

static size_t size_of(const char *name)
{
	struct stat st;
	assert_int_equal(stat(name, &st), 0);
	return (size_t)st.st_size;
}

static void flip(const char *name, size_t at)
{
	uint8_t byte;
	int fd CLEANUP(fd_close) = open(name, O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_pread_all(fd, &byte, 1, (off_t)at), 0);
	byte ^= 4;
	assert_int_equal(fd_pwrite_all(fd, str_of(&byte, 1), (off_t)at), 0);
}

static int check_pages(sqlite3 *db)
{
	uint32_t n_pages = 0;
	memset(&reported, 0, sizeof(reported));
	return sealed_db_check_pages(db, 1, UINT16_MAX, &n_pages);
}

static int check_log(sqlite3 *db)
{
	memset(&reported, 0, sizeof(reported));
	return sealed_db_check_log(db);
}

static void test_undamaged(UNUSED void **state)
{
	sqlite3 *db = make_database();
	uint32_t n_pages = 0;
	assert_true(size_of("a.db-wal") > 20 * LOG_FRAME);
	assert_int_equal(check_log(db), 0);
	assert_int_equal(check_pages(db), 0);
	assert_int_equal(reported.n, 0);
	assert_int_equal(sealed_db_check_pages(db, 3, 2, &n_pages), 0);
	assert_int_equal(n_pages, size_of("a.db") / VFS_PAGE_LEN);
	/* The same while another generation has begun over the older frames, and after the end. */
	run(db, "INSERT INTO t(x) VALUES(randomblob(40000))");
	assert_int_equal(check_log(db), 0);
	assert_int_equal(check_pages(db), 0);
	sqlite3_close_v2(db);
	db = open_database();
	assert_int_equal(check_log(db), 0);
	assert_int_equal(check_pages(db), 0);
	assert_int_equal(reported.n, 0);
	sqlite3_close_v2(db);
}

/* Free pages too, which nobody reads: each page is found by its number. */
static void test_pages(UNUSED void **state)
{
	sqlite3 *db = make_database();
	size_t len = size_of("a.db");
	for (size_t at = 0; at<len; at += at % VFS_PAGE_LEN> PAGE_CONTENT_LEN ? 1 : 1021) {
		flip("a.db", at);
		assert_int_equal(check_pages(db), -EBADMSG);
		assert_int_equal(reported.n, 1);
		assert_string_equal(reported.file, "a.db");
		assert_int_equal(reported.page, at / VFS_PAGE_LEN + 1);
		flip("a.db", at);
	}
	assert_int_equal(check_pages(db), 0);
	sqlite3_close_v2(db);
}

static void expect_log_damage(sqlite3 *db, size_t at)
{
	flip("a.db-wal", at);
	assert_in_range(-check_log(db), 0, EBADMSG);
	if (reported.n == 0)
		fail_msg("byte %zu of the log", at);
	assert_string_equal(reported.file, "a.db-wal");
	flip("a.db-wal", at);
}

/* Frames that count, frames that a newer one replaced, and those of an earlier generation. */
static void test_log(UNUSED void **state)
{
	sqlite3 *db = make_database();
	run(db, "INSERT INTO t(x) VALUES(randomblob(40000))");
	size_t len = size_of("a.db-wal");
	for (size_t at = LOG_HEADER; at < len; at += 1999)
		expect_log_damage(db, at);
	for (size_t at = LOG_HEADER; at < len; at += LOG_FRAME)
		for (size_t in_header = 0; in_header < 24; in_header += 5)
			expect_log_damage(db, at + in_header);
	assert_int_equal(check_log(db), 0);
	assert_int_equal(reported.n, 0);
	sqlite3_close_v2(db);
}

/* What cannot be settled is damaged; the pages are looked at all the same. */
static void test_damaged_log(UNUSED void **state)
{
	sqlite3 *db = make_database();
	run(db, "INSERT INTO t(x) VALUES(randomblob(40000))");
	flip("a.db-wal", LOG_HEADER + LOG_FRAME + 5000);
	assert_int_equal(check_pages(db), -EBADMSG);
	assert_string_equal(reported.file, "a.db-wal");
	flip("a.db", 3 * VFS_PAGE_LEN + 7);
	assert_int_equal(check_pages(db), -EBADMSG);
	assert_string_equal(reported.file, "a.db");
	sqlite3_close_v2(db);
}

/* A version that a flipped bit made is damage; one that is later is not for this program. */
static void test_version(UNUSED void **state)
{
	sqlite3 *db = make_database();
	sqlite3_close_v2(db);
	for (size_t at = PAGE_CONTENT_LEN + 44; at < PAGE_CONTENT_LEN + 46; at++) {
		flip("a.db", at);
		memset(&reported, 0, sizeof(reported));
		assert_int_equal(sealed_db_open("a.db", key, 0, &db), -EBADMSG);
		assert_string_equal(reported.file, "a.db");
		flip("a.db", 99);
		assert_int_equal(sealed_db_open("a.db", key, 0, &db), -EPROTONOSUPPORT);
		flip("a.db", 99);
		flip("a.db", at);
	}
	db = open_database();
	sqlite3_close_v2(db);
}

/* The header is made again, and reported. */
static void test_log_header(UNUSED void **state)
{
	sqlite3 *db = make_database();
	for (size_t at = 0; at < LOG_HEADER; at++) {
		flip("a.db-wal", at);
		assert_int_equal(check_log(db), 0);
		assert_true(reported.n > 0);
		assert_string_equal(reported.file, "a.db-wal");
		assert_int_equal(check_log(db), 0);
		assert_int_equal(reported.n, 0);
	}
	sqlite3_close_v2(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_undamaged, tear_down),
	    cmocka_unit_test_teardown(test_pages, tear_down),
	    cmocka_unit_test_teardown(test_log, tear_down),
	    cmocka_unit_test_teardown(test_log_header, tear_down),
	    cmocka_unit_test_teardown(test_damaged_log, tear_down),
	    cmocka_unit_test_teardown(test_version, tear_down),
	};
	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
