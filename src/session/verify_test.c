/* A session that checks its account and answers on a channel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/messages.h"
#include "seal/vfs.h"
#include "session/verify.h"
#include "store/test_account.h"
#include "store/test_expect.h"

static struct test_account t;
static int stream[2], registry[2]; /* ours, the session's */

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	struct store *s = test_open(&t);
	store_close(s);
	test_deliver_number(&t, 1);
	test_check(ipc_pair(stream));
	test_check(ipc_pair(registry));
	test_check(fd_set_nonblocking(registry[1], true));
	return 0;
}

static int teardown(void **state UNUSED)
{
	for (size_t i = 0; i < 2; i++) {
		fd_close(&stream[i]);
		fd_close(&registry[i]);
	}
	test_account_remove(&t);
	return 0;
}

static int verify(const struct secret *master)
{
	const struct store_watch watch = {test_on_damage, &t};
	return session_verify(TEST_ACCOUNT, master, &watch, stream[1], registry[1]);
}

/* The last message, after `n` damages, the last of which was in `file`. */
static struct ipc_verified expect_end(unsigned n, const char *file)
{
	struct ipc_verified end = {0};
	for (unsigned n_found = 0; !end.done;) {
		struct ipc_received m;
		assert_int_equal(ipc_recv(stream[0], &m), 0);
		if (m.type == IPC_DAMAGE) {
			const struct ipc_damage *damage = m.msg;
			assert_true(str_eq(damage->file, str_of_cstr(file)));
			n_found++;
		} else {
			assert_int_equal(m.type, IPC_VERIFIED);
			end = *(const struct ipc_verified *)m.msg;
		}
		ipc_received_done(&m);
		if (end.done)
			assert_int_equal(n_found, n);
	}
	return end;
}

static void test_sound(void **state UNUSED)
{
	assert_int_equal(verify(t.master), 0);
	struct ipc_verified end = expect_end(0, "");
	assert_int_equal(end.error, 0);
	assert_int_equal(end.n_damaged, 0);
	assert_int_equal(end.with_key, 1);
	assert_int_equal(end.n_files, 3);
	assert_true(end.bytes > 5 * VFS_PAGE_LEN && end.bytes <= end.of_bytes);
	assert_int_equal(verify(NULL), 0);
	end = expect_end(0, "");
	assert_int_equal(end.with_key, 0);
	assert_int_equal(end.n_files, 2);
}

/* The index only with the key, the record without it too; both heard by the registry's watch. */
static void test_damage(void **state UNUSED)
{
	test_flip("mailbox.db", 4 * VFS_PAGE_LEN + 1);
	assert_int_equal(verify(NULL), 0);
	assert_int_equal(expect_end(0, "").n_damaged, 0);
	assert_int_equal(verify(t.master), 0);
	assert_int_equal(expect_end(1, "mailbox.db").n_damaged, 1);
	assert_int_equal(t.n_damage, 1);
	test_flip("mailbox.db", 4 * VFS_PAGE_LEN + 1);
	test_flip("letterbox/000001.seg", 150);
	assert_int_equal(verify(NULL), 0);
	assert_int_equal(expect_end(1, "letterbox/000001.seg").n_damaged, 1);
	assert_int_equal(t.n_damage, 2);
}

static void test_wrong_key(void **state UNUSED)
{
	struct secret *other CLEANUP(secret_free) = secret_random();
	assert_int_equal(verify(other), -EACCES);
	assert_int_equal(expect_end(0, "").error, EACCES);
}

/* More than one step is then to be done. */
static void deliver_large(void)
{
	enum { LARGE_LEN = 4 << 20 };
	char *bytes = malloc(LARGE_LEN);
	assert_non_null(bytes);
	cipher_random(bytes, LARGE_LEN);
	test_deliver(&t, str_of(bytes, LARGE_LEN));
	free(bytes);
}

/* It does not wait for somebody who does not read. */
static void test_nobody_reads(void **state UNUSED)
{
	static const struct ipc_verified nothing = {.done = 0};
	deliver_large();
	test_flip("mailbox.db", 4 * VFS_PAGE_LEN + 1);
	assert_int_equal(fd_set_nonblocking(stream[1], true), 0);
	while (ipc_send(stream[1], IPC_VERIFIED, &nothing) == 0)
		;
	assert_int_equal(fd_set_nonblocking(stream[1], false), 0);
	assert_int_equal(verify(t.master), -ECANCELED);
}

/* It ends when nobody is there to hear it. */
static void test_alone(void **state UNUSED)
{
	deliver_large();
	assert_int_equal(verify(t.master), 0);
	assert_int_equal(expect_end(0, "").error, 0);
	const struct ipc_drain drain = {.ms = 1000};
	assert_int_equal(ipc_send(registry[0], IPC_DRAIN, &drain), 0);
	assert_int_equal(verify(t.master), -ECANCELED);
	assert_int_equal(expect_end(0, "").error, ECANCELED);
	fd_close(&registry[0]);
	assert_int_equal(verify(t.master), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_sound, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong_key, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nobody_reads, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
