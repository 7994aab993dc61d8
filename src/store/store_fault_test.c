/*
 * The store when the machine fails it: every system call of its own and of SQLite that changes a
 * file fails once with a full disk, once with an input/output error, and kills the process once,
 * in the middle of a session's work. Afterwards: what was acknowledged is there, every message is
 * there once, every UID has its message, the database opens, and nothing stands anywhere in plain.
 *
 * Only builds with GATEPOST_FAULTS have something to test here.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include "store/io.h"
#include "store/store_append.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/store_search.h"
#include "store/test_account.h"
#include "store/test_expect.h"
#include "store/test_faults.h"

#ifdef GATEPOST_FAULTS

enum {
	N_MESSAGES = 6,
	LARGE_LEN = 300 << 10,
	TEXT_MAX = LARGE_LEN + 4096,
	ARCHIVE = 6,
	TRASH = 5,
	INBOX = 1,
	INDEX_SLICE_MS = 20
};

/* What the work was told, step by step. */
enum step {
	STEP_OPEN,
	STEP_INGEST,
	STEP_APPEND,
	STEP_INDEX,
	STEP_FLAG,
	STEP_COPY,
	STEP_MOVE,
	STEP_EXPUNGE,
	STEP_CREATE,
	N_STEPS
};

static struct test_account t;
static struct buf texts[N_MESSAGES]; /* 0 to 2 are delivered, 3 to 5 appended */

/* --- the work of one session --- */

static int step_append(struct store *s)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store_append *a = NULL;
	struct store_uids uids;
	uint32_t uidvalidity;
	int error = store_append_begin(s, ARCHIVE, &a);
	for (unsigned i = 3; !error && i < N_MESSAGES; i++)
		error = store_append_add(
		    a, &(struct store_append_message){.bytes = buf_str(&texts[i])});
	if (!error)
		error = store_append_commit(a, &arena, &uidvalidity, &uids);
	store_append_free(a);
	return error;
}

static int step_index(struct store *s)
{
	bool more = true;
	int error = 0;
	while (!error && more)
		error = store_search_work(s, INDEX_SLICE_MS, &more);
	return error;
}

static int step_change(struct store_view *v, enum step step)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	const uint32_t first = 1, second = 2;
	struct store_flag_change seen = {STORE_FLAGS_ADD, STORE_SEEN, false, 0, 0};
	struct store_flag_change deleted = {STORE_FLAGS_ADD, STORE_DELETED, false, 0, 0};
	struct store_flag_result flagged;
	struct store_copy_result copied;
	struct store_uids removed, one = {&first, 1}, two = {&second, 1};
	int error;
	switch (step) {
	case STEP_FLAG:
		return store_flags(v, one, &seen, &arena, &flagged);
	case STEP_COPY:
		return store_copy(v, one, ARCHIVE, STORE_COPY, STORE_FLAGS_MASK, &arena, &copied);
	case STEP_MOVE:
		return store_copy(v, two, TRASH, STORE_MOVE, STORE_FLAGS_MASK, &arena, &copied);
	default:
		error = store_flags(v, one, &deleted, &arena, &flagged);
		return error ? error : store_expunge(v, one, false, &arena, &removed);
	}
}

/* Goes through the steps while they succeed; `done` is told of each that did. */
static void work(void (*done)(enum step step, void *ctx), void *ctx)
{
	struct store *s = NULL;
	struct store_view *v = NULL;
	struct store_watch watch = {test_on_damage, &t};
	size_t n;
	uint64_t id;
	if (store_open(t.master, TEST_ACCOUNT, &watch, &s))
		return;
	done(STEP_OPEN, ctx);
	if (store_ingest(s, &n) == 0 && n == 3)
		done(STEP_INGEST, ctx);
	if (step_append(s) == 0)
		done(STEP_APPEND, ctx);
	if (step_index(s) == 0)
		done(STEP_INDEX, ctx);
	if (store_view_open(s, INBOX, false, &v) == 0) {
		for (enum step step = STEP_FLAG; step <= STEP_EXPUNGE; step++) {
			if (step_change(v, step) == 0)
				done(step, ctx);
		}
	}
	store_view_close(v);
	if (store_mailbox_create(s, STR("New"), STORE_NO_USE, &id) == 0)
		done(STEP_CREATE, ctx);
	store_close(s);
}

/* --- what must hold afterwards --- */

struct census {
	unsigned n[N_MESSAGES]; /* in the mailbox at hand */
	uint64_t mailbox;
};

static void count_one(void *ctx, uint32_t uid, struct str bytes)
{
	struct census *c = ctx;
	unsigned which = N_MESSAGES;
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		if (str_eq(bytes, buf_str(&texts[i])))
			which = i;
	}
	assert_true(which < N_MESSAGES);
	if (c->mailbox == INBOX)
		assert_int_equal(uid, which + 1);
	c->n[which]++;
}

static struct census count_in(struct store *s, uint64_t mailbox)
{
	struct census c = {.mailbox = mailbox};
	test_each_message(s, mailbox, count_one, &c);
	return c;
}

