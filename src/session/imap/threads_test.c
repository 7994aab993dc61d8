/* Messages as trees: each rule of RFC 5256 §3, and what is made to be hard. */
#include "session/imap/threads.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/num.h"

enum { IDS_MAX = 100, DEEP = 100000, HARD_MS = 60000 };

/* A message in a table: identifiers are small numbers, 0 ends the references. */
struct written {
	uint64_t id, references[6];
	int64_t sent_at;
	const char *subject;
	bool is_reply;
};

static void add(struct threads *t, const struct written *w)
{
	uint8_t ids[8 * 7];
	size_t n = 1;

	num_put64(ids, w->id);
	for (; n <= 6 && w->references[n - 1] != 0; n++)
		num_put64(ids + 8 * n, w->references[n - 1]);
	assert_int_equal(threads_add(t, str_of(ids, 8 * n)), 0);
}

static void describe(struct threads *t, const struct written *w)
{
	const struct thread_message message = {.sent_at = w->sent_at,
	    .subject = threads_subject(t, str_of_cstr(w->subject)),
	    .is_reply = w->is_reply};
	threads_describe(t, &message);
}

/* The threads of messages 1, 2, …, as THREAD tells them. */
static void expect_threads_at(
    const struct written *w, size_t n, bool references, const char *want, int line)
{
	struct threads *t = threads_new(n);
	uint32_t numbers[64];
	struct imap_output out;

	imap_output_init(&out, -1);
	for (size_t i = 0; i < n; i++) {
		add(t, &w[i]);
		numbers[i] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < n; i++)
		describe(t, &w[i]);
	if (references)
		threads_link_references(t);
	else
		threads_link_subjects(t);
	threads_write(t, numbers, &out);
	if (!str_eq(buf_str(&out.buf), str_of_cstr(want))) {
		print_error("got %.*s\nwant %s\n", STR_FMT(buf_str(&out.buf)), want);
		_fail(__FILE__, line);
	}
	imap_output_done(&out);
	threads_free(t);
}

#define expect_threads(messages, references, want)                                                 \
	expect_threads_at((messages), ARRAY_LEN(messages), (references), (want), __LINE__)

static void test_chain(void **state)
{
	static const struct written one[] = {{1, {0}, 5, "a", false}};
	static const struct written chain[] = {{1, {0}, 1, "a", false}, {2, {1}, 2, "a", true},
	    {3, {1, 2}, 3, "a", true}, {4, {1, 2, 3}, 4, "a", true}};
	static const struct written tree[] = {{1, {0}, 1, "a", false}, {2, {1}, 4, "a", true},
	    {3, {1}, 3, "a", true}, {4, {1, 2}, 5, "a", true}, {5, {1, 2, 4}, 6, "a", true},
	    {6, {1, 2}, 4, "a", true}};

	(void)state;
	expect_threads_at(one, 0, true, "", __LINE__);
	expect_threads(one, true, "(1)");
	expect_threads(chain, true, "(1 2 3 4)");
	expect_threads(tree, true, "(1 (3)(2 (6)(4 5)))");
}

/* Step 1: what is missing, doubled, or contradicts. */
static void test_links(void **state)
{
	static const struct written missing[] = {
	    {2, {1}, 2, "a", true}, {3, {1}, 1, "b", true}, {4, {9}, 3, "c", true}};
	static const struct written late[] = {
	    {2, {1}, 2, "x", true}, {3, {1}, 1, "y", true}, {1, {0}, 3, "z", false}};
	static const struct written doubled[] = {{1, {0}, 1, "a", false}, {1, {0}, 2, "b", false},
	    {0, {1}, 3, "c", true}, {0, {1}, 4, "d", true}};
	static const struct written cut_references[] = {{1, {0}, 1, "a", false},
	    {4, {1, 3}, 4, "b", true}, {3, {1, 2}, 3, "c", true}, {2, {1}, 2, "d", true}};
	static const struct written moved[] = {
	    {1, {0}, 1, "a", false}, {9, {1, 2}, 5, "b", false}, {2, {0}, 2, "c", false}};

	(void)state;
	expect_threads(missing, true, "((2)(1))(3)");
	expect_threads(late, true, "(3 (2)(1))");
	expect_threads(doubled, true, "(1 (3)(4))(2)");
	/* 3's parent is 1 until 3 itself says that it is 2. */
	expect_threads(cut_references, true, "(1 4 3 2)");
	/* A message without references has no parent, whatever others said. */
	expect_threads(moved, true, "(1)(3 2)");
}

