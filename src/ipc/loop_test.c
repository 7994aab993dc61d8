#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/loop.h"
#include "ipc/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

struct record {
	struct loop *loop;
	size_t taken, closed;
	uint64_t sum;
	int error;
	int answer; /* what the handler returns */
	struct loop_entry *victim;
};

static int take_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct record *r = ctx;

	r->taken++;
	r->sum += ((struct ipc_drain *)msg)->ms;
	if (r->victim != NULL)
		loop_remove(r->victim);
	r->victim = NULL;
	return r->answer;
}

static void ended(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct record *r = ctx;

	r->closed++;
	r->error = error;
}

static const struct ipc_receiver receivers_v[] = {{IPC_DRAIN, take_drain}};
static const struct ipc_receivers receivers = {receivers_v, 1, ended};

static struct record record;
static int other; /* the test's end of the channel */
static struct loop_entry *entry;

static int make(void **state UNUSED)
{
	int ends[2];

	record = (struct record){0};
	assert_int_equal(loop_new(&record.loop), 0);
	assert_int_equal(ipc_pair(ends), 0);
	other = ends[1];
	entry = loop_add_channel(record.loop, ends[0], &receivers, &record);
	assert_non_null(entry);
	return 0;
}

static int unmake(void **state UNUSED)
{
	loop_free(record.loop);
	fd_close(&other);
	return 0;
}

static void send_drain(uint32_t ms)
{
	struct ipc_drain drain = {.ms = ms};

	assert_int_equal(ipc_send(other, IPC_DRAIN, &drain), 0);
}

static void once(void)
{
	assert_int_equal(loop_once(record.loop, 100), 0);
}

static void messages_reach_their_handler(void **state UNUSED)
{
	send_drain(5);
	send_drain(6);
	once();
	assert_int_equal(record.taken, 1);
	once();
	assert_int_equal(record.sum, 11);
	assert_int_equal(record.closed, 0);
}

static void what_is_not_in_the_table_ends_the_channel(void **state UNUSED)
{
	struct ipc_ready ready = {0};
	char c;

	assert_int_equal(ipc_send(other, IPC_READY, &ready), 0);
	once();
	assert_int_equal(record.closed, 1);
	assert_int_equal(record.error, -EPROTO);
	assert_int_equal(recv(other, &c, 1, 0), 0);
}

static void what_is_not_allowed_now_ends_the_channel(void **state UNUSED)
{
	record.answer = -EPROTO;
	send_drain(1);
	send_drain(1);
	once();
	once();
	assert_int_equal(record.taken, 1);
	assert_int_equal(record.error, -EPROTO);
}

static void garbage_ends_the_channel(void **state UNUSED)
{
	assert_int_equal(send(other, "garbage", 7, 0), 7);
	once();
	assert_int_equal(record.closed, 1);
	assert_int_equal(record.error, -EBADMSG);
}

static int take_peer(struct loop_entry *from, void *msg, void *ctx)
{
	struct ipc_peer *peer = msg;

	if (loop_add_channel(loop_entry_loop(from), peer->channel, &receivers, ctx) == NULL)
		return -ENOMEM;
	peer->channel = -1;
	return 0;
}

static void a_peers_misconduct_is_told_to_the_supervisor(void **state UNUSED)
{
	static const struct ipc_receiver from_supervisor_v[] = {{IPC_PEER, take_peer}};
	static const struct ipc_receivers from_supervisor = {from_supervisor_v, 1, ended};
	struct ipc_received m;
	int ends[2], peer_ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	assert_int_equal(ipc_pair(peer_ends), 0);
	assert_non_null(loop_add_channel(record.loop, ends[0], &from_supervisor, &record));
	struct ipc_peer peer = {.role = ROLE_DELIVERY, .index = 3, .channel = peer_ends[0]};
	assert_int_equal(ipc_send(ends[1], IPC_PEER, &peer), 0);
	close(peer_ends[0]);
	once();
	/* A channel that did not come by IPC_PEER is nobody's affair but its owner's. */
	assert_int_equal(send(other, "garbage", 7, 0), 7);
	once();
	assert_int_equal(record.error, -EBADMSG);
	assert_int_equal(fd_set_nonblocking(ends[1], true), 0);
	assert_int_equal(ipc_recv(ends[1], &m), -EAGAIN);
	assert_int_equal(send(peer_ends[1], "garbage", 7, 0), 7);
	once();
	assert_int_equal(record.closed, 2);
	assert_int_equal(ipc_recv(ends[1], &m), 0);
	struct ipc_misconduct *told = m.msg;
	assert_int_equal(m.type, IPC_MISCONDUCT);
	assert_int_equal(told->role, ROLE_DELIVERY);
	assert_int_equal(told->index, 3);
	ipc_received_done(&m);
	close(peer_ends[1]);
	close(ends[1]);
}

