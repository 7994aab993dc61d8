/* The list of a mailbox in few bytes: what is written is read again, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "store/entry_code.h"
#include "store/view_entries.h"

enum { MANY = 5000, CODE_MAX = 1 << 20 };

static void add(
    struct view_entries *e, uint32_t uid, uint32_t message, uint64_t flags, uint64_t modseq)
{
	const struct store_entry entry = {uid, message, flags, modseq};
	assert_int_equal(view_entries_add(e, &entry), 0);
}

static void assert_same(const struct view_entry *a, const struct view_entry *b)
{
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->message, b->message);
	assert_int_equal(a->modseq, b->modseq);
	assert_int_equal(a->flag_set, b->flag_set);
	assert_false(a->recent || a->gone || a->changed);
}

/* Numbers of every length, up and down, to the highest. */
static void test_there_and_back(void **state UNUSED)
{
	struct buf code CLEANUP(buf_done) = BUF_MAX(CODE_MAX);
	struct view_entries e = {0}, back = {0};
	uint32_t uid = 0;

	srandom(2);
	for (unsigned i = 0; i < MANY; i++) {
		uid += 1 + (uint32_t)random() % (1u << (i % 18));
		add(&e, uid, (uint32_t)random() >> (i % 31), (uint64_t)(random() % 32),
		    ((uint64_t)random() << 9) >> (i % 40));
	}
	add(&e, UINT32_MAX - 1, UINT32_MAX, STORE_FLAGS_MASK,
	    ((uint64_t)1 << VIEW_MODSEQ_BITS) - 1);
	assert_true(entry_code_write(&e, UINT32_MAX, &code));
	assert_int_equal(entry_code_read(buf_str(&code), &back), 0);
	assert_int_equal(back.n, e.n);
	for (size_t i = 0; i < e.n; i++) {
		const struct view_entry x = view_entries_get(&back, i), y = view_entries_get(&e, i);
		assert_same(&x, &y);
		assert_int_equal(back.flag_sets[x.flag_set], e.flag_sets[y.flag_set]);
	}
	view_entries_done(&e);
	view_entries_done(&back);
}

/* What is gone is not written, nor what came later; what the view alone knows is not either. */
static void test_left_out(void **state UNUSED)
{
	struct buf code CLEANUP(buf_done) = BUF_MAX(CODE_MAX);
	struct view_entries e = {0}, back = {0};

	for (uint32_t uid = 1; uid <= 9; uid++)
		add(&e, uid, 10 * uid, uid % 2 ? STORE_SEEN : 0, uid);
	e.last[2].gone = true;
	e.last[3].changed = e.last[4].recent = true;
	assert_true(entry_code_write(&e, 8, &code));
	assert_int_equal(entry_code_read(buf_str(&code), &back), 0);
	assert_int_equal(back.n, 6);
	static const uint32_t left[] = {1, 2, 4, 5, 6, 7};
	for (size_t i = 0; i < back.n; i++)
		assert_int_equal(view_entries_uid(&back, i), left[i]);
	assert_false(back.last[2].changed || back.last[3].recent);
	view_entries_done(&e);
	view_entries_done(&back);
}

static void refuse(struct str code)
{
	struct view_entries e = {0};
	assert_int_equal(entry_code_read(code, &e), -EBADMSG);
	view_entries_done(&e);
}

#define CODE(text) str_of((text), sizeof(text) - 1)

static void test_refused(void **state UNUSED)
{
	struct view_entries e = {0};
	struct buf code CLEANUP(buf_done) = BUF_MAX(CODE_MAX);

	refuse(CODE(""));
	refuse(CODE("\2\0\0"));                                 /* a later version */
	refuse(CODE("\1\1\0\0\0\0\0\0\0\0\1\0\2\2\0"));         /* the same UID twice */
	refuse(CODE("\1\1\0\0\0\0\0\0\0\0\1\1\2\2\1"));         /* no such set */
	refuse(CODE("\1\1\0\0\0\0\0\0\0\0\1\1\2\2\0x"));        /* something left over */
	refuse(CODE("\1\1\0\0\0\0\0\0\0\0\2\1\2\2\0"));         /* one is missing */
	refuse(CODE("\1\1\0\0\0\0\0\0\0\200\0"));               /* flags that are not stored */
	refuse(CODE("\1\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")); /* a set twice */
	refuse(CODE("\1\200\200\200\200\200\200\200\200\200\002\0")); /* a number beyond 64 bits */
	refuse(CODE("\1\1\0\0\0\0\0\0\0\0\1\1\3\2\0"));               /* a message below zero */
	/* Every beginning of one that is right. */
	for (uint32_t uid = 1; uid <= 3; uid++)
		add(&e, 200 * uid, uid, 0, 1000 * uid);
	assert_true(entry_code_write(&e, UINT32_MAX, &code));
	for (size_t len = 0; len < code.len; len++)
		refuse(str_first(buf_str(&code), len));
	view_entries_done(&e);
}

static void test_limits(void **state UNUSED)
{
	struct buf code CLEANUP(buf_done) = BUF_MAX(CODE_MAX),
	                small CLEANUP(buf_done) = BUF_MAX(64);
	struct view_entries e = {0}, back = {0};

	for (uint32_t i = 0; i < ENTRY_CODE_SETS_MAX; i++)
		add(&e, i + 1, 1, (uint64_t)i << STORE_KEYWORD_FIRST, 1);
	assert_true(entry_code_write(&e, UINT32_MAX, &code));
	assert_int_equal(entry_code_read(buf_str(&code), &back), 0);
	assert_false(entry_code_write(&e, UINT32_MAX, &small));
	add(&e, ENTRY_CODE_SETS_MAX + 1, 1, (uint64_t)ENTRY_CODE_SETS_MAX << STORE_KEYWORD_FIRST,
	    1);
	buf_clear(&code);
	assert_false(entry_code_write(&e, UINT32_MAX, &code));
	view_entries_done(&e);
	view_entries_done(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_there_and_back),
	    cmocka_unit_test(test_left_out),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