static void test_loops(void **state)
{
	static const struct written self[] = {{1, {1}, 1, "a", false}};
	static const struct written two[] = {{1, {2}, 1, "a", false}, {2, {1}, 2, "b", false}};
	static const struct written three[] = {
	    {1, {3, 2}, 1, "a", false}, {2, {1, 3}, 2, "b", false}, {3, {2, 1}, 3, "c", false}};
	static const struct written twisted[] = {
	    {1, {2, 3, 2, 1}, 1, "a", false}, {3, {2, 3}, 2, "b", false}};

	(void)state;
	expect_threads(self, true, "(1)");
	expect_threads(two, true, "(2 1)");
	expect_threads(three, true, "(3 2 1)");
	expect_threads(twisted, true, "(1)(2)");
}

/* Step 3: the dummies go, and one on top stays with its children where there are several. */
static void test_prune(void **state)
{
	static const struct written deep[] = {
	    {5, {1, 2, 3, 4}, 1, "a", true}, {6, {1, 2}, 2, "b", true}};
	static const struct written single[] = {{5, {1, 2, 3, 4}, 1, "a", true}};
	static const struct written inner[] = {{1, {0}, 1, "a", false}, {5, {1, 2}, 3, "b", true},
	    {6, {1, 2}, 2, "c", true}, {7, {1}, 4, "d", true}};

	(void)state;
	expect_threads(deep, true, "((1)(2))");
	expect_threads(single, true, "(1)");
	expect_threads(inner, true, "(1 (3)(2)(4))");
}

/* Step 5: threads of one subject. */
static void test_subjects(void **state)
{
	static const struct written reply[] = {{1, {0}, 2, "a", true}, {2, {0}, 1, "a", false}};
	static const struct written both[] = {{1, {0}, 2, "a", false}, {2, {0}, 1, "a", false}};
	static const struct written replies[] = {
	    {1, {0}, 1, "a", true}, {2, {0}, 2, "a", true}, {3, {0}, 3, "a", true}};
	static const struct written original_later[] = {
	    {1, {0}, 1, "a", true}, {2, {0}, 2, "a", true}, {3, {0}, 3, "a", false}};
	static const struct written empty[] = {{1, {0}, 1, "", false}, {2, {0}, 2, "", true}};
	static const struct written dummies[] = {{1, {9}, 1, "a", true}, {2, {9}, 2, "b", true},
	    {3, {8}, 3, "a", true}, {4, {8}, 4, "c", true}};
	static const struct written dummy_and_one[] = {
	    {3, {0}, 3, "a", false}, {1, {9}, 1, "a", true}, {2, {9}, 2, "b", true}};
	static const struct written three[] = {{1, {0}, 1, "a", false}, {2, {0}, 2, "a", false},
	    {3, {0}, 3, "a", false}, {4, {0}, 4, "a", true}};

	(void)state;
	expect_threads(reply, true, "(2 1)");
	expect_threads(both, true, "((2)(1))");
	expect_threads(replies, true, "((1)(2)(3))");
	expect_threads(original_later, true, "(3 (1)(2))");
	expect_threads(empty, true, "(1)(2)");
	expect_threads(dummies, true, "((1)(2)(3)(4))");
	expect_threads(dummy_and_one, true, "((2)(3)(1))");
	expect_threads(three, true, "((1)(2)(3)(4))");
}

/* Step 6 and §2.2: by date, equal ones in mailbox order; a dummy stands where its first child does.
 */
static void test_dates(void **state)
{
	static const struct written tops[] = {{1, {0}, 3, "a", false}, {2, {9}, 5, "b", true},
	    {3, {9}, 2, "c", true}, {4, {0}, 2, "d", false}, {5, {0}, -7, "e", false}};

	(void)state;
	expect_threads(tops, true, "(5)((3)(2))(4)(1)");
}

static void test_ordered_subject(void **state)
{
	static const struct written some[] = {{1, {0}, 5, "a", false}, {2, {1}, 4, "b", false},
	    {3, {0}, 3, "a", true}, {4, {0}, 6, "a", true}, {5, {0}, 7, "b", true},
	    {6, {0}, 1, "", false}, {7, {0}, 2, "", false}};

	(void)state;
	expect_threads(some, false, "(6 7)(3 (1)(4))(2 5)");
}

static void add_ids(struct threads *t, const uint64_t *list, size_t n)
{
	uint8_t ids[8 * (IDS_MAX + 1)];

	for (size_t i = 0; i < n; i++)
		num_put64(ids + 8 * i, list[i]);
	assert_int_equal(threads_add(t, str_of(ids, 8 * n)), 0);
}

