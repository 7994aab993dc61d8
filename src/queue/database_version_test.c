/* Queues that earlier versions wrote (test/formats/) open in this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "mail/charset.h"
#include "queue/database.h"
#include "seal/cipher.h"

enum { FILE_MAX = 1 << 24, ARENA_LEN = 1 << 16, SMALL = 1, LARGE = 2, WHEN = 10 };

static struct arena a = ARENA_MAX(ARENA_LEN);

/* A copy of the sample is then the working folder. */
static int enter_copy(const char *sample, char path[static 64])
{
	int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int from = open(sample, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(before >= 0 && from >= 0);
	memcpy(path, "/tmp/gatepost-queue-XXXXXX", 27);
	assert_non_null(mkdtemp(path));
	assert_int_equal(chdir(path), 0);
	DIR *dir = fdopendir(from);
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		char *bytes = NULL;
		size_t len = 0;
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(fd_read_file(dirfd(dir), e->d_name, FILE_MAX, &bytes, &len), 0);
		assert_int_equal(fd_write_file(AT_FDCWD, e->d_name, str_of(bytes, len), 0600), 0);
		free(bytes);
	}
	closedir(dir);
	return before;
}

static void leave_copy(int before, const char *path)
{
	DIR *dir = opendir(".");
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.')
			assert_int_equal(unlink(e->d_name), 0);
	closedir(dir);
	assert_int_equal(fchdir(before), 0);
	assert_int_equal(rmdir(path), 0);
	close(before);
}

static void expect_content(struct queue_db *db, const struct queued_message *m, struct str begin)
{
	char text[64];
	int fd CLEANUP(fd_close) = -1;
	assert_int_equal(queue_db_content(db, m, &fd), 0);
	assert_int_equal(fd_pread_all(fd, text, begin.len, 0), 0);
	assert_true(str_eq(str_of(text, begin.len), begin));
}

static void expect_small(struct queue_db *db)
{
	struct queued_message m;
	struct queued_recipient r[4];
	size_t n = 0;
	assert_int_equal(queue_db_get(db, SMALL, &a, &m), 0);
	assert_true(m.account == 7 && m.origin == ORIGIN_SUBMITTED && !m.in_file);
	assert_true(str_eq(m.mail.reverse_path, STR("ann@example.org")));
	assert_true(str_eq(m.mail.envelope_id, STR("QQ1")) && m.mail.ret == RETURN_HEADERS);
	assert_int_equal(m.expires_at, 1700432000000);
	expect_content(db, &m, STR("Subject: small\r\n\r\nbody\r\n"));
	assert_int_equal(queue_db_recipients(db, SMALL, 0, &a, r, ARRAY_LEN(r), &n), 0);
	assert_int_equal(n, 2);
	assert_true(str_eq(r[0].address, STR("bob@example.net")) &&
	            r[0].state == RECIPIENT_WAITING && r[0].notify == NOTIFY_FAILURE);
	assert_true(str_eq(r[1].address, STR("held@example.com")) && r[1].state == RECIPIENT_HELD);
}

static void expect_large(struct queue_db *db)
{
	struct queued_message m;
	struct queued_recipient r[4];
	size_t n = 0;
	assert_int_equal(queue_db_get(db, LARGE, &a, &m), 0);
	assert_true(m.origin == ORIGIN_FORWARDED && m.in_file);
	expect_content(db, &m, STR("Subject: large\r\n\r\nxxxx"));
	assert_int_equal(queue_db_recipients(db, LARGE, 0, &a, r, ARRAY_LEN(r), &n), 0);
	assert_int_equal(n, 1);
	assert_true(str_eq(r[0].via, STR("away@example.test")) && r[0].hops == 1);
	assert_true(str_eq(r[0].sender, STR("SRS0=x@example.test")));
	assert_true(str_eq(r[0].domain, STR("elsewhere.example")));
}

/* All of it is there, and what is due goes out. */
static void expect_everything(const char *sample)
{
	char path[64];
	struct queue_db *db;
	struct queued_recipient r[4];
	uint64_t destination, at = 0;
	size_t n = 0;
	int before = enter_copy(sample, path);
	assert_int_equal(queue_db_open(&db), 0);
	expect_small(db);
	expect_large(db);
	assert_int_equal(queue_db_next_due(db, &at), 0);
	assert_int_equal(at, 1700000000000);
	assert_int_equal(queue_db_begin(db, true), 0);
	assert_int_equal(queue_db_destination_by_name(db, STR("example.net"), &destination), 0);
	assert_int_equal(queue_db_claim(db, destination, at + WHEN, &a, r, ARRAY_LEN(r), &n), 0);
	assert_true(n == 1 && r[0].message == SMALL);
	assert_int_equal(queue_db_commit(db), 0);
	queue_db_close(db);
	arena_done(&a);
	leave_copy(before, path);
}

static void version_1_opens(void **state UNUSED)
{
	expect_everything("test/formats/queue-1");
}

static void version_2_opens(void **state UNUSED)
{
	expect_everything("test/formats/queue-2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(version_1_opens), cmocka_unit_test(version_2_opens)};
	cipher_init();
	charset_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
