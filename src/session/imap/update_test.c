/* News that cannot be taken in: it stays news, and is tried again without haste. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "session/imap/commands.h"
#include "session/imap/imap_session.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/test_account.h"

static struct test_account t;
static bool failing;
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

static ssize_t faulty_pwrite(int fd, const void *p, size_t len, off_t at)
{
	if (!failing)
		return real_pwrite(fd, p, len, at);
	errno = ENOSPC;
	return -1;
}

static void hook_sqlite(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	sqlite3_syscall_ptr old = vfs->xGetSystemCall(vfs, "pwrite64");

	assert_true(old != NULL);
	memcpy(&real_pwrite, &old, sizeof(old));
	assert_int_equal(
	    vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)faulty_pwrite), SQLITE_OK);
}

static void test_try_again(void **state UNUSED)
{
	int pair[2];
	struct imap_session s;

	test_account_make(&t);
	hook_sqlite();
	struct store *store = test_open(&t);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	imap_session_init(&s, store, pair[0], -1, 100000);
	s.rights = STORE_RIGHTS_ALL;
	assert_int_equal(store_view_open(store, 1, false, &s.view), 0);
	test_deliver_number(&t, 1);

	failing = true;
	s.changed = true;
	imap_take_in(&s);
	assert_true(s.changed);
	uint64_t before = clock_ms();
	assert_true(s.try_again_at_ms > before);
	failing = false;
	assert_int_equal(imap_wait(&s, true), IMAP_WAIT_CHANGED);
	assert_true(clock_ms() >= s.try_again_at_ms);
	imap_take_in(&s);
	assert_false(s.changed);
	assert_true(imap_send_updates(&s, false, false));
	assert_int_equal(s.view->n, 1);
	char told[256];
	assert_int_equal(imap_output_flush(&s.out), 0);
	ssize_t len = read(pair[1], told, sizeof(told));
	assert_true(len > 0);
	struct str line = str_of(told, (size_t)len);
	assert_true(str_find(line, STR("* 1 EXISTS\r\n")) < line.len);

	/* A list that the arena cannot hold would never be told: the connection ends. */
	struct store_view *other;
	struct store_flag_change seen = {.mode = STORE_FLAGS_ADD, .flags = STORE_SEEN};
	struct store_flag_result result;
	const uint32_t first = 1;
	assert_int_equal(store_view_open(store, 1, false, &other), 0);
	assert_int_equal(
	    store_flags(other, (struct store_uids){&first, 1}, &seen, &s.arena, &result), 0);
	store_view_close(other);
	arena_done(&s.arena);
	s.arena.max = 1;
	assert_false(imap_send_updates(&s, false, false));
	assert_true(s.ending);
	assert_int_equal(s.view->n, 1);

	imap_session_done(&s);
	store_close(store);
	close(pair[0]);
	close(pair[1]);
	test_account_remove(&t);
}

/* More mail than is taken in at once: the mailbox grows while the client is silent. */
static void test_bit_by_bit(void **state UNUSED)
{
	enum { WAITING = 2 * STORE_INGEST_BATCH + 1 };
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct buf text CLEANUP(buf_done) = BUF_MAX(1024), record CLEANUP(buf_done) = BUF_MAX(8192);
	struct letterbox_place place;
	struct imap_session s;
	int pair[2];

	test_account_make(&t);
	struct store *store = test_open(&t);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	imap_session_init(&s, store, pair[0], -1, 100000);
	s.rights = STORE_RIGHTS_ALL;
	test_seal(&t, test_message(1, &text), &record);
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	test_check(letterbox_lock(l, LETTERBOX_WAIT_MS));
	for (unsigned i = 0; i < WAITING; i++)
		test_check(letterbox_append(l, buf_str(&record), &place));
	letterbox_unlock(l);

	imap_take_in_some(&s);
	assert_true(s.mail_waits && s.changed);
	assert_false(imap_is_due(&s)); /* not with every command */
	assert_int_equal(store_view_open(store, 1, false, &s.view), 0);
	assert_int_equal(s.view->n, STORE_INGEST_BATCH);

	/* In IDLE the next bit comes at once, and is told. */
	assert_int_equal(imap_wait(&s, true), IMAP_WAIT_CHANGED);
	imap_take_in_some(&s);
	assert_true(imap_send_updates(&s, false, false));
	assert_int_equal(s.view->n, 2 * STORE_INGEST_BATCH);

	/* In a silence too, and it is told with the next command. */
	assert_true(s.mail_waits);
	s.timeout_ms = 20 * IMAP_TAKE_IN_AFTER_MS;
	assert_int_equal(imap_wait(&s, false), IMAP_WAIT_END);
	assert_false(s.mail_waits);
	s.ending = false;
	assert_true(imap_send_updates(&s, false, false));
	assert_int_equal(s.view->n, WAITING);

	imap_session_done(&s);
	store_close(store);
	close(pair[0]);
	close(pair[1]);
	test_account_remove(&t);
}

/* What NOTIFY tells of many new messages, long after the last command: that one's tag is gone. */
static void test_tells_unasked(void **state UNUSED)
{
	enum { MANY = 2 * EFFORT_LOOK / EFFORT_MESSAGE };
	struct imap_fetch_item item = {.kind = FETCH_SECTION, .peek = true};
	const struct imap_fetch_items items = {.v = &item, .n = 1};
	struct imap_session s;
	int pair[2];

	test_account_make(&t);
	struct store *store = test_open(&t);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	imap_session_init(&s, store, pair[0], -1, 100000);
	s.rights = STORE_RIGHTS_ALL;
	for (unsigned i = 0; i < MANY; i++)
		test_deliver_number(&t, i);
	imap_take_in(&s);
	assert_int_equal(store_view_open(store, 1, false, &s.view), 0);
	assert_int_equal(s.view->n, MANY);
	char *tag = strdup("A1");
	assert_non_null(tag);
	imap_effort_begin(&s, str_of_cstr(tag));
	free(tag);
	s.effort.tell_at_ms = 0;
	assert_int_equal(imap_fetch_new(&s, &items, 0), 0);
	struct str told = buf_str(&s.out.buf);
	assert_int_equal(str_find(told, STR("INPROGRESS")), told.len);
	assert_true(str_find(told, STR("* 32 FETCH (UID 32 BODY[] {")) < told.len);

	imap_session_done(&s);
	store_close(store);
	close(pair[0]);
	close(pair[1]);
	test_account_remove(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bit_by_bit),
	    cmocka_unit_test(test_tells_unasked), cmocka_unit_test(test_try_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