/* All of the same subject and date. */
static void link_all(struct threads *t, size_t n)
{
	const struct thread_message message = {.subject = 7};

	for (size_t i = 0; i < n; i++)
		threads_describe(t, &message);
	threads_link_references(t);
}

static size_t write_all(struct threads *t, size_t n)
{
	uint32_t *numbers = calloc(n, sizeof(*numbers));
	struct imap_output out;
	int null_fd = fileno(tmpfile());

	assert_non_null(numbers);
	for (size_t i = 0; i < n; i++)
		numbers[i] = 1;
	imap_output_init(&out, null_fd);
	threads_write(t, numbers, &out);
	assert_int_equal(imap_output_flush(&out), 0);
	size_t len = out.sent;
	imap_output_done(&out);
	free(numbers);
	return len;
}

/* One chain, each message naming the hundred before it, oldest first and then youngest first. */
static void test_deep(void **state)
{
	(void)state;
	for (int down = 0; down < 2; down++) {
		struct threads *t = threads_new(DEEP);
		uint64_t started = clock_ms();
		for (uint64_t i = 1; i <= DEEP; i++) {
			uint64_t ids[IDS_MAX], id = down ? DEEP + 1 - i : i;
			size_t n = 0;
			ids[n++] = id;
			for (uint64_t r = id > 99 ? id - 99 : 1; r < id; r++)
				ids[n++] = r;
			add_ids(t, ids, n);
		}
		link_all(t, DEEP);
		assert_true(clock_ms() - started < HARD_MS);
		assert_int_equal(write_all(t, DEEP), 2 * DEEP + 1);
		threads_free(t);
	}
}

/* Everybody names everybody in another order: no cycle, and all are told. */
static void test_tangle(void **state)
{
	struct threads *t = threads_new(20000);
	uint64_t ids[IDS_MAX], seed = 1;

	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		for (size_t k = 0; k < IDS_MAX; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			ids[k] = 1 + (seed >> 33) % 20000;
		}
		add_ids(t, ids, IDS_MAX);
	}
	link_all(t, 20000);
	assert_true(write_all(t, 20000) >= 20000);
	threads_free(t);
}

/* As many messages as may be, with as many identifiers beside them as may be. */
static void test_many(void **state)
{
	struct threads *t = threads_new(THREADS_MESSAGES_MAX);
	uint64_t ids[2];

	(void)state;
	for (size_t i = 0; i < THREADS_MESSAGES_MAX; i++) {
		ids[0] = i + 1;
		ids[1] = UINT64_C(1) << 40 | i / 2;
		add_ids(t, ids, 2);
	}
	assert_int_equal(threads_add(t, (struct str){0}), -E2BIG);
	link_all(t, THREADS_MESSAGES_MAX);
	assert_true(write_all(t, THREADS_MESSAGES_MAX) > THREADS_MESSAGES_MAX);
	threads_free(t);
}

/*
 * Too many identifiers that nobody has: those beyond are as if they were not named. Two messages
 * name the last one that is remembered, two others the first that is not.
 */
static void test_limits(void **state)
{
	const struct thread_message messages[] = {
	    {1, 1, false}, {2, 2, false}, {3, 3, false}, {4, 4, false}};
	struct threads *t = threads_new(THREADS_MESSAGES_MAX);
	size_t missing_max = THREADS_NODES_MAX - THREADS_MESSAGES_MAX, n = 0;
	uint8_t *ids = calloc(missing_max + 2, 8);
	const uint32_t numbers[] = {1, 2, 3, 4};
	struct imap_output out;

	(void)state;
	assert_non_null(ids);
	imap_output_init(&out, -1);
	/* The message itself has none. */
	for (n = 1; n <= missing_max; n++)
		num_put64(ids + 8 * n, n);
	assert_int_equal(threads_add(t, str_of(ids, 8 * n)), 0);
	num_put64(ids + 8, missing_max);
	assert_int_equal(threads_add(t, str_of(ids, 16)), 0);
	num_put64(ids + 8, missing_max + 1);
	assert_int_equal(threads_add(t, str_of(ids, 16)), 0);
	assert_int_equal(threads_add(t, str_of(ids, 16)), 0);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		threads_describe(t, &messages[i]);
	threads_link_references(t);
	threads_write(t, numbers, &out);
	assert_true(str_eq(buf_str(&out.buf), STR("((1)(2))(3)(4)")));
	imap_output_done(&out);
	free(ids);
	threads_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_loops),
	    cmocka_unit_test(test_prune),
	    cmocka_unit_test(test_subjects),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_ordered_subject),
	    cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_tangle),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
