/* Many sessions that append to one account at once share their work, and each is told its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "store/store_append.h"
#include "store/store_ingest.h"
#include "store/test_account.h"
#include "store/test_expect.h"

enum { ARCHIVE = 6, SENT = 3, N_SESSIONS = 6, N_ROUNDS = 12, GROUP = 3, TEXT_MAX = 1024 };

static struct test_account t;

static int make_account(void **state UNUSED)
{
	test_account_make(&t);
	return 0;
}

static int remove_account(void **state UNUSED)
{
	test_account_remove(&t);
	return 0;
}

/* The `n`-th message of a session. */
static struct str message_of(unsigned session, unsigned n, struct buf *text)
{
	return test_message(session * 1000 + n, text);
}

static struct store_uids append(struct store *s, uint64_t mailbox, unsigned session, unsigned first,
    unsigned n, struct arena *a)
{
	struct store_append *append = NULL;
	struct store_uids uids = {0};
	uint32_t uidvalidity = 0;

	test_check(store_append_begin(s, mailbox, &append));
	for (unsigned i = first; i < first + n; i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
		struct store_append_message m = {.bytes = message_of(session, i, &text)};
		test_check(store_append_add(append, &m));
	}
	test_check(store_append_commit(append, a, &uidvalidity, &uids));
	store_append_free(append);
	assert_int_equal(uids.n, n);
	return uids;
}

/* What the client was told is so: the UIDs have these messages. */
static void check_uids(
    struct store *s, uint64_t mailbox, unsigned session, unsigned first, struct store_uids uids)
{
	struct store_view *v = NULL;

	test_check(store_view_open(s, mailbox, true, &v));
	for (size_t i = 0; i < uids.n; i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
		struct store_body *b = NULL;
		struct str bytes;
		size_t at = store_view_at(v, uids.v[i]);
		assert_true(at < v->n);
		struct store_entry e = store_view_entry(v, at);
		assert_int_equal(e.uid, uids.v[i]);
		test_check(store_body_open(s, e.message, &b));
		test_check(store_body_all(b, &bytes));
		assert_true(str_eq(bytes, message_of(session, first + (unsigned)i, &text)));
		store_body_close(b);
	}
	store_view_close(v);
}

/* Single messages and groups by turns, to two mailboxes. */
static void work(unsigned session)
{
	struct store *s = test_open(&t);

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		struct arena a CLEANUP(arena_done) = ARENA_MAX(4096);
		uint64_t mailbox = (session + i) % 2 ? ARCHIVE : SENT;
		unsigned n = i % 3 == 0 ? GROUP : 1;
		struct store_uids uids = append(s, mailbox, session, i * GROUP, n, &a);
		check_uids(s, mailbox, session, i * GROUP, uids);
	}
	store_close(s);
}

static size_t count(struct store *s, uint64_t mailbox)
{
	struct store_view *v = NULL;
	test_check(store_view_open(s, mailbox, true, &v));
	size_t n = v->n;
	store_view_close(v);
	return n;
}

static void test_together(void **state UNUSED)
{
	store_close(test_open(&t));
	for (unsigned i = 0; i < N_SESSIONS; i++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			work(i);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < N_SESSIONS; i++) {
		int status = -1;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	struct store *s = test_open(&t);
	size_t each = N_ROUNDS + (GROUP - 1) * (N_ROUNDS / 3);
	assert_int_equal(count(s, ARCHIVE) + count(s, SENT), N_SESSIONS * each);
	test_consistent(s, "Archive");
	test_consistent(s, "Sent");
	store_close(s);
	assert_int_equal(t.n_damage, 0);
}

/* More mail waits than one transaction takes in: the append comes behind it, with its own UID. */
static void test_behind_others(void **state UNUSED)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(4096);
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct buf record CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct letterbox_place place;
	struct store *s = test_open(&t);

	test_seal(&t, test_message(1, &text), &record);
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	test_check(letterbox_lock(l, LETTERBOX_WAIT_MS));
	for (unsigned i = 0; i < STORE_INGEST_BATCH + 1; i++)
		test_check(letterbox_append(l, buf_str(&record), &place));
	letterbox_unlock(l);
	struct store_uids uids = append(s, 1, 7, 0, 2, &a);
	assert_int_equal(uids.v[0], STORE_INGEST_BATCH + 2);
	check_uids(s, 1, 7, 0, uids);
	assert_int_equal(count(s, 1), STORE_INGEST_BATCH + 3);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_together, make_account, remove_account),
	    cmocka_unit_test_setup_teardown(test_behind_others, make_account, remove_account),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
