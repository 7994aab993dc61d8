/* A stream that is given back, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/give_back.h"

struct ends {
	int gate, session;
};

static struct ends begin(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	return (struct ends){pair[0], pair[1]};
}

static void finish(struct ends *e)
{
	fd_close(&e->gate);
	fd_close(&e->session);
}

static int n_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_given_back(void **state)
{
	struct ends e = begin();
	char got[64];
	bool given = true;
	int open_before = n_open();

	(void)state;
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), -EAGAIN);
	assert_int_equal(fd_write_all(e.session, STR("a OK.")), 0);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), 5);
	assert_false(given);
	assert_int_equal(fd_write_all(e.session, STR("b OK")), 0);
	assert_int_equal(give_back_send(e.session, 100), 0);
	assert_int_equal(fd_write_all(e.session, STR("rest")), 0);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), 4);
	assert_memory_equal(got, "b OK", 4);
	assert_true(given);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), 4);
	assert_memory_equal(got, "rest", 4);
	assert_false(given);
	assert_int_equal(n_open(), open_before);
	fd_close(&e.session);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), 0);
	assert_false(given);
	finish(&e);
}

/* The bytes before it do not fit: it is seen with the last of them. */
static void test_in_pieces(void **state)
{
	struct ends e = begin();
	char got[2];
	bool given;

	(void)state;
	assert_int_equal(fd_write_all(e.session, STR("abc")), 0);
	assert_int_equal(give_back_send(e.session, 100), 0);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), 2);
	assert_false(given);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), 1);
	assert_true(given && got[0] == 'c');
	assert_int_equal(give_back_send(e.session, 100), 0);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), 0);
	assert_true(given);
	finish(&e);
}

static void send_descriptors(int stream, const char *byte, size_t n)
{
	struct iovec part = {.iov_base = (char *)(uintptr_t)byte, .iov_len = 1};
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &stream, sizeof(int));
	assert_int_equal(sendmsg(stream, &m, 0), 1);
}

/* A broken session gets none of its descriptors kept. */
static void test_others_are_refused(void **state)
{
	static const size_t numbers[] = {2, 4, 5, 16};
	char got[8];
	bool given;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct ends e = begin();
		int open_before = n_open();
		send_descriptors(e.session, ".", numbers[i]);
		assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), -EBADMSG);
		assert_int_equal(n_open(), open_before);
		finish(&e);
	}
	struct ends e = begin();
	send_descriptors(e.session, "x", 1);
	assert_int_equal(give_back_recv(e.gate, got, sizeof(got), &given), -EBADMSG);
	finish(&e);
}

static void test_no_room(void **state)
{
	struct ends e = begin();
	char filling[4096] = {0};

	(void)state;
	while (send(e.session, filling, sizeof(filling), MSG_DONTWAIT) > 0)
		;
	while (send(e.session, filling, 1, MSG_DONTWAIT) > 0)
		;
	assert_int_equal(give_back_send(e.session, 20), -ETIMEDOUT);
	fd_close(&e.gate);
	assert_int_equal(give_back_send(e.session, 20), -EPIPE);
	finish(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_given_back),
	    cmocka_unit_test(test_in_pieces),
	    cmocka_unit_test(test_others_are_refused),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
