/* Leaves are asked for when they are read in their order, from a disk, and not otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/attr.h"
#include "seal/vfs.h"
#include "seal/vfs_ahead.h"

enum { LEAVES = 300, FIRST = 10, STEP = 3, BRANCH = 5, TABLE = 0x05, INDEX = 0x02, LEAF = 0x0d };
enum { SLOW = AHEAD_SLOW_US, FAST = 3, NO_FILE = -1 };

static uint8_t branch[VFS_PAGE_LEN], leaf[VFS_PAGE_LEN] = {LEAF};

static void put_child(uint8_t *at, uint32_t child)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(child >> (24 - 8 * i));
}

static uint32_t child(unsigned i)
{
	return FIRST + i * STEP;
}

/* A page above LEAVES leaves, every third of the file. */
static void make_branch(uint8_t type)
{
	memset(branch, 0, sizeof(branch));
	branch[0] = type;
	branch[3] = (LEAVES - 1) >> 8;
	branch[4] = (LEAVES - 1) & 0xff;
	for (unsigned i = 0; i + 1 < LEAVES; i++) {
		unsigned at = VFS_PAGE_LEN / 2 + i * 8;
		branch[12 + 2 * i] = (uint8_t)(at >> 8);
		branch[13 + 2 * i] = (uint8_t)at;
		put_child(branch + at, child(i));
	}
	put_child(branch + 8, child(LEAVES - 1));
}

static struct vfs_ahead *begin(uint8_t type)
{
	struct vfs_ahead *ahead = vfs_ahead_new(NO_FILE);
	make_branch(type);
	vfs_ahead_read(ahead, BRANCH, branch, FAST);
	return ahead;
}

static void a_scan_from_the_disk(void **state UNUSED)
{
	static const uint8_t types[] = {TABLE, INDEX};
	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		struct vfs_ahead *ahead = begin(types[t]);
		unsigned slow = 0;
		uint64_t asked = 0;
		/* What was asked for comes fast. */
		for (unsigned i = 0; i < LEAVES; i++) {
			bool wait = i < 3 || (i - 3) % AHEAD_PAGES == 0;
			slow += wait;
			vfs_ahead_read(ahead, child(i), leaf, wait ? SLOW : FAST);
			asked = vfs_ahead_count(ahead);
			assert_true(i >= 2 || asked == 0);
		}
		assert_int_equal(asked, 1 + (LEAVES - 3) / AHEAD_PAGES);
		assert_int_equal(slow, 3 + (LEAVES - 4) / AHEAD_PAGES + 1);
		vfs_ahead_free(&ahead);
		assert_null(ahead);
	}
}

static void two_tables_at_once(void **state UNUSED)
{
	struct vfs_ahead *ahead = begin(TABLE);
	/* Another one, whose leaves follow those of the first. */
	for (unsigned i = 0; i + 1 < LEAVES; i++)
		put_child(branch + VFS_PAGE_LEN / 2 + i * 8, child(i) + 1);
	vfs_ahead_read(ahead, BRANCH + 1, branch, FAST);
	for (unsigned i = 0; i < 4; i++) {
		vfs_ahead_read(ahead, child(i), leaf, SLOW);
		vfs_ahead_read(ahead, child(i) + 1, leaf, SLOW);
	}
	assert_int_equal(vfs_ahead_count(ahead), 2);
	vfs_ahead_free(&ahead);
}

static void what_is_in_memory_or_in_no_order(void **state UNUSED)
{
	struct vfs_ahead *ahead = begin(TABLE);
	for (unsigned i = 0; i < LEAVES; i++)
		vfs_ahead_read(ahead, child(i), leaf, FAST);
	for (unsigned i = 0; i < LEAVES; i++)
		vfs_ahead_read(ahead, child(i * 7 % LEAVES), leaf, SLOW);
	for (unsigned i = LEAVES; i > 0; i--)
		vfs_ahead_read(ahead, child(i - 1), leaf, SLOW);
	vfs_ahead_read(ahead, 1, branch, SLOW); /* its header is another */
	assert_int_equal(vfs_ahead_count(ahead), 0);
	vfs_ahead_free(&ahead);
}

/* Whatever a page says, nothing but its own bytes is looked at. */
static void pages_that_make_no_sense(void **state UNUSED)
{
	struct vfs_ahead *ahead = begin(TABLE);
	uint32_t random = 1;
	for (unsigned n = 0; n < 200; n++) {
		for (size_t i = 0; i < sizeof(branch); i++)
			branch[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
		branch[0] = n % 2 ? TABLE : INDEX;
		branch[3] &= 0x0f;
		vfs_ahead_read(ahead, n + 2, branch, SLOW);
		vfs_ahead_read(ahead, random, leaf, SLOW);
	}
	make_branch(TABLE);
	branch[3] = branch[4] = 0xff;
	vfs_ahead_read(ahead, BRANCH, branch, SLOW);
	vfs_ahead_free(&ahead);
	vfs_ahead_free(&ahead);
	assert_null(ahead);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_scan_from_the_disk),
	    cmocka_unit_test(two_tables_at_once),
	    cmocka_unit_test(what_is_in_memory_or_in_no_order),
	    cmocka_unit_test(pages_that_make_no_sense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
