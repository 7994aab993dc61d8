/*
 * A check finds every flipped bit of every file of an account and names the file, with the key and
 * (but for mailbox.db) without. GATEPOST_FULL=1 in the environment: every byte, which takes long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "seal/vfs.h"
#include "store/store_change.h"
#include "store/store_check.h"
#include "store/store_ingest.h"
#include "store/store_private.h"
#include "store/test_account.h"
#include "store/test_expect.h"

enum {
	LARGE_LEN = BLOB_FILE_MIN + 20000,
	SMALL_BLOB_LEN = 8000,
	LARGE_STEP = 97,
	N_SMALL = 8,
	SAMPLES = 60,
	STEP_LEN = 64 << 10
};

static struct test_account t;
static struct arena arena = ARENA_MAX(64 << 20);
static bool full;

/* Of which `n_random` bytes do not compress: a blob of one chunk, or of several. */
static void deliver_large(size_t n_random)
{
	char *bytes = malloc(LARGE_LEN);
	assert_non_null(bytes);
	memset(bytes, 'a', LARGE_LEN);
	cipher_random(bytes, n_random);
	for (size_t i = 0; i < n_random; i++)
		bytes[i] = (char)('a' + (bytes[i] & 15));
	memcpy(bytes, "Subject: large\r\n\r\n", 18);
	test_deliver(&t, str_of(bytes, LARGE_LEN));
	free(bytes);
}

static uint64_t inbox(struct store *s)
{
	struct store_mailbox m = {0};
	assert_int_equal(store_mailbox_find(s, STR("INBOX"), &arena, &m), 0);
	return m.id;
}

static void take_in(struct store *s)
{
	size_t n;
	do
		assert_int_equal(store_ingest(s, &n), 0);
	while (n > 0);
}

/* Removes the messages `from` to `to` for good: holes in the segment, free pages in the database.
 */
static void expunge(struct store *s, uint32_t from, uint32_t to)
{
	struct store_view *v = NULL;
	struct store_flag_change change = {STORE_FLAGS_ADD, STORE_DELETED, false, 0, 0};
	struct store_flag_result result;
	struct store_uids removed;
	uint32_t gone[2 * N_SMALL];
	size_t n = 0;
	for (uint32_t uid = from; uid <= to; uid++)
		gone[n++] = uid;
	assert_int_equal(store_view_open(s, inbox(s), false, &v), 0);
	assert_int_equal(store_flags(v, (struct store_uids){gone, n}, &change, &arena, &result), 0);
	assert_int_equal(
	    store_expunge(v, (struct store_uids){gone, n}, false, &arena, &removed), 0);
	assert_int_equal(removed.n, n);
	store_view_close(v);
}

/* Mail of every kind: small, large, a blob that no message has, holes, something not taken in. */
static int setup(void **state UNUSED)
{
	test_account_make(&t);
	full = getenv("GATEPOST_FULL") != NULL;
	struct store *s = test_open(&t);
	for (unsigned i = 0; i < 2 * N_SMALL; i++)
		test_deliver_number(&t, i);
	deliver_large(SMALL_BLOB_LEN);
	take_in(s);
	expunge(s, 3, 5);
	store_close(s);
	test_deliver_number(&t, 99);
	deliver_large(LARGE_LEN);
	return 0;
}

static int teardown(void **state UNUSED)
{
	arena_done(&arena);
	test_account_remove(&t);
	return 0;
}

/* Goes through everything: how many places were reported. */
static unsigned check(const struct secret *master)
{
	struct store_watch watch = {test_on_damage, &t};
	struct store *s = NULL;
	t.n_damage = 0;
	t.damaged_file[0] = '\0';
	int error = store_open_to_check(master, TEST_ACCOUNT, &watch, &s);
	assert_int_equal(error, 0);
	struct store_check *c = store_check_new(s);
	int more;
	while ((more = store_check_step(c, STEP_LEN)) > 0)
		;
	assert_int_equal(more, 0);
	struct store_check_progress progress;
	store_check_progress(c, &progress);
	assert_int_equal(progress.n_damaged, t.n_damage);
	assert_true(progress.bytes <= progress.of_bytes && progress.n_files >= 3);
	store_check_free(c);
	store_close(s);
	return t.n_damage;
}

static void test_undamaged(void **state UNUSED)
{
	assert_int_equal(check(t.master), 0);
	assert_int_equal(check(NULL), 0);
}

static void check_flip(const char *path, uint64_t at)
{
	bool is_database = strcmp(path, STORE_DB_NAME) == 0;
	test_flip(path, at);
	if (check(t.master) == 0 || strcmp(t.damaged_file, path) != 0)
		fail_msg("%s byte %llu: found %u, named `%s`", path, (unsigned long long)at,
		    t.n_damage, t.damaged_file);
	if (!is_database && (check(NULL) == 0 || strcmp(t.damaged_file, path) != 0))
		fail_msg("%s byte %llu, without the key: found %u, named `%s`", path,
		    (unsigned long long)at, t.n_damage, t.damaged_file);
	test_flip(path, at);
}

