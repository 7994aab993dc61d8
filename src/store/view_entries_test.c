/* The list behind a view, in blocks, against a plain array: what goes in comes out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>

#include "store/view_entries.h"

enum { MANY = 6000, CHANGES = 20000, MILLION = 1000 * 1000 };

static struct view_entry plain[MANY];

/* Numbers of all sizes, so that blocks have all widths. */
static uint64_t any(unsigned bits)
{
	uint64_t number = (uint64_t)random() << 31 | (uint64_t)random();
	return number >> (62 - bits % 41) & ((UINT64_C(1) << VIEW_MODSEQ_BITS) - 1);
}

static void fill(struct view_entries *e, size_t n, bool wide)
{
	uint32_t uid = 0;
	for (size_t i = 0; i < n; i++) {
		uid += 1 + (i % 1000 == 999 && wide ? UINT32_MAX / MANY : 0);
		plain[i] = (struct view_entry){.uid = uid,
		    .message = wide ? (uint32_t)any((unsigned)i / 300) : uid,
		    .modseq = wide ? any((unsigned)i / 200) : 1000 + i,
		    .flag_set = wide ? (uint32_t)random() >> 11 : i % 3};
		view_entries_push(e, &plain[i]);
	}
}

static void assert_same(const struct view_entries *e, size_t n)
{
	assert_int_equal(e->n, n);
	assert_int_equal(e->n_blocks, n / ENTRY_BLOCK_N);
	for (size_t i = 0; i < n; i++) {
		struct view_entry entry = view_entries_get(e, i);
		assert_memory_equal(&entry, &plain[i], sizeof(entry));
		assert_int_equal(view_entries_uid(e, i), plain[i].uid);
	}
}

static void test_kept(void **state UNUSED)
{
	for (unsigned wide = 0; wide < 2; wide++)
		for (size_t n = 0; n < 1000; n += 51) {
			struct view_entries e = {0};
			fill(&e, n, wide == 1);
			assert_same(&e, n);
			view_entries_done(&e);
		}
}

/* MODSEQs and sets that are too large for their block, and too small, and every mark. */
static void test_changed(void **state UNUSED)
{
	for (unsigned wide = 0; wide < 2; wide++) {
		struct view_entries e = {0};
		fill(&e, MANY, wide == 1);
		for (unsigned i = 0; i < CHANGES; i++) {
			size_t at = (size_t)random() % MANY;
			plain[at].modseq = any(i / 100);
			plain[at].flag_set = (uint32_t)random() >> (11 + i % 20);
			plain[at].gone = random() % 2 == 0;
			plain[at].changed = random() % 2 == 0;
			plain[at].recent = random() % 2 == 0;
			view_entries_put(&e, at, plain[at]);
		}
		assert_same(&e, MANY);
		view_entries_done(&e);
	}
}

static bool is_gone(const struct view_entry *entry)
{
	return entry->gone;
}

/* One in so many goes, from a place on; those before stay whatever they are. */
static void take_out(size_t from, unsigned one_in)
{
	struct view_entries e = {0};
	size_t kept = 0;

	fill(&e, MANY, true);
	for (size_t i = 0; i < MANY; i++) {
		plain[i].gone = (unsigned)random() % one_in == 0;
		view_entries_put(&e, i, plain[i]);
	}
	view_entries_take_out(&e, from, is_gone);
	for (size_t i = 0; i < MANY; i++)
		if (i < from || !plain[i].gone)
			plain[kept++] = plain[i];
	assert_same(&e, kept);
	view_entries_done(&e);
}

static void test_taken_out(void **state UNUSED)
{
	static const size_t from[] = {0, 1, 255, 256, 3000, MANY - 1, MANY, MANY + 1};

	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		for (unsigned one_in = 1; one_in < 400; one_in *= 7)
			take_out(from[i], one_in);
	struct view_entries none = {0};
	view_entries_take_out(&none, 0, is_gone);
	assert_int_equal(none.n, 0);
}

static void test_found(void **state UNUSED)
{
	for (size_t n = 0; n < 1600; n += 127) {
		struct view_entries e = {0};
		uint32_t uid = 5;
		for (size_t i = 0; i < n; i++, uid += 1 + i % 3) {
			const struct view_entry entry = {.uid = uid};
			view_entries_push(&e, &entry);
		}
		size_t at = 0;
		for (uint32_t wanted = 0; wanted < uid + 3; wanted++) {
			while (at < n && view_entries_uid(&e, at) < wanted)
				at++;
			assert_int_equal(view_entries_at(&e, wanted), at);
		}
		view_entries_done(&e);
	}
}

/* What store_view.h promises of a mailbox like most, and of the worst. */
static void test_bytes(void **state UNUSED)
{
	struct view_entries e = {0};
	size_t widest = 0;

	for (uint32_t i = 0; i < MILLION; i++) {
		const struct view_entry entry = {.uid = i + i / 7 + 1,
		    .message = i + i / 5,
		    .modseq = 1000 + (random() % 10 == 0 ? (uint64_t)random() % MILLION : i),
		    .flag_set = (uint64_t)random() % 6};
		view_entries_push(&e, &entry);
	}
	for (size_t i = 0; i < e.n_blocks; i++)
		widest = e.blocks[i].stride > widest ? e.blocks[i].stride : widest;
	assert_true(widest <= 7);
	view_entries_done(&e);
	fill(&e, ENTRY_BLOCK_N, false);
	const struct view_entry first = {.uid = plain[0].uid,
	    .message = plain[0].message,
	    .modseq = (UINT64_C(1) << VIEW_MODSEQ_BITS) - 1,
	    .flag_set = VIEW_FLAG_SETS_MAX - 1,
	    .changed = true};
	view_entries_put(&e, 0, first);
	assert_true(e.blocks[0].stride <= sizeof(first));
	view_entries_done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kept),
	    cmocka_unit_test(test_changed),
	    cmocka_unit_test(test_taken_out),
	    cmocka_unit_test(test_found),
	    cmocka_unit_test(test_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
