/* Spools of one command: many of them, and some that wait long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "store/room.h"
#include "store/spool.h"
#include "store/store_private.h"
#include "store/test_account.h"

enum {
	N_SPOOLS = 300,
	PIECE_LEN = 64 << 10,
	LARGE_LEN = 3 * PIECE_LEN,
	SPOOL_MAX = 1 << 20,
	NOT_PERMITTED = 77
};

static struct test_account t;
static struct store *s;

static int make_account(void **state UNUSED)
{
	test_account_make(&t);
	s = test_open(&t);
	return 0;
}

static int remove_account(void **state UNUSED)
{
	store_close(s);
	test_account_remove(&t);
	return 0;
}

static size_t count_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static char byte_at(size_t at)
{
	return (char)(at * 7 + at / 251);
}

static struct store_spool *make(size_t len)
{
	struct store_spool *spool = store_spool_new(s, SPOOL_MAX, 0);
	char piece[PIECE_LEN];

	for (size_t at = 0; at < len; at += sizeof(piece)) {
		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = byte_at(at + i);
		size_t n = len - at < sizeof(piece) ? len - at : sizeof(piece);
		assert_int_equal(store_spool_write(spool, str_of(piece, n)), 0);
	}
	return spool;
}

static void expect_bytes(struct mail_source *bytes, size_t len)
{
	struct str piece;
	size_t n = 0;

	assert_int_equal(bytes->len, len);
	while (n < len) {
		test_check(mail_source_look(bytes, n, &piece));
		for (size_t i = 0; i < piece.len; i++)
			assert_int_equal(piece.p[i], byte_at(n + i));
		n += piece.len;
	}
}

/* A command has up to IMAP_LITERALS_MAX of them, a session 256 descriptors. */
static void spools_that_ended_hold_no_descriptors(void **state UNUSED)
{
	struct store_spool *spools[N_SPOOLS];
	size_t n_before = count_files("/proc/self/fd");

	for (size_t i = 0; i < N_SPOOLS; i++) {
		struct mail_source bytes;
		spools[i] = make(100 + i);
		store_spool_end(spools[i]);
		test_check(store_spool_read(spools[i], &bytes));
		expect_bytes(&bytes, 100 + i);
		store_spool_end(spools[i]);
		assert_int_equal(store_spool_error(spools[i]), 0);
	}
	assert_int_equal(count_files("/proc/self/fd"), n_before);
	assert_int_equal(count_files("blobs"), N_SPOOLS);
	for (size_t i = 0; i < N_SPOOLS; i++)
		store_spool_free(&spools[i]);
	assert_int_equal(count_files("blobs"), 0);
}

static void take(struct store_spool *spool, struct body *body)
{
	struct str here;

	test_check(store_spool_take(spool, &here, body));
	assert_int_equal(here.len, 0);
	assert_true(body->in_blob);
}

/* The sweep takes files for orphans that are older than an hour. */
static void what_waited_long_is_made_anew(void **state UNUSED)
{
	for (unsigned waited_s = 0; waited_s <= STORE_ORPHAN_AGE_S; waited_s += 600) {
		struct store_spool *spool = make(LARGE_LEN);
		struct store_body *reading = NULL;
		struct body ended, taken;
		struct mail_source bytes;
		clock_simulate(1700000000000);
		store_spool_end(spool);
		take(spool, &ended);
		clock_simulate(1700000000000 + waited_s * 1000);
		take(spool, &taken);
		bool same = memcmp(ended.blob_id, taken.blob_id, sizeof(ended.blob_id)) == 0;
		assert_int_equal(same, waited_s < STORE_ORPHAN_AGE_S / 2);
		store_spool_free(&spool);
		assert_int_equal(count_files("blobs"), 1);
		test_check(store_body_of_blob(s, &taken, &reading));
		bytes = store_body_source(reading);
		expect_bytes(&bytes, LARGE_LEN);
		store_body_close(reading);
		blob_file_remove(s->blobs_fd, &taken);
	}
	clock_simulate(0);
}

static void what_was_swept_meanwhile_is_not_taken(void **state UNUSED)
{
	struct store_spool *spool = make(LARGE_LEN);
	struct body body;
	struct str here;

	clock_simulate(1700000000000);
	store_spool_end(spool);
	struct body ended;
	take(spool, &ended);
	blob_file_remove(s->blobs_fd, &ended);
	clock_simulate(1700000000000 + STORE_ORPHAN_AGE_S * 1000);
	assert_int_equal(store_spool_take(spool, &here, &body), -EBADMSG);
	clock_simulate(0);
	store_spool_free(&spool);
	assert_int_equal(count_files("blobs"), 0);
}

/* In a child, which has a small disk for itself: 0 when all is well. */
static int fill_small_disk(void)
{
	enum { DISK_LEN = 32 << 20, RESERVE = DISK_LEN / ROOM_RESERVE_PART };
	struct test_account own;
	struct statfs fs;
	char noise[PIECE_LEN];

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=32m") < 0)
		return 1;
	test_account_make(&own);
	struct store *store = test_open(&own);
	struct store_spool *spool = store_spool_new(store, 2 * (uint64_t)DISK_LEN, 0);
	int error = 0;
	while (!error) {
		cipher_random(noise, sizeof(noise));
		error = store_spool_write(spool, str_of(noise, sizeof(noise)));
	}
	if (error != -ENOSPC || store_spool_len(spool) > DISK_LEN - RESERVE)
		return 2;
	return statfs(".", &fs) < 0 || fs.f_bavail < fs.f_blocks * 8 / 10 ? 3 : 0;
}

/* Who signs in to delete something needs what is left. */
static void a_spool_leaves_the_rest_of_the_disk(void **state UNUSED)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(unshare(CLONE_NEWNS) < 0 ? NOT_PERMITTED : fill_small_disk());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_PERMITTED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spools_that_ended_hold_no_descriptors),
	    cmocka_unit_test(what_waited_long_is_made_anew),
	    cmocka_unit_test(what_was_swept_meanwhile_is_not_taken),
	    cmocka_unit_test(a_spool_leaves_the_rest_of_the_disk),
	};

	return cmocka_run_group_tests(tests, make_account, remove_account);
}
