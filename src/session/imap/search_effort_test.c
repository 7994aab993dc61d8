/* A search with many keys ends in its time, also where all of it goes into one message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "session/imap/search.h"
#include "store/store_ingest.h"
#include "store/test_account.h"

enum { KEYS = 2 * EFFORT_LOOK / EFFORT_MESSAGE };

static int search(struct imap_session *s, const struct imap_search_key *keys)
{
	struct imap_search_key copies[KEYS];
	struct imap_search_key all = {.op = SEARCH_AND, .child = copies};
	struct search_found found;

	memcpy(copies, keys, sizeof(copies));
	for (size_t i = 0; i < KEYS; i++)
		copies[i].next = i + 1 < KEYS ? &copies[i + 1] : NULL;
	int r = search_run(s, &all, &found);
	if (r == 0)
		assert_int_equal(found.n, 1);
	return r;
}

static void test_many_keys(void **state UNUSED)
{
	struct imap_search_key keys[KEYS];
	struct test_account t;
	struct imap_session s;
	size_t n_taken;
	int pair[2];

	test_account_make(&t);
	struct store *store = test_open(&t);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	imap_session_init(&s, store, pair[0], -1, 100000);
	test_deliver(&t, STR("Subject: one\r\n\r\nabc\r\n"));
	assert_int_equal(store_ingest(store, &n_taken), 0);
	assert_int_equal(store_view_open(store, 1, true, &s.view), 0);
	for (size_t i = 0; i < KEYS; i++)
		keys[i] = (struct imap_search_key){.op = SEARCH_BODY, .text = STR("abc")};

	uint64_t start = clock_ms();
	imap_effort_begin(&s, STR("A1"));
	assert_int_equal(search(&s, keys), 0);
	clock_simulate(start);
	imap_effort_begin(&s, STR("A2"));
	clock_simulate(start + EFFORT_CPU_MS + 1);
	assert_int_equal(search(&s, keys), -ETIME);
	clock_simulate(0);

	imap_session_done(&s);
	store_close(store);
	close(pair[0]);
	close(pair[1]);
	test_account_remove(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_keys)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
