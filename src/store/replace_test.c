/*
 * A message that replaces another (REPLACE, RFC 8508): what is refused, and that wherever the
 * process is killed one of the two is there and not both.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <sys/wait.h>

#include "store/io.h"
#include "store/replaced.h"
#include "store/store_append.h"
#include "store/store_change.h"
#include "store/store_entry.h"
#include "store/store_ingest.h"
#include "store/store_private.h"
#include "store/store_view.h"
#include "store/test_account.h"
#include "store/test_expect.h"

enum { INBOX = 1, DRAFTS = 2 };

static struct test_account t;

/* Replaces INBOX's message of this UID by message `number`, in `mailbox`. */
static int replace(struct store *s, uint32_t uid, unsigned number, uint64_t mailbox)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	struct store_append_message m = {.bytes = test_message(number, &buf)};
	struct store_append *a = NULL;
	uint32_t uidvalidity;
	struct store_uids uids;
	int error = store_append_begin(s, mailbox, &a);
	if (!error)
		error = store_append_replace(a, INBOX, uid);
	if (!error)
		error = store_append_add(a, &m);
	if (!error)
		error = store_append_commit(a, &arena, &uidvalidity, &uids);
	store_append_free(a);
	return error;
}

struct numbers {
	bool has[10];
	unsigned n;
};

static void note(void *ctx, uint32_t uid UNUSED, struct str bytes)
{
	struct numbers *found = ctx;
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	for (unsigned i = 0; i < ARRAY_LEN(found->has); i++)
		found->has[i] |= str_eq(bytes, test_message(i, &buf));
	found->n++;
}

static struct numbers numbers_of(struct store *s, uint64_t mailbox)
{
	struct numbers found = {0};
	test_each_message(s, mailbox, note, &found);
	return found;
}

static struct store *fill(unsigned n)
{
	size_t taken;
	test_account_make(&t);
	struct store *s = test_open(&t);
	for (unsigned i = 0; i < n; i++)
		test_deliver_number(&t, i);
	assert_int_equal(store_ingest(s, &taken), 0);
	return s;
}

static void test_replace(void **state UNUSED)
{
	struct store *s = fill(3);
	uint32_t message;
	assert_int_equal(replace(s, 2, 7, INBOX), 0);
	struct numbers found = numbers_of(s, INBOX);
	assert_true(found.n == 3 && found.has[0] && found.has[2] && found.has[7]);
	assert_int_equal(store_entry_find(s, INBOX, 2, &message), -ENOENT);
	assert_int_equal(store_entry_find(s, INBOX, 4, &message), 0);
	/* Another mailbox, as when a draft was sent. */
	assert_int_equal(replace(s, 4, 8, DRAFTS), 0);
	found = numbers_of(s, INBOX);
	assert_true(found.n == 2 && found.has[0] && found.has[2]);
	found = numbers_of(s, DRAFTS);
	assert_true(found.n == 1 && found.has[8]);
	test_consistent(s, "INBOX");
	test_consistent(s, "Drafts");
	/* What is gone cannot be replaced, and nothing comes then. */
	assert_int_equal(replace(s, 4, 9, DRAFTS), -ESTALE);
	assert_int_equal(numbers_of(s, DRAFTS).n, 1);
	store_close(s);
	test_account_remove(&t);
}

/* A full account: only what really goes makes room, not a message that is elsewhere too. */
static void test_quota(void **state UNUSED)
{
	enum { LARGE = 4000 };
	struct buf large CLEANUP(buf_done) = BUF_MAX(2 * LARGE);
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store *s = fill(0);
	struct store_view *view;
	struct store_copy_result copied;
	struct store_uids gone;
	const uint32_t first = 1;
	uint64_t limit;
	size_t taken;
	buf_add(&large, STR("Subject: large\r\n\r\n"));
	uint32_t noise = 1;
	for (size_t i = 0; i < LARGE; i++) { /* does not get smaller by compression */
		noise = noise * 1664525 + 1013904223;
		buf_add_c(&large, (char)('0' + noise / 65536 % 64));
	}
	buf_add(&large, STR("\r\n"));
	test_deliver(&t, buf_str(&large));
	assert_int_equal(store_ingest(s, &taken), 0);
	assert_int_equal(store_view_open(s, INBOX, false, &view), 0);
	assert_int_equal(store_copy(view, (struct store_uids){&first, 1}, DRAFTS, STORE_COPY,
	                     UINT64_MAX, &arena, &copied),
	    0);
	store_view_close(view);
	assert_int_equal(store_usage(s, &s->keys.public.quota_bytes, &limit), 0);
	assert_int_equal(replace(s, 1, 7, INBOX), -EDQUOT);
	assert_int_equal(store_view_open(s, DRAFTS, false, &view), 0);
	assert_int_equal(store_remove(view, (struct store_uids){&first, 1}, &arena, &gone), 0);
	store_view_close(view);
	assert_int_equal(store_usage(s, &s->keys.public.quota_bytes, &limit), 0);
	assert_int_equal(replace(s, 1, 7, INBOX), 0);
	assert_true(numbers_of(s, INBOX).has[7]);
	store_close(s);
	test_account_remove(&t);
}

