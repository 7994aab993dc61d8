/* Commands that ask much of few messages or names end in their time all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "session/imap/change.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"
#include "session/imap/search.h"
#include "store/store_ingest.h"
#include "store/test_account.h"
#include "store/test_expect.h"

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

/* All of them go through the same message. */
static void test_many_sections(void **state UNUSED)
{
	struct imap_fetch_item items[KEYS];
	struct imap_range first = {1, 1};
	const struct imap_command c = {
	    .id = IMAP_FETCH, .fetch = {.set = {.ranges = &first, .n = 1}, .items = {items, KEYS}}};
	size_t n_taken;

	test_deliver(&t, STR("Subject: one\r\n\r\nabc\r\n"));
	assert_int_equal(store_ingest(s.store, &n_taken), 0);
	assert_int_equal(store_view_open(s.store, 1, true, &s.view), 0);
	for (size_t i = 0; i < KEYS; i++)
		items[i] = (struct imap_fetch_item){.kind = FETCH_SECTION, .peek = true};
	imap_effort_begin(&s, STR("A1"));
	assert_int_equal(imap_cmd_fetch(&s, &c).status, IMAP_OK);
	begin_too_late();
	struct imap_result result = imap_cmd_fetch(&s, &c);
	clock_simulate(0);
	assert_int_equal(result.status, IMAP_NO);
	assert_true(str_eq(result.code, STR("LIMIT")));
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

enum { MANY = CHANGE_MOVES_AT_ONCE + 1000, ARCHIVE = 6 };

static struct store_uids deliver_many(void)
{
	static uint32_t uids[MANY];
	struct buf records CLEANUP(buf_done) = BUF_MAX(16 << 20);
	size_t n;

	for (size_t i = 0; i < MANY; i++)
		test_seal(&t, STR("Subject: many\r\n\r\nabc\r\n"), &records);
	test_put(buf_str(&records));
	assert_int_equal(store_ingest(s.store, &n), 0);
	assert_int_equal(n, MANY);
	assert_int_equal(store_view_open(s.store, 1, true, &s.view), 0);
	assert_int_equal(s.view->n, MANY);
	for (size_t i = 0; i < MANY; i++)
		uids[i] = store_view_entry(s.view, i).uid;
	return (struct store_uids){uids, MANY};
}

static uint32_t count_in(const char *name)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store_mailbox m;

	assert_int_equal(store_mailbox_find(s.store, str_of_cstr(name), &a, &m), 0);
	return m.n_messages;
}

/* What is done before the time is over is done; the rest with the next command. */
static void test_many_messages(void **state UNUSED)
{
	const struct store_flag_change deleted = {.mode = STORE_FLAGS_ADD, .flags = STORE_DELETED};
	struct store_uids uids = deliver_many();
	struct store_flag_result flagged;
	struct store_copy_result moved;
	size_t n;

	begin_too_late();
	assert_int_equal(change_move(&s, uids, ARCHIVE, STORE_FLAGS_MASK, &moved), -ETIME);
	assert_int_equal(moved.n, CHANGE_MOVES_AT_ONCE);
	assert_int_equal(moved.from[moved.n - 1], CHANGE_MOVES_AT_ONCE);
	assert_int_equal(count_in("Archive"), CHANGE_MOVES_AT_ONCE);
	clock_simulate(0);
	imap_effort_begin(&s, STR("A3"));
	assert_int_equal(change_move(&s, uids, ARCHIVE, STORE_FLAGS_MASK, &moved), 0);
	assert_int_equal(moved.n, MANY - CHANGE_MOVES_AT_ONCE);
	assert_int_equal(count_in("INBOX"), 0);
	store_view_close(s.view);

	assert_int_equal(store_view_open(s.store, ARCHIVE, true, &s.view), 0);
	assert_int_equal(change_flags(&s, uids, &deleted, &flagged), 0);
	assert_int_equal(flagged.n_changed, MANY);
	begin_too_late();
	assert_int_equal(change_expunge(&s, NULL, &n), -ETIME);
	assert_int_equal(n, STORE_EXPUNGE_MAX);
	assert_int_equal(count_in("Archive"), MANY - STORE_EXPUNGE_MAX);
	clock_simulate(0);
	imap_effort_begin(&s, STR("A4"));
	assert_int_equal(change_expunge(&s, &uids, &n), 0);
	assert_int_equal(n, MANY - STORE_EXPUNGE_MAX);
	assert_int_equal(count_in("Archive"), 0);
}

