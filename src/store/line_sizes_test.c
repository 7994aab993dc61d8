/* What POP3 needs of the store: sizes with line ends, and removal without \Deleted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/test_account.h"
#include "store/test_expect.h"

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(1 << 20);

static struct store_view *open_inbox(void)
{
	struct store_mailbox m = {0};
	struct store_view *v = NULL;
	assert_int_equal(store_mailbox_find(s, STR("INBOX"), &arena, &m), 0);
	assert_int_equal(store_view_open(s, m.id, true, &v), 0);
	return v;
}

static void take_in(size_t expected)
{
	size_t n = 0;
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(n, expected);
}

static int begin(void **state UNUSED)
{
	test_account_make(&t);
	s = test_open(&t);
	return 0;
}

static int end(void **state UNUSED)
{
	store_close(s);
	test_account_remove(&t);
	arena_done(&arena);
	return 0;
}

static void sizes_are_of_whole_lines(void **state UNUSED)
{
	static const struct str messages[] = {STR_INIT("A: b\r\n\r\nwhole\r\n"),
	    STR_INIT("A: b\n\nwith LF\n"), STR_INIT("A: b\r\n\r\nopen"), STR_INIT("")};
	static const uint32_t expected[] = {15, 17, 14, 0};
	uint32_t sizes[4];
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		test_deliver(&t, messages[i]);
	take_in(4);
	struct store_view *v = open_inbox();
	assert_int_equal(v->n, 4);
	assert_int_equal(store_line_sizes(v, sizes), 0);
	assert_memory_equal(sizes, expected, sizeof(sizes));
	store_view_close(v);
}

static void copies_have_them_too(void **state UNUSED)
{
	struct store_copy_result copied;
	uint32_t sizes[3];
	static const uint32_t uids[] = {1, 2};
	test_deliver(&t, STR("A: b\n\nwith LF\n"));
	test_deliver(&t, STR("A: b\r\n\r\nwhole\r\n"));
	take_in(2);
	struct store_view *v = open_inbox();
	assert_int_equal(store_copy(v, (struct store_uids){uids, 1}, v->mailbox, STORE_COPY,
	                     STORE_FLAGS_MASK, &arena, &copied),
	    0);
	store_view_close(v);
	v = open_inbox();
	assert_int_equal(v->n, 3);
	assert_int_equal(store_line_sizes(v, sizes), 0);
	assert_int_equal(sizes[0], 17);
	assert_int_equal(sizes[1], 15);
	assert_int_equal(sizes[2], 17);
	store_view_close(v);
}

/* A message that is gone since the view was opened has no size; the others keep theirs. */
static void what_is_removed_is_gone(void **state UNUSED)
{
	static const uint32_t uids[] = {1, 3, 9};
	struct store_uids removed;
	uint32_t sizes[3];
	for (unsigned i = 0; i < 3; i++)
		test_deliver(&t, STR("A: b\n\nwith LF\n"));
	take_in(3);
	struct store_view *v = open_inbox();
	assert_int_equal(store_remove(v, (struct store_uids){uids, 3}, &arena, &removed), 0);
	assert_int_equal(removed.n, 2);
	assert_int_equal(removed.v[0], 1);
	assert_int_equal(removed.v[1], 3);
	assert_int_equal(store_line_sizes(v, sizes), 0);
	assert_int_equal(sizes[0], STORE_SIZE_GONE);
	assert_int_equal(sizes[1], 17);
	assert_int_equal(sizes[2], STORE_SIZE_GONE);
	assert_int_equal(store_remove(v, (struct store_uids){uids, 3}, &arena, &removed), 0);
	assert_int_equal(removed.n, 0);
	store_view_close(v);
	test_consistent(s, "INBOX");
	v = open_inbox();
	assert_int_equal(v->n, 1);
	store_view_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(sizes_are_of_whole_lines, begin, end),
	    cmocka_unit_test_setup_teardown(copies_have_them_too, begin, end),
	    cmocka_unit_test_setup_teardown(what_is_removed_is_gone, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
