/*
 * The store when bytes change under it and when its processes are killed: what is damaged is named,
 * what is not stays readable, nothing is ever wrong.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "store/io.h"
#include "store/store_append.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/store_private.h"
#include "store/test_account.h"
#include "store/test_expect.h"

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(64 << 20);

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	s = test_open(&t);
	return 0;
}

static int teardown(void **state UNUSED)
{
	store_close(s);
	s = NULL;
	arena_done(&arena);
	test_account_remove(&t);
	return 0;
}

static size_t ingest(void)
{
	size_t n = 0;
	assert_int_equal(store_ingest(s, &n), 0);
	return n;
}

static struct store_mailbox mailbox(const char *name)
{
	struct store_mailbox m = {0};
	assert_int_equal(store_mailbox_find(s, str_of_cstr(name), &arena, &m), 0);
	return m;
}

static struct store_view *view(const char *name)
{
	struct store_view *v = NULL;
	assert_int_equal(store_view_open(s, mailbox(name).id, false, &v), 0);
	return v;
}

static bool holds_number(struct store_view *v, size_t at, unsigned number)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	struct store_body *b = NULL;
	struct str bytes;
	assert_int_equal(store_body_open(s, store_view_entry(v, at).message, &b), 0);
	assert_int_equal(store_body_all(b, &bytes), 0);
	bool same = str_eq(bytes, test_message(number, &buf));
	store_body_close(b);
	return same;
}

static void append_number(const char *name, unsigned number, uint64_t flags)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	struct store_append *a = NULL;
	struct store_append_message m = {.bytes = test_message(number, &buf), .flags = flags};
	uint32_t uidvalidity;
	struct store_uids uids;
	assert_int_equal(store_append_begin(s, mailbox(name).id, &a), 0);
	assert_int_equal(store_append_add(a, &m), 0);
	assert_int_equal(store_append_commit(a, &arena, &uidvalidity, &uids), 0);
	store_append_free(a);
}

/* Puts everything into the database file itself and ends the log. */
static void close_database(void)
{
	store_close(s);
	s = NULL;
}

/* One byte of a stored message changed: that message is lost and named, the others are not. What
 * stands in front of a message is not needed to read it (store_check finds it). */
static void test_damaged_message(void **state UNUSED)
{
	struct letterbox_place places[3];
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	for (unsigned i = 0; i < 3; i++)
		places[i] = test_deliver(&t, test_message(i, &buf));
	ingest();
	test_flip("letterbox/000001.seg", places[1].offset + 300);
	test_flip("letterbox/000001.seg", places[2].offset + 200);
	struct store_view *v = view("INBOX");
	struct store_body *b;
	assert_int_equal(store_body_open(s, store_view_entry(v, 1).message, &b), -EBADMSG);
	assert_int_equal(t.n_damage, 1);
	assert_string_equal(t.damaged_file, "letterbox/000001.seg");
	assert_int_equal(t.damaged_at, places[1].offset);
	assert_true(holds_number(v, 0, 0) && holds_number(v, 2, 2));
	assert_false(store_damaged(s));
	store_view_close(v);
	/* Damaged before it was taken in: reported, stepped over. */
	places[0] = test_deliver(&t, test_message(7, &buf));
	test_deliver_number(&t, 8);
	test_flip("letterbox/000001.seg", places[0].offset + 100);
	assert_int_equal(ingest(), 1);
	assert_int_equal(t.n_damage, 2);
	assert_int_equal(mailbox("INBOX").n_messages, 4);
}

/* Flags two messages of INBOX and moves them to Archive. */
static void archive_two(void)
{
	struct store_view *v = view("INBOX");
	const uint32_t moved[] = {store_view_entry(v, 1).uid, store_view_entry(v, 2).uid};
	struct store_copy_result copied;
	struct store_flag_result flagged;
	struct store_flag_change change = {STORE_FLAGS_ADD, STORE_FLAGGED, false, 0, 0};
	assert_int_equal(
	    store_flags(v, (struct store_uids){moved, 2}, &change, &arena, &flagged), 0);
	assert_int_equal(store_copy(v, (struct store_uids){moved, 2}, mailbox("Archive").id,
	                     STORE_MOVE, STORE_FLAGS_MASK, &arena, &copied),
	    0);
	assert_int_equal(copied.n, 2);
	store_view_close(v);
}