/* Whatever became of the index, it does not deny what is there. */
static void check_index(struct store *s)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store_search_answer answer;
	struct store_view *v = NULL;
	test_check(store_search_find(
	    s, STORE_SEARCH_BIT(SEARCH_CLASS_SUBJECT), STR("fault"), &arena, &answer));
	test_check(store_view_open(s, INBOX, true, &v));
	for (size_t i = 0; i < v->n; i++)
		assert_int_not_equal(
		    store_search_says(&answer, store_view_entry(v, i).message), STORE_SEARCH_NO);
	store_view_close(v);
}

static void check(const bool *done, bool struck)
{
	struct store *s = test_open(&t);
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store_mailbox new;
	size_t n;
	test_check(store_ingest(s, &n));
	struct census inbox = count_in(s, INBOX), archive = count_in(s, ARCHIVE),
	              trash = count_in(s, TRASH);
	/* Delivered: 0 stays until it is expunged, 1 is in one of two places, 2 stays. */
	assert_true(inbox.n[0] == 1 || (inbox.n[0] == 0 && (struck || done[STEP_EXPUNGE])));
	assert_true(!done[STEP_EXPUNGE] || !done[STEP_INGEST] || inbox.n[0] == 0);
	assert_int_equal(inbox.n[1] + trash.n[1], 1);
	assert_int_equal(inbox.n[2], 1);
	assert_true(archive.n[0] <= 1);
	if (done[STEP_INGEST] && done[STEP_COPY])
		assert_int_equal(archive.n[0], 1);
	if (done[STEP_INGEST] && done[STEP_MOVE])
		assert_int_equal(trash.n[1], 1);
	/* Appended: all or none. */
	assert_true(archive.n[3] <= 1);
	assert_true(archive.n[3] == archive.n[4] && archive.n[4] == archive.n[5]);
	assert_int_equal(inbox.n[3] + inbox.n[4] + inbox.n[5], 0);
	if (done[STEP_APPEND])
		assert_int_equal(archive.n[3], 1);
	if (done[STEP_CREATE])
		assert_int_equal(store_mailbox_find(s, STR("New"), &arena, &new), 0);
	check_index(s);
	test_check(step_index(s));
	check_index(s);
	test_consistent(s, "INBOX");
	test_consistent(s, "Archive");
	test_consistent(s, "Trash");
	store_close(s);
	assert_int_equal(t.n_damage, 0);
}

/* --- the runs --- */

static void begin_round(void)
{
	test_account_make(&t);
	for (unsigned i = 0; i < 3; i++)
		test_deliver(&t, buf_str(&texts[i]));
}

static void note(enum step step, void *ctx)
{
	((bool *)ctx)[step] = true;
}

static void fail_everywhere(int error)
{
	bool struck = true;
	uint64_t n = 1;
	for (; struck; n++) {
		bool done[N_STEPS] = {false};
		begin_round();
		io_fault_at(n, error);
		work(note, done);
		struck = io_fault_count() >= n;
		io_fault_at(0, 0);
		for (unsigned i = 0; !struck && i < N_STEPS; i++)
			assert_true(done[i]);
		check(done, struck);
		test_account_remove(&t);
	}
	assert_true(n > 50);
}

static void test_full_disk(void **state UNUSED)
{
	fail_everywhere(ENOSPC);
}

static void test_broken_disk(void **state UNUSED)
{
	fail_everywhere(EIO);
}

static void tell(enum step step, void *ctx)
{
	char c = (char)step;
	if (write(*(int *)ctx, &c, 1) != 1)
		_exit(3);
}

static void test_kills(void **state UNUSED)
{
	bool struck = true;
	uint64_t n = 1;
	for (; struck; n++) {
		bool done[N_STEPS] = {false};
		int ends[2], status;
		char c;
		begin_round();
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			io_fault_at(n, 0);
			work(tell, &ends[1]);
			_exit(0);
		}
		close(ends[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		struck = WIFSIGNALED(status);
		assert_true(struck ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
		while (read(ends[0], &c, 1) == 1)
			done[(size_t)c] = true;
		close(ends[0]);
		check(done, struck);
		test_account_remove(&t);
	}
	assert_true(n > 50);
}

static void make_texts(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		texts[i] = BUF_MAX(TEXT_MAX);
		buf_printf(&texts[i], "Subject: fault %u\r\n\r\n", i);
		size_t len = i == 1 || i == 4 ? LARGE_LEN : 500;
		while (texts[i].len < len)
			buf_printf(&texts[i], "line %zu of %u\r\n", texts[i].len, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_full_disk),
	    cmocka_unit_test(test_broken_disk),
	    cmocka_unit_test(test_kills),
	};
	test_hook_sqlite();
	make_texts();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (unsigned i = 0; i < N_MESSAGES; i++)
		buf_done(&texts[i]);
	return failed;
}

#else

int main(void)
{
	return 0;
}

#endif