static void an_orderly_end_is_no_error(void **state UNUSED)
{
	send_drain(1);
	fd_close(&other);
	once();
	once();
	assert_int_equal(record.taken, 1);
	assert_int_equal(record.closed, 1);
	assert_int_equal(record.error, 0);
}

static void an_entry_removed_in_the_round_is_not_called(void **state UNUSED)
{
	int ends[2];
	struct record second = {.loop = record.loop};

	/* Two channels ready in one round; whichever comes first removes the other. */
	assert_int_equal(ipc_pair(ends), 0);
	struct loop_entry *e = loop_add_channel(record.loop, ends[0], &receivers, &second);
	assert_non_null(e);
	record.victim = e;
	second.victim = entry;
	send_drain(1);
	struct ipc_drain drain = {.ms = 1};
	assert_int_equal(ipc_send(ends[1], IPC_DRAIN, &drain), 0);
	once();
	assert_int_equal(record.taken + second.taken, 1);
	once();
	assert_int_equal(record.taken + second.taken, 1);
	close(ends[1]);
}

static void what_does_not_fit_is_sent_later(void **state UNUSED)
{
	enum { MANY = 3000 };
	struct ipc_received m;
	uint64_t sum = 0;
	size_t got = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		struct ipc_peer peer = {.role = ROLE_LEDGER, .index = (uint16_t)i, .channel = 2};
		if (i % 100 == 0)
			assert_int_equal(loop_send(entry, IPC_PEER, &peer), 0);
		struct ipc_drain drain = {.ms = i};
		assert_int_equal(loop_send(entry, IPC_DRAIN, &drain), 0);
	}
	assert_int_equal(fd_set_nonblocking(other, true), 0);
	while (got < MANY + MANY / 100) {
		int r = ipc_recv(other, &m);
		if (r == -EAGAIN) {
			once();
			continue;
		}
		assert_int_equal(r, 0);
		got++;
		if (m.type == IPC_DRAIN)
			assert_int_equal(((struct ipc_drain *)m.msg)->ms, sum++);
		ipc_received_done(&m);
	}
	assert_int_equal(sum, MANY);
}

static void who_never_reads_is_ended(void **state UNUSED)
{
	static char filler[IPC_TEXT_MAX];
	struct ipc_control_done done = {.reason = str_of(filler, sizeof(filler))};
	int r = 0;
	size_t sent = 0;

	for (; r == 0 && sent < 100000; sent++)
		r = loop_send(entry, IPC_CONTROL_DONE, &done);
	assert_int_equal(r, -EAGAIN);
	assert_true(sent > LOOP_PENDING_MAX / sizeof(filler) / 2);
	assert_int_equal(record.closed, 0);
	once();
	assert_int_equal(record.closed, 1);
	assert_int_equal(record.error, -EAGAIN);
}

/* What is kept of small messages costs more than their bytes, and that counts. */
static void small_messages_fill_it_too(void **state UNUSED)
{
	enum { SOCKET_HOLDS_MAX = 2000, EACH_LEAST = 32 };
	struct ipc_drain drain = {.ms = 1};
	size_t sent = 0;
	int r = 0;

	assert_false(loop_has_pending(entry));
	for (; r == 0 && sent < 200000; sent++)
		r = loop_send(entry, IPC_DRAIN, &drain);
	assert_int_equal(r, -EAGAIN);
	assert_true(sent < LOOP_PENDING_MAX / EACH_LEAST + SOCKET_HOLDS_MAX);
}

static void what_is_only_offered_is_not_kept(void **state UNUSED)
{
	static char filler[IPC_TEXT_MAX];
	struct ipc_control_done done = {.reason = str_of(filler, sizeof(filler))};
	struct ipc_received m;
	int r = 0;

	for (size_t sent = 0; r == 0 && sent < 100000; sent++)
		r = loop_offer(entry, IPC_CONTROL_DONE, &done);
	assert_int_equal(r, -EAGAIN);
	send_drain(1);
	once();
	assert_int_equal(record.taken, 1);
	assert_int_equal(record.closed, 0);
	assert_int_equal(fd_set_nonblocking(other, true), 0);
	while ((r = ipc_recv(other, &m)) == 0)
		ipc_received_done(&m);
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(loop_offer(entry, IPC_CONTROL_DONE, &done), 0);
}