/* An account with messages in several places, for the tests of a damaged database. */
static void fill_account(unsigned n)
{
	uint64_t id, keyword;
	assert_int_equal(store_mailbox_create(s, STR("Work/Plans"), STORE_NO_USE, &id), 0);
	assert_int_equal(store_mailbox_subscribe(s, STR("Elsewhere"), true), 0);
	assert_int_equal(store_keyword(s, STR("$Later"), true, &keyword), 0);
	for (unsigned i = 0; i < n; i++)
		test_deliver_number(&t, i);
	ingest();
	append_number("Work/Plans", n, STORE_SEEN | keyword);
	archive_two();
}

/* Nothing can be read of it: the letterbox has everything, with what APPEND said. */
static void test_lost_database(void **state UNUSED)
{
	fill_account(30);
	uint32_t uidvalidity = mailbox("INBOX").uidvalidity;
	close_database();
	assert_int_equal(truncate("mailbox.db", 8192), 0);
	test_flip("mailbox.db", 5);
	test_flip("mailbox.db", 4000);
	unlink("mailbox.db-wal");
	s = test_open(&t);
	assert_true(t.n_damage > 0);
	assert_int_equal(ingest(), 0);
	assert_int_equal(mailbox("INBOX").n_messages, 30);
	assert_true(mailbox("INBOX").uidvalidity >= uidvalidity);
	struct store_view *v = view("Work/Plans");
	assert_true(v->n == 1 && holds_number(v, 0, 30));
	assert_int_equal(store_view_entry(v, 0).flags & STORE_SYSTEM_FLAGS, STORE_SEEN);
	assert_true(str_eq(store_keyword_name(s,
	                       store_view_entry(v, 0).flags & ~(STORE_SYSTEM_FLAGS | STORE_RECENT)),
	    STR("$Later")));
	store_view_close(v);
	assert_int_equal(access("mailbox.db.is-damaged", F_OK), -1);
	test_consistent(s, "INBOX");
}

/* Every page in turn: afterwards all messages are there, and what was readable kept its place. */
static void test_damaged_pages(void **state UNUSED)
{
	enum { N = 40, PAGE = 16384 };
	fill_account(N);
	close_database();
	/* With the last one away the log is in the database. */
	struct stat st;
	assert_int_equal(stat("mailbox.db", &st), 0);
	unsigned n_rebuilt = 0, n_kept = 0;
	for (off_t at = 64; at < st.st_size; at += PAGE) {
		s = test_open(&t);
		uint32_t uidvalidity = mailbox("INBOX").uidvalidity;
		if (mailbox("Archive").n_messages == 0)
			archive_two();
		close_database();
		assert_int_equal(stat("mailbox.db", &st), 0);
		/* An hour later: UIDVALIDITYs come from the time. */
		clock_simulate((clock_wall() + 3600) * 1000);
		t.n_damage = 0;
		test_flip("mailbox.db", (uint64_t)at + 100);
		struct store_watch watch = {test_on_damage, &t};
		int error = store_open(t.master, TEST_ACCOUNT, &watch, &s);
		if (!error) {
			/* What a session does: read, and end when that shows damage. */
			struct store_view *v = NULL;
			struct store_mailbox *list;
			size_t n;
			for (uint64_t id = 1; id <= 8 && !error; id++) {
				error = store_view_open(s, id, true, &v);
				struct store_scan *scan = NULL;
				struct store_row row;
				int more = 1;
				if (error == -ENOENT) {
					error = 0;
					continue;
				}
				if (!error)
					error = store_scan_open(v, 0, v->n, 7, &scan);
				while (!error && more > 0)
					more = store_scan_next(scan, &row);
				error = error ? error : more;
				store_scan_close(scan);
				store_view_close(v);
				v = NULL;
			}
			if (!error)
				error = store_mailbox_list(s, &arena, &list, &n);
			close_database();
		}
		assert_true(error == 0 || error == -EBADMSG);
		assert_true(error == 0 || t.n_damage > 0);
		s = test_open(&t);
		ingest();
		uint32_t total = mailbox("INBOX").n_messages + mailbox("Archive").n_messages +
		                 mailbox("Work/Plans").n_messages;
		assert_int_equal(total, N + 1);
		test_consistent(s, "INBOX");
		test_consistent(s, "Archive");
		if (mailbox("INBOX").uidvalidity != uidvalidity) {
			n_rebuilt++;
			n_kept += mailbox("Archive").n_messages == 2;
		}
		assert_true(mailbox("INBOX").uidvalidity >= uidvalidity);
		close_database();
	}
	clock_simulate(0);
	s = test_open(&t);
	assert_true(n_rebuilt > 0);
	assert_true(n_kept > 0);
}

