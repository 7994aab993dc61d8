/* Commands that ask much of few messages or names end in their time all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "session/imap/commands.h"
#include "session/imap/search.h"
#include "store/store_ingest.h"
#include "store/test_account.h"

enum { KEYS = 2 * EFFORT_LOOK / EFFORT_MESSAGE };

static struct test_account t;
static struct imap_session s;
static int pair[2];

static int search(const struct imap_search_key *keys)
{
	struct imap_search_key copies[KEYS];
	struct imap_search_key all = {.op = SEARCH_AND, .child = copies};
	struct search_found found;

	memcpy(copies, keys, sizeof(copies));
	for (size_t i = 0; i < KEYS; i++)
		copies[i].next = i + 1 < KEYS ? &copies[i + 1] : NULL;
	int r = search_run(&s, &all, &found);
	if (r == 0)
		assert_int_equal(found.n, 1);
	return r;
}

static int begin(void **state UNUSED)
{
	test_account_make(&t);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	imap_session_init(&s, test_open(&t), pair[0], -1, 100000);
	return 0;
}

static int end(void **state UNUSED)
{
	struct store *store = s.store;

	imap_session_done(&s);
	store_close(store);
	close(pair[0]);
	close(pair[1]);
	test_account_remove(&t);
	return 0;
}

/* A command begins, and its time passes at once. */
static void begin_too_late(void)
{
	uint64_t start = clock_ms();

	clock_simulate(start);
	imap_effort_begin(&s, STR("A2"));
	clock_simulate(start + EFFORT_CPU_MS + 1);
}

/* All of them go into the same message. */
static void test_many_keys(void **state UNUSED)
{
	struct imap_search_key keys[KEYS];
	size_t n_taken;

	test_deliver(&t, STR("Subject: one\r\n\r\nabc\r\n"));
	assert_int_equal(store_ingest(s.store, &n_taken), 0);
	assert_int_equal(store_view_open(s.store, 1, true, &s.view), 0);
	for (size_t i = 0; i < KEYS; i++)
		keys[i] = (struct imap_search_key){.op = SEARCH_BODY, .text = STR("abc")};
	imap_effort_begin(&s, STR("A1"));
	assert_int_equal(search(keys), 0);
	begin_too_late();
	assert_int_equal(search(keys), -ETIME);
	clock_simulate(0);
}

/* All of them are compared with the same few names. */
static void test_many_patterns(void **state UNUSED)
{
	struct str patterns[KEYS];
	struct imap_command c = {
	    .id = IMAP_LIST, .list = {.patterns = patterns, .n_patterns = KEYS}};

	for (size_t i = 0; i < KEYS; i++)
		patterns[i] = STR("*nothing*");
	imap_effort_begin(&s, STR("A1"));
	assert_int_equal(imap_cmd_list(&s, &c).status, IMAP_OK);
	begin_too_late();
	struct imap_result result = imap_cmd_list(&s, &c);
	clock_simulate(0);
	assert_int_equal(result.status, IMAP_NO);
	assert_true(str_eq(result.code, STR("LIMIT")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_many_keys, begin, end),
	    cmocka_unit_test_setup_teardown(test_many_patterns, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