/* `every`: with GATEPOST_FULL, each so many bytes. */
static void flip_file(const char *path, uint64_t every)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	uint64_t len = (uint64_t)st.st_size, n = 0;
	uint64_t step = full ? every : len < SAMPLES ? 1 : len / SAMPLES;
	for (uint64_t at = 0; at < len; at += step, n++)
		check_flip(path, at);
	check_flip(path, len - 1);
	printf(
	    "%s: %llu of %llu bytes\n", path, (unsigned long long)n + 1, (unsigned long long)len);
	assert_int_equal(check(t.master), 0);
}

static void test_keys(void **state UNUSED)
{
	flip_file("keys", 1);
}

static void test_segment(void **state UNUSED)
{
	flip_file("letterbox/000001.seg", 1);
}

static void test_database(void **state UNUSED)
{
	flip_file(STORE_DB_NAME, 3); /* which is every place of a page, in one page or another */
	/* All of a page's trailer, wherever it lies. */
	for (uint64_t at = VFS_PAGE_LEN - VFS_RESERVE_LEN; at < VFS_PAGE_LEN; at++)
		check_flip(STORE_DB_NAME, at + VFS_PAGE_LEN);
}

/* One of a message that was taken in, and one whose record is still to be. */
static void test_blobs(void **state UNUSED)
{
	DIR *dir = opendir("blobs");
	struct dirent *entry;
	unsigned n = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[STORE_FILE_NAME_MAX];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "blobs/%.40s", entry->d_name);
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		flip_file(path, st.st_size < 2 * SMALL_BLOB_LEN ? 1 : LARGE_STEP);
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 2);
}

/* A blob that a message has may not be missing. */
static void test_missing_blob(void **state UNUSED)
{
	char hidden[64] = "", path[STORE_FILE_NAME_MAX];
	DIR *dir = opendir("blobs");
	struct dirent *entry;
	unsigned n_missed = 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "blobs/%.40s", entry->d_name);
		snprintf(hidden, sizeof(hidden), "hidden");
		assert_int_equal(rename(path, hidden), 0);
		n_missed += check(t.master);
		assert_int_equal(rename(hidden, path), 0);
	}
	closedir(dir);
	assert_int_equal(n_missed, 1); /* what is not taken in yet is not missed by anybody */
	assert_int_equal(check(t.master), 0);
}

/* Once a day; by one at a time; from where the one before came to. */
static void test_claim(void **state UNUSED)
{
	uint64_t now = clock_wall_ms();
	struct store_check *c = NULL, *other = NULL;
	struct store *s = test_open(&t);
	clock_simulate(now);
	assert_int_equal(store_check_claim(s, &c), 0);
	assert_non_null(c);
	assert_int_equal(store_check_claim(s, &other), 0);
	assert_null(other);
	while (store_check_step(c, STEP_LEN) > 0)
		;
	store_check_free(c);
	now += (STORE_CHECK_INTERVAL_S - 1) * 1000ull;
	clock_simulate(now);
	assert_int_equal(store_check_claim(s, &c), 0);
	assert_null(c);
	now += 2000;
	clock_simulate(now);
	assert_int_equal(store_check_claim(s, &c), 0);
	assert_non_null(c);
	/* Left behind when the database was done. */
	struct store_check_progress progress = {0};
	while (progress.n_files < 2) {
		assert_int_equal(store_check_step(c, 1), 1);
		store_check_progress(c, &progress);
	}
	store_check_free(c);
	assert_int_equal(db_begin_read(&s->db), 0);
	assert_int_equal(s->db.state.check_place, 2);
	db_end_read(&s->db);
	now += STORE_CHECK_ABANDONED_S * 1000ull;
	clock_simulate(now);
	assert_int_equal(store_check_claim(s, &c), 0);
	assert_non_null(c);
	test_flip(STORE_DB_NAME, 3 * VFS_PAGE_LEN); /* which this part does not see any more */
	t.n_damage = 0;
	while (store_check_step(c, STEP_LEN) > 0)
		;
	store_check_free(c);
	assert_int_equal(t.n_damage, 0);
	test_flip(STORE_DB_NAME, 3 * VFS_PAGE_LEN);
	store_close(s);
	clock_simulate(0);
}

/* A database that does not open at all is named; the rest is checked all the same. */
static void test_unopenable(void **state UNUSED)
{
	test_flip(STORE_DB_NAME, 10);
	test_flip("keys", 60);
	assert_true(check(t.master) >= 2);
	test_flip("keys", 60);
	test_flip(STORE_DB_NAME, 10);
	assert_int_equal(check(t.master), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_undamaged),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_segment),
	    cmocka_unit_test(test_blobs),
	    cmocka_unit_test(test_missing_blob),
	    cmocka_unit_test(test_unopenable),
	    cmocka_unit_test(test_claim),
	    cmocka_unit_test(test_database),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