/* While another process has the damaged database open nobody rebuilds it under its feet. */
static void test_rebuild_waits(void **state UNUSED)
{
	fill_account(3);
	int fd CLEANUP(fd_close) = open("mailbox.db.is-damaged", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	size_t n;
	test_deliver_number(&t, 77);
	assert_int_equal(store_ingest(s, &n), -EBADMSG);
	assert_true(store_damaged(s));
	close_database();
	s = test_open(&t);
	assert_false(store_damaged(s));
	ingest();
	/* Three delivered, of which two were moved, and the one that came later. */
	assert_int_equal(mailbox("INBOX").n_messages, 2);
	assert_int_equal(mailbox("Archive").n_messages, 2);
}

/* A letterbox out of an older backup than the database: what comes in then is not stepped over. */
static void test_older_letterbox(void **state UNUSED)
{
	test_deliver_number(&t, 1);
	struct stat st;
	assert_int_equal(stat("letterbox/000001.seg", &st), 0);
	test_deliver_number(&t, 2);
	test_deliver_number(&t, 3);
	assert_int_equal(ingest(), 3);
	close_database();
	assert_int_equal(truncate("letterbox/000001.seg", st.st_size), 0);
	test_deliver_number(&t, 4);
	s = test_open(&t);
	size_t n;
	assert_int_equal(store_ingest(s, &n), -EBADMSG);
	assert_true(store_damaged(s));
	close_database();
	s = test_open(&t);
	test_deliver_number(&t, 5);
	ingest();
	struct store_view *v = view("INBOX");
	assert_int_equal(v->n, 3);
	assert_true(holds_number(v, 0, 1) && holds_number(v, 1, 4) && holds_number(v, 2, 5));
	store_view_close(v);
}

/* The same, when enough came in since to reach behind the position: with the same lengths and
 * others. */
static void older_and_grown(unsigned first, unsigned n)
{
	struct stat st;
	test_deliver_number(&t, 1);
	assert_int_equal(stat("letterbox/000001.seg", &st), 0);
	test_deliver_number(&t, 2);
	test_deliver_number(&t, 3);
	assert_int_equal(ingest(), 3);
	close_database();
	assert_int_equal(truncate("letterbox/000001.seg", st.st_size), 0);
	for (unsigned i = 0; i < n; i++)
		test_deliver_number(&t, first + i);
	s = test_open(&t);
	size_t n_taken;
	assert_int_equal(store_ingest(s, &n_taken), -EBADMSG);
	assert_true(store_damaged(s));
	close_database();
	s = test_open(&t);
	ingest();
	struct store_view *v = view("INBOX");
	assert_int_equal(v->n, 1 + n);
	assert_true(holds_number(v, 0, 1));
	for (unsigned i = 0; i < n; i++)
		assert_true(holds_number(v, 1 + i, first + i));
	store_view_close(v);
}

static void test_older_letterbox_grown(void **state UNUSED)
{
	older_and_grown(4, 5);
	teardown(NULL);
	setup(NULL);
	older_and_grown(123456, 7);
}

/* The record before the position may have become a hole, or part of one, or lost a bit. */
static void test_witness_in_a_hole(void **state UNUSED)
{
	struct buf buf CLEANUP(buf_done) UNUSED = BUF_MAX(4096);
	for (unsigned round = 0; round < 3; round++) {
		test_deliver_number(&t, 3 * round);
		test_deliver_number(&t, 3 * round + 1);
		ingest();
		struct store_view *v = view("INBOX");
		uint32_t uids[2] = {
		    store_view_entry(v, v->n - 2).uid, store_view_entry(v, v->n - 1).uid};
		struct store_uids set = {uids + 2 - round, round}, removed;
		struct store_flag_change change = {STORE_FLAGS_ADD, STORE_DELETED, false, 0, 0};
		struct store_flag_result result;
		if (round > 0) {
			assert_int_equal(store_flags(v, set, &change, &arena, &result), 0);
			assert_int_equal(store_expunge(v, set, false, &arena, &removed), 0);
			assert_int_equal(removed.n, round);
		}
		store_view_close(v);
		test_deliver_number(&t, 3 * round + 2);
		assert_int_equal(ingest(), 1);
		assert_false(store_damaged(s));
	}
	struct stat st;
	assert_int_equal(stat("letterbox/000001.seg", &st), 0);
	test_flip("letterbox/000001.seg", (uint64_t)st.st_size - 3);
	test_deliver_number(&t, 20);
	assert_int_equal(ingest(), 1);
	assert_false(store_damaged(s));
}

/* Makes of a record's header that of a later version, with the checksum that belongs to it. */
static void make_later(const char *path, uint64_t at)
{
	enum { AT_VERSION = 4, AT_CHECKSUM = RECORD_HEADER_LEN - CIPHER_CHECKSUM_LEN };
	uint8_t header[RECORD_HEADER_LEN];
	int fd CLEANUP(fd_close) = open(path, O_RDWR | O_CLOEXEC);
	struct record_frame frame;
	assert_int_equal(fd_pread_all(fd, header, sizeof(header), (off_t)at), 0);
	header[AT_VERSION]++;
	struct str part = str_of(header, AT_CHECKSUM);
	cipher_checksum(&part, 1, header + AT_CHECKSUM);
	assert_int_equal(
	    record_check_header(str_of(header, sizeof(header)), &frame), -EPROTONOSUPPORT);
	assert_int_equal(fd_pwrite_all(fd, str_of(header, sizeof(header)), (off_t)at), 0);
}

static void age_blobs(void)
{
	DIR *dir = opendir("blobs");
	struct dirent *entry;
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	while ((entry = readdir(dir)))
		assert_int_equal(utimensat(dirfd(dir), entry->d_name, old, 0), 0);
	closedir(dir);
}

static size_t count_blobs(void)
{
	DIR *dir = opendir("blobs");
	struct dirent *entry;
	size_t n = 0;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void deliver_large(struct letterbox_place *ret_place)
{
	struct buf large CLEANUP(buf_done) = BUF_MAX(1 << 20);
	buf_add(&large, STR("Subject: large\r\n\r\n"));
	while (large.len <= 2 * BLOB_FILE_MIN)
		buf_printf(&large, "line %zu\r\n", large.len);
	*ret_place = test_deliver(&t, buf_str(&large));
}

/* After a downgrade: what the later version wrote waits for it, with all that came behind. */
static void test_later_version_waits(void **state UNUSED)
{
	struct letterbox_place place;
	uint8_t header[RECORD_HEADER_LEN];
	test_deliver_number(&t, 1);
	deliver_large(&place);
	test_deliver_number(&t, 2);
	int fd CLEANUP(fd_close) = open("letterbox/000001.seg", O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_pread_all(fd, header, sizeof(header), (off_t)place.offset), 0);
	make_later("letterbox/000001.seg", place.offset);
	age_blobs();
	assert_int_equal(ingest(), 1);
	assert_int_equal(ingest(), 0);
	assert_int_equal(t.n_damage, 1);
	assert_int_equal(t.damaged_at, place.offset);
	close_database();
	clock_simulate((clock_wall() + 2 * STORE_SWEEP_INTERVAL_S) * 1000);
	s = test_open(&t);
	clock_simulate(0);
	assert_int_equal(count_blobs(), 1);
	assert_int_equal(fd_pwrite_all(fd, str_of(header, sizeof(header)), (off_t)place.offset), 0);
	assert_int_equal(ingest(), 2);
	assert_int_equal(mailbox("INBOX").n_messages, 3);
}

/* Whose blob it is could not be read: it stays. */
static void test_blob_of_damaged_record(void **state UNUSED)
{
	struct letterbox_place place;
	deliver_large(&place);
	test_deliver_number(&t, 2);
	test_flip("letterbox/000001.seg", place.offset + 60);
	age_blobs();
	assert_int_equal(ingest(), 1);
	close_database();
	clock_simulate((clock_wall() + 2 * STORE_SWEEP_INTERVAL_S) * 1000);
	s = test_open(&t);
	clock_simulate(0);
	assert_int_equal(count_blobs(), 1);
}

/* A wrong header in the log of a session that died: named, and nothing is lost. */
static void test_mended_log(void **state UNUSED)
{
	close_database();
	pid_t pid = fork();
	if (pid == 0) {
		size_t n;
		struct store *dying = test_open(&t);
		for (unsigned i = 0; i < 3; i++) {
			test_deliver_number(&t, i);
			test_check(store_ingest(dying, &n));
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	test_flip("mailbox.db-wal", 32 + 5);
	s = test_open(&t);
	assert_int_equal(t.n_damage, 1);
	assert_string_equal(t.damaged_file, "mailbox.db-wal");
	assert_int_equal(mailbox("INBOX").n_messages, 3);
}

/* Rebuilding, killed at each of its steps: the next one still knows what the old database said. */
static void test_killed_rebuild(void **state UNUSED)
{
	enum { N_MESSAGES = 5 };
	for (unsigned step = 1, done = 0; !done; step++) {
		teardown(NULL);
		setup(NULL);
		for (unsigned i = 0; i < N_MESSAGES; i++)
			append_number("Archive", i, STORE_FLAGGED);
		struct store_view *v = view("Archive");
		uint32_t first_uid = store_view_entry(v, 0).uid;
		struct store_uids first = {&first_uid, 1};
		struct store_flag_change seen = {.mode = STORE_FLAGS_ADD, .flags = STORE_SEEN};
		struct store_flag_result result;
		assert_int_equal(store_flags(v, first, &seen, &arena, &result), 0);
		store_view_close(v);
		close_database();
		int fd CLEANUP(fd_close) UNUSED = open(STORE_DAMAGE_MARK, O_WRONLY | O_CREAT, 0600);
		pid_t pid = fork();
		if (pid == 0) {
			io_fault_at(step, 0);
			store_close(test_open(&t));
			_exit(0);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		done = WIFEXITED(status);
		s = test_open(&t);
		v = view("Archive");
		assert_int_equal(v->n, N_MESSAGES);
		assert_int_equal(
		    store_view_entry(v, 0).flags & STORE_SYSTEM_FLAGS, STORE_FLAGGED | STORE_SEEN);
		store_view_close(v);
		assert_int_equal(access(STORE_DAMAGE_MARK, F_OK), -1);
	}
}

/* A child that takes in, appends, flags and expunges until it is killed. */
static void work_for_ever(unsigned seed)
{
	s = test_open(&t);
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	for (unsigned i = 0;; i++) {
		size_t n;
		test_deliver(&t, test_message(seed * 1000 + i, &buf));
		test_check(store_ingest(s, &n));
		struct store_view *v = view("INBOX");
		const uint32_t uid = store_view_entry(v, i % v->n).uid;
		struct store_flag_change change = {STORE_FLAGS_ADD, STORE_DELETED, false, 0, 0};
		struct store_flag_result result;
		struct store_uids set = {&uid, 1}, removed;
		struct store_copy_result copied;
		test_check(store_copy(v, set, 6, STORE_COPY, STORE_FLAGS_MASK, &arena, &copied));
		test_check(store_flags(v, set, &change, &arena, &result));
		test_check(store_expunge(v, set, false, &arena, &removed));
		store_view_close(v);
		arena_clear(&arena);
	}
}

static void test_killed_sessions(void **state UNUSED)
{
	enum { N_CHILDREN = 3, N_ROUNDS = 6 };
	store_close(s);
	s = NULL;
	for (unsigned round = 0; round < N_ROUNDS; round++) {
		pid_t pids[N_CHILDREN];
		for (unsigned i = 0; i < N_CHILDREN; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				work_for_ever(round * N_CHILDREN + i);
		}
		usleep(200000 + (round * 7919) % 100000);
		for (unsigned i = 0; i < N_CHILDREN; i++) {
			int status;
			kill(pids[i], SIGKILL);
			waitpid(pids[i], &status, 0);
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		}
		s = test_open(&t);
		ingest();
		test_consistent(s, "INBOX");
		test_consistent(s, "Archive");
		/* The end of the log is where a write may have been cut short. */
		assert_true(t.n_damage == 0 || strcmp(t.damaged_file, "mailbox.db-wal") == 0);
		store_close(s);
		s = NULL;
	}
	s = test_open(&t);
	assert_true(mailbox("Archive").n_messages > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_damaged_message),
	    TEST(test_lost_database),
	    TEST(test_damaged_pages),
	    TEST(test_rebuild_waits),
	    TEST(test_older_letterbox),
	    TEST(test_older_letterbox_grown),
	    TEST(test_witness_in_a_hole),
	    TEST(test_later_version_waits),
	    TEST(test_blob_of_damaged_record),
	    TEST(test_mended_log),
	    TEST(test_killed_rebuild),
	    TEST(test_killed_sessions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