/* COPY is done whole or not at all (RFC 9051 §6.4.7), and not for as long as anybody likes. */
static void test_copy_of_many(void **state UNUSED)
{
	struct imap_range all = {1, MANY};
	const struct imap_command c = {
	    .id = IMAP_COPY, .name = STR("Archive"), .set = {.ranges = &all, .n = 1}};

	(void)deliver_many();
	assert_int_equal(imap_selected_rights(&s, s.view->mailbox, false), 0);
#ifdef GATEPOST_FAULTS
	store_copy_limit(1);
	struct imap_result result = imap_cmd_copy(&s, &c);
	store_copy_limit(STORE_COPY_MS_MAX);
	assert_int_equal(result.status, IMAP_NO);
	assert_true(str_eq(result.code, STR("LIMIT")));
	assert_int_equal(count_in("Archive"), 0);
#endif
	assert_int_equal(imap_cmd_copy(&s, &c).status, IMAP_OK);
	assert_int_equal(count_in("Archive"), MANY);
	assert_int_equal(count_in("INBOX"), MANY);
}

/* A large INBOX is renamed bit by bit: what did not go in time stays, and can be moved. */
static void test_rename_inbox(void **state UNUSED)
{
	const struct imap_command c = {
	    .id = IMAP_RENAME, .name = STR("INBOX"), .name2 = STR("Old")};
	struct store_uids uids = deliver_many();
	struct store_copy_result copied;
	uint32_t rest = MANY + 1;

	begin_too_late();
	struct imap_result result = imap_cmd_rename(&s, &c);
	clock_simulate(0);
	assert_int_equal(result.status, IMAP_NO);
	assert_true(str_eq(result.code, STR("LIMIT")));
	assert_int_equal(count_in("Old"), STORE_RENAME_MAX);
	assert_int_equal(count_in("INBOX"), MANY - STORE_RENAME_MAX);
	/* What comes to the new mailbox between two parts has its UID there. */
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store_mailbox old;
	assert_int_equal(store_mailbox_find(s.store, STR("Old"), &a, &old), 0);
	uids = (struct store_uids){uids.v + MANY - 1, 1};
	assert_int_equal(
	    store_copy(s.view, uids, old.id, STORE_COPY, STORE_FLAGS_MASK, &a, &copied), 0);
	assert_true(copied.n == 1 && copied.to[0] == STORE_RENAME_MAX + 1);
	assert_int_equal(store_mailbox_rename_rest(s.store, STR("Old"), &rest), 0);
	assert_int_equal(rest, 0);
	assert_int_equal(count_in("INBOX"), 0);
	assert_int_equal(count_in("Old"), MANY + 1);
	store_view_close(s.view);
	assert_int_equal(store_view_open(s.store, old.id, true, &s.view), 0);
	assert_int_equal(s.view->n, MANY + 1);
	assert_int_equal(store_view_entry(s.view, STORE_RENAME_MAX - 1).uid, STORE_RENAME_MAX);
	assert_int_equal(store_view_entry(s.view, MANY).uid, MANY + 1);
	test_consistent(s.store, "Old");
	test_consistent(s.store, "INBOX");
	/* And what is too late is not lost. */
	rest = MANY + 1;
	assert_int_equal(store_mailbox_rename_rest(s.store, STR("Gone"), &rest), -ENOENT);
}

/* In its time, too, with nothing left. */
static void test_rename_inbox_in_time(void **state UNUSED)
{
	const struct imap_command c = {
	    .id = IMAP_RENAME, .name = STR("INBOX"), .name2 = STR("Old")};

	(void)deliver_many();
	imap_effort_begin(&s, STR("A5"));
	assert_int_equal(imap_cmd_rename(&s, &c).status, IMAP_OK);
	assert_int_equal(count_in("INBOX"), 0);
	assert_int_equal(count_in("Old"), MANY);
}

/* Deleting a large mailbox empties it bit by bit; what is left goes with it. */
static void test_large_mailbox(void **state UNUSED)
{
	struct imap_command c = {.id = IMAP_DELETE, .name = STR("Large")};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store_copy_result moved;
	struct store_mailbox m;
	bool more = true;
	uint64_t id;

	assert_int_equal(store_mailbox_create(s.store, STR("Large"), STORE_NO_USE, &id), 0);
	assert_int_equal(change_move(&s, deliver_many(), id, STORE_FLAGS_MASK, &moved), 0);
	assert_int_equal(store_mailbox_thin_out(s.store, STR("INBOX"), &more), -EPERM);
	assert_int_equal(store_mailbox_thin_out(s.store, STR("Large"), &more), 0);
	assert_false(more);
	assert_int_equal(count_in("Large"), MANY - STORE_THIN_OUT_MAX);
	assert_int_equal(imap_cmd_delete(&s, &c).status, IMAP_OK);
	assert_int_equal(store_mailbox_find(s.store, STR("Large"), &a, &m), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_many_keys, begin, end),
	    cmocka_unit_test_setup_teardown(test_many_sections, begin, end),
	    cmocka_unit_test_setup_teardown(test_many_patterns, begin, end),
	    cmocka_unit_test_setup_teardown(test_many_messages, begin, end),
	    cmocka_unit_test_setup_teardown(test_copy_of_many, begin, end),
	    cmocka_unit_test_setup_teardown(test_rename_inbox, begin, end),
	    cmocka_unit_test_setup_teardown(test_rename_inbox_in_time, begin, end),
	    cmocka_unit_test_setup_teardown(test_large_mailbox, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