static void a_released_channel_lives_on(void **state UNUSED)
{
	struct ipc_received m;
	int fd CLEANUP(fd_close) = loop_release(entry);

	send_drain(9);
	once();
	assert_int_equal(record.taken, 0);
	assert_int_equal(record.closed, 0);
	assert_int_equal(ipc_recv(fd, &m), 0);
	ipc_received_done(&m);
}

static char order[16];

static void append_a(void *ctx UNUSED)
{
	order[strlen(order)] = 'a';
}

static void append_b(void *ctx)
{
	order[strlen(order)] = 'b';
	if (ctx != NULL)
		loop_stop(ctx);
}

static void timers_run_in_order_of_time(void **state UNUSED)
{
	memset(order, 0, sizeof(order));
	assert_int_equal(loop_after(record.loop, 40, append_b, record.loop), 0);
	assert_int_equal(loop_after(record.loop, 10, append_b, NULL), 0);
	assert_int_equal(loop_after(record.loop, 10, append_a, NULL), 0);
	assert_int_equal(loop_after(record.loop, 5, append_a, NULL), 0);
	assert_int_equal(loop_after(record.loop, 20, append_a, order), 0);
	loop_forget(record.loop, order);
	uint64_t before = clock_ms();
	assert_int_equal(loop_run(record.loop), 0);
	assert_true(clock_ms() - before >= 39);
	assert_string_equal(order, "abab");
}

static uint64_t last_due;
static size_t n_due;

static void check_due(void *ctx)
{
	uint64_t due = *(uint64_t *)ctx;

	assert_true(due >= last_due);
	last_due = due;
	n_due++;
}

static void many_timers_keep_their_order(void **state UNUSED)
{
	enum { MANY = 2000 };
	static uint64_t due[MANY];

	last_due = n_due = 0;
	memset(order, 0, sizeof(order));
	clock_simulate(1); /* one moment for all; when time runs again, all are due */
	for (size_t i = 0; i < MANY; i++) {
		due[i] = (i * 7919) % 50;
		assert_int_equal(loop_after(record.loop, due[i], check_due, &due[i]), 0);
	}
	for (size_t i = 0; i < MANY; i += 3)
		loop_forget(record.loop, &due[i]);
	assert_int_equal(loop_after(record.loop, 60, append_b, record.loop), 0);
	clock_simulate(0);
	assert_int_equal(loop_run(record.loop), 0);
	assert_int_equal(n_due, MANY - (MANY + 2) / 3);
}

static void read_one(struct loop_entry *e, void *ctx)
{
	struct record *r = ctx;
	char c;

	if (read(loop_entry_fd(e), &c, 1) != 1)
		loop_remove(e);
	else
		r->taken++;
}

static void plain_descriptors_are_watched(void **state UNUSED)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct loop_entry *e = loop_add_fd(record.loop, ends[0], read_one, &record);
	assert_non_null(e);
	assert_int_equal(write(ends[1], "ab", 2), 2);
	loop_pause(e, true);
	once();
	assert_int_equal(record.taken, 0);
	loop_pause(e, false);
	once();
	once();
	assert_int_equal(record.taken, 2);
	close(ends[1]);
	once();
	once();
	assert_int_equal(record.taken, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(messages_reach_their_handler),
	    TEST(what_is_not_in_the_table_ends_the_channel),
	    TEST(what_is_not_allowed_now_ends_the_channel),
	    TEST(garbage_ends_the_channel),
	    TEST(a_peers_misconduct_is_told_to_the_supervisor),
	    TEST(an_orderly_end_is_no_error),
	    TEST(an_entry_removed_in_the_round_is_not_called),
	    TEST(what_does_not_fit_is_sent_later),
	    TEST(who_never_reads_is_ended),
	    TEST(small_messages_fill_it_too),
	    TEST(what_is_only_offered_is_not_kept),
	    TEST(a_released_channel_lives_on),
	    TEST(timers_run_in_order_of_time),
	    TEST(many_timers_keep_their_order),
	    TEST(plain_descriptors_are_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