/* The letterbox remembers what was replaced by which UID; a new database gives other UIDs. */
static void test_rebuilt(void **state UNUSED)
{
	struct store *s = fill(3);
	assert_int_equal(replace(s, 1, 7, INBOX), 0);
	store_close(s);
	assert_int_equal(truncate("mailbox.db", 8192), 0);
	s = test_open(&t);
	struct numbers found = numbers_of(s, INBOX);
	assert_true(found.n == 3 && found.has[1] && found.has[2] && found.has[7]);
	test_consistent(s, "INBOX");
	store_close(s);
	test_account_remove(&t);
}

#ifdef GATEPOST_FAULTS

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

static ssize_t faulty_pwrite(int fd, const void *p, size_t len, off_t at)
{
	int error = io_fault_step();
	errno = -error;
	return error ? -1 : real_pwrite(fd, p, len, at);
}

static void hook_sqlite(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	sqlite3_syscall_ptr old = vfs->xGetSystemCall(vfs, "pwrite64");
	memcpy(&real_pwrite, &old, sizeof(old));
	assert_int_equal(
	    vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)faulty_pwrite), SQLITE_OK);
}

/* One of the two is there; the new one when that was said. */
static void check_one(bool said)
{
	size_t n;
	struct store *s = test_open(&t);
	assert_int_equal(store_ingest(s, &n), 0);
	struct numbers found = numbers_of(s, INBOX);
	assert_int_equal(found.n, 2);
	assert_true(found.has[0] && found.has[1] != found.has[7]);
	assert_true(!said || found.has[7]);
	test_consistent(s, "INBOX");
	store_close(s);
	test_account_remove(&t);
}

static void test_kills(void **state UNUSED)
{
	bool struck = true;
	uint64_t n = 1;
	hook_sqlite();
	for (; struck; n++) {
		int status;
		store_close(fill(2));
		pid_t pid = fork();
		if (pid == 0) {
			struct store *s = test_open(&t);
			io_fault_at(n, 0);
			int error = replace(s, 2, 7, INBOX);
			_exit(error ? 1 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		struck = WIFSIGNALED(status);
		assert_true(struck ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
		check_one(!struck);
	}
	assert_true(n > 4);
}

static void test_errors(void **state UNUSED)
{
	bool struck = true;
	for (uint64_t n = 1; struck; n++) {
		struct store *s = fill(2);
		io_fault_at(n, -EIO);
		int error = replace(s, 2, 7, INBOX);
		struck = io_fault_count() >= n;
		io_fault_at(0, 0);
		store_close(s);
		check_one(error == 0);
	}
}

#endif

/*
 * Who has the account's public key alone, as delivery has, can add what looks like an appended
 * message: but not take another one away with it, and it is told.
 */
static void test_unproven(void **state UNUSED)
{
	struct metadata m = {.kind = METADATA_APPENDED,
	    .mailbox_id = INBOX,
	    .mailbox = STR("INBOX"),
	    .group = 1,
	    .group_n = 1,
	    .replaced_mailbox = INBOX,
	    .replaced_uid = 2};
	struct buf record CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(4096);
	uint8_t proof[METADATA_PROOF_LEN];
	struct store *s = fill(3);
	struct store_mailbox inbox = {0};
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	size_t taken;
	assert_int_equal(store_mailbox_find(s, STR("INBOX"), &arena, &inbox), 0);
	m.replaced_validity = inbox.uidvalidity;
	/* Without a proof, with one for another message, with the right one. */
	for (unsigned i = 0; i < 3; i++) {
		if (i > 0) {
			m.replaced_uid = i == 1 ? 1 : 2;
			replaced_prove(s, &m, proof);
			m.replaced_uid = 2;
		}
		buf_clear(&record);
		test_seal_as(&t, &m, test_message(5 + i, &text), &record);
		(void)test_put(buf_str(&record));
		assert_int_equal(store_ingest(s, &taken), 0);
		struct numbers in = numbers_of(s, INBOX);
		assert_int_equal(in.has[1], i < 2);
		assert_int_equal(in.n, i < 2 ? 4 + i : 5);
		assert_int_equal(t.n_damage, i < 2 ? i + 1 : 2);
	}
	store_close(s);
	test_account_remove(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replace),
	    cmocka_unit_test(test_unproven),
	    cmocka_unit_test(test_quota),
	    cmocka_unit_test(test_rebuilt),
#ifdef GATEPOST_FAULTS
	    cmocka_unit_test(test_kills),
	    cmocka_unit_test(test_errors),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
