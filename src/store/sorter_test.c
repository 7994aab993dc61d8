/* Sorting in bounded memory against sorting it all, with room for everything and for next to
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "store/io.h"
#include "store/spill.h"
#include "store/store_sorter.h"

enum { N = 5000, TEXT_MAX = 600 };

struct item {
	char text[TEXT_MAX];
	size_t len;
	uint32_t number;
};

static struct item items[N];
static char folder[] = "/tmp/gatepost-sorter-XXXXXX";
static int dir_fd = -1;

static int begin(void **state UNUSED)
{
	assert_non_null(mkdtemp(folder));
	dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0;
}

static int end(void **state UNUSED)
{
	fd_close(&dir_fd);
	return rmdir(folder); /* nothing was left in it */
}

/* Text that is equal for long, ended by a NUL; or numbers of four bytes. */
static void make_items(unsigned kind)
{
	for (uint32_t i = 0; i < N; i++) {
		struct item *item = &items[i];
		item->number = i * 7;
		item->len = 0;
		if (kind == 0) {
			uint32_t rank = htobe32((uint32_t)random() % 300);
			memcpy(item->text, &rank, sizeof(rank));
			item->len = sizeof(rank);
			continue;
		}
		size_t len = kind == 1 ? (size_t)random() % 12 : (size_t)random() % (TEXT_MAX - 1);
		for (; item->len < len; item->len++)
			item->text[item->len] = random() % (kind == 1 ? 2 : 200) == 0 ? 'b' : 'a';
		item->text[item->len++] = '\0';
	}
}

static int compare(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	int order = str_cmp(str_of(a->text, a->len), str_of(b->text, b->len));

	return order != 0 ? order : a->number < b->number ? -1 : 1;
}

static bool is_same(const struct item *a, const struct item *b)
{
	return str_eq(str_of(a->text, a->len), str_of(b->text, b->len));
}

static void check(struct sorter *sorter, uint32_t n)
{
	uint32_t number;
	bool same;

	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(
		    sorter_add(sorter, str_of(items[i].text, items[i].len), items[i].number), 0);
	assert_int_equal(sorter_finish(sorter), 0);
	qsort(items, n, sizeof(items[0]), compare);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(sorter_next(sorter, &number, &same), 1);
		assert_int_equal(number, items[i].number);
		assert_int_equal(same, i > 0 && is_same(&items[i], &items[i - 1]));
	}
	assert_int_equal(sorter_next(sorter, &number, &same), 0);
	sorter_free(sorter);
}

static void test_in_memory(void **state UNUSED)
{
	for (unsigned kind = 0; kind < 3; kind++) {
		make_items(kind);
		check(sorter_new_small(-1, N, TEXT_MAX * N, 2), N);
	}
	check(sorter_new_small(-1, N, 0, 2), 0);
	make_items(0);
	check(sorter_new_small(-1, N, 0, 2), 1);
}

/* Every run is written; few at a time are merged to one, again and again. */
static void test_in_runs(void **state UNUSED)
{
	static const struct {
		uint32_t n_records, pool_len, n_runs;
	} rooms[] = {{1000, 1 << 20, 8}, {1000, 20000, 64}, {7, 1 << 20, 5}, {300, 0, 2},
	    {N - 1, 1 << 22, 2}};

	for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
		for (unsigned kind = 0; kind < 3; kind++) {
			make_items(kind);
			check(sorter_new_small(
			          dir_fd, rooms[i].n_records, rooms[i].pool_len, rooms[i].n_runs),
			    N);
		}
	}
}

/* No folder to write to. */
static void test_fails(void **state UNUSED)
{
	struct sorter *sorter = sorter_new_small(-1, 3, 0, 2);

	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(sorter_add(sorter, STR("abcd"), i), 0);
	assert_int_equal(sorter_add(sorter, STR("abcd"), 3), -EBADF);
	sorter_free(sorter);
}

/* What lies on the disk is neither readable nor to be changed. */
static void test_spill(void **state UNUSED)
{
	static uint8_t block[SPILL_BLOCK_LEN], back[SPILL_BLOCK_LEN], raw[2 * SPILL_BLOCK_LEN];
	struct spill spill = {0};

	memset(block, 'x', sizeof(block));
	assert_int_equal(spill_init(&spill, dir_fd), 0);
	assert_int_equal(spill_add(&spill, block), 0);
	block[7] = 'y';
	assert_int_equal(spill_add(&spill, block), 0);
	assert_int_equal(spill_read(&spill, 1, back), 0);
	assert_memory_equal(back, block, sizeof(block));
	assert_int_equal(spill_read(&spill, 2, back), -EBADMSG);
	assert_int_equal(fd_pread_all(spill.fd, raw, sizeof(raw), 0), 0);
#ifndef GATEPOST_NO_SEALING
	assert_null(memmem(raw, sizeof(raw), "xxxx", 4));
	raw[100] ^= 1;
	assert_int_equal(io_pwrite(spill.fd, str_of(raw, 1000), 0), 0);
	assert_int_equal(spill_read(&spill, 0, back), -EBADMSG);
	assert_int_equal(spill_read(&spill, 1, back), 0);
#endif
	spill_done(&spill);
	spill_done(&spill);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_memory),
	    cmocka_unit_test(test_in_runs),
	    cmocka_unit_test(test_fails),
	    cmocka_unit_test(test_spill),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
