#include "sandbox/brood.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/outgoing.h"

enum { MAX = 3, LASTS_MS = 1000, STEPS = 5 };

static struct {
	struct brood brood;
	int supervisor, ledger, work; /* our ends */
	int go[2];                    /* children wait until it is closed */
	unsigned n_ended, n_room, n_drained;
	void *last_task;
	bool busy;
} w;

static void ended(void *task, void *ctx)
{
	assert_ptr_equal(ctx, &w);
	w.n_ended++;
	w.last_task = task;
}

static void has_room(void *ctx UNUSED)
{
	w.n_room++;
}

static bool is_busy(void *ctx UNUSED)
{
	return w.busy;
}

static void drains(void *ctx UNUSED)
{
	w.n_drained++;
}

static int on_work(struct loop_entry *from UNUSED, void *msg UNUSED, void *ctx)
{
	assert_ptr_equal(((struct brood *)ctx)->ctx, &w);
	return -EPROTO;
}

static const struct ipc_receiver work_messages[] = {{IPC_COURIER, on_work}};
static const struct brood_kind kind = {
    .child = "worker",
    .crash = LEDGER_ALARM_ROLE_CRASH,
    .lasts_ms = LASTS_MS,
    .drains = drains,
    .ended = ended,
    .has_room = has_room,
    .is_busy = is_busy,
};
static const struct brood_kind hasty = {
    .child = "worker", .lasts_ms = LASTS_MS, .stops_at_once = true};
static struct brood_partner partners[2];

/* A few rounds, or until something is there. */
static void go(void)
{
	for (int i = 0; i < STEPS; i++)
		assert_int_equal(loop_once(w.brood.loop, 20), 0);
}

static int join(enum role role)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	const struct ipc_peer peer = {.role = (uint8_t)role, .channel = ends[1]};
	assert_int_equal(ipc_send(w.supervisor, IPC_PEER, &peer), 0);
	close(ends[1]);
	go();
	return ends[0];
}

static void begin(const struct brood_kind *which)
{
	int ends[2];

	memset(&w, 0, sizeof(w));
	partners[0] =
	    (struct brood_partner){.role = ROLE_QUEUE, .messages = work_messages, .n_messages = 1};
	partners[1] = (struct brood_partner){.role = ROLE_LEDGER};
	assert_int_equal(ipc_pair(ends), 0);
	w.supervisor = ends[0];
	assert_int_equal(brood_open(&w.brood, which, MAX, ends[1], partners, 2, &w), 0);
	assert_int_equal(pipe(w.go), 0);
	w.ledger = join(ROLE_LEDGER);
	w.work = join(ROLE_QUEUE);
}

static void end(void)
{
	brood_close(&w.brood);
	fd_close(&w.supervisor);
	fd_close(&w.ledger);
	fd_close(&w.work);
	fd_close(&w.go[0]);
	fd_close(&w.go[1]);
}

/* A child that waits for `go` to be closed, and ends with that status; or by that signal. */
static int child(void *task, int status, int signal)
{
	int pid = brood_fork(&w.brood, task);
	char c;

	if (pid != 0)
		return pid;
	close(w.go[1]);
	(void)!read(w.go[0], &c, 1);
	if (signal != 0)
		(void)raise(signal);
	_exit(status);
}

static void let_go(unsigned n)
{
	fd_close(&w.go[1]);
	for (int i = 0; i < 100 && w.n_ended < n; i++)
		assert_int_equal(loop_once(w.brood.loop, 100), 0);
	assert_int_equal(w.n_ended, n);
}

static void expect(int channel, uint16_t type, struct ipc_received *ret_m)
{
	assert_int_equal(ipc_wait(channel, 5000, ret_m), 0);
	assert_int_equal(ret_m->type, type);
}

static void expect_nothing(int channel)
{
	struct pollfd p = {.fd = channel, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 0), 0);
}

static void children_are_counted(void **state UNUSED)
{
	int tasks[MAX];

	begin(&kind);
	for (int i = 0; i < MAX; i++) {
		assert_false(brood_is_full(&w.brood));
		assert_true(child(&tasks[i], 0, 0) > 0);
	}
	assert_true(brood_is_full(&w.brood));
	assert_int_equal(brood_fork(&w.brood, NULL), -EUSERS);
	let_go(MAX);
	assert_int_equal(w.brood.n_children, 0);
	assert_true(w.n_room > 0);
	expect_nothing(w.ledger);
	expect_nothing(w.supervisor);
	assert_int_equal(pipe(w.go), 0);
	assert_true(child(&tasks[1], 0, 0) > 0);
	let_go(MAX + 1);
	assert_ptr_equal(w.last_task, &tasks[1]);
	end();
}

static void expect_crash(int status, int by_signal, const char *detail)
{
	struct ipc_received m;

	begin(&kind);
	assert_true(child(NULL, status, by_signal) > 0);
	fd_close(&w.go[1]);
	assert_int_equal(brood_run(&w.brood), 0); /* ends: there is no child left */
	assert_int_equal(w.n_ended, 1);
	expect(w.ledger, IPC_LEDGER_EVENT, &m);
	const struct ipc_ledger_event *event = m.msg;
	assert_int_equal(event->kind, LEDGER_ALARM_ROLE_CRASH);
	assert_true(str_eq(event->detail, str_of_cstr(detail)));
	ipc_received_done(&m);
	expect(w.supervisor, IPC_REPLACE_ME, &m);
	ipc_received_done(&m);
	/* nobody gets another try; who waits is told by the caller */
	assert_int_equal(brood_fork(&w.brood, NULL), -EUSERS);
	end();
}

static void a_crash_has_the_role_replaced(void **state UNUSED)
{
	expect_crash(0, SIGKILL, "worker ended by signal 9 (SIGKILL)");
	expect_crash(3, 0, "worker ended with status 3");
}

static void finish_work(void *ctx UNUSED)
{
	w.busy = false;
	brood_end_when_empty(&w.brood);
}

static void who_is_replaced_ends_with_the_last_child(void **state UNUSED)
{
	struct ipc_received m;

	begin(&kind);
	w.busy = true;
	int first = child(NULL, 0, 0);
	assert_true(child(NULL, 0, 0) > 0);
	assert_int_equal(kill(first, SIGKILL), 0);
	for (int i = 0; i < 100 && w.n_ended < 1; i++)
		assert_int_equal(loop_once(w.brood.loop, 100), 0);
	expect(w.supervisor, IPC_REPLACE_ME, &m);
	ipc_received_done(&m);
	assert_true(w.brood.is_ending);
	let_go(2);
	/* it has something to say still */
	assert_int_equal(loop_after(w.brood.loop, 50, finish_work, NULL), 0);
	assert_int_equal(brood_run(&w.brood), 0);
	end();
}

static void the_overdue_are_told(void **state UNUSED)
{
	struct ipc_received m;
	uint64_t now = 1800000000000;

	clock_simulate(now);
	begin(&kind);
	int pid = child(NULL, 0, 0);
	assert_true(pid > 0);
	/* again and again, until it is gone */
	for (int i = 0; i < 2; i++) {
		now += BROOD_LOOK_MS;
		clock_simulate(now);
		go();
		expect(w.supervisor, IPC_OVERDUE, &m);
		assert_int_equal(((struct ipc_overdue *)m.msg)->pid, pid);
		ipc_received_done(&m);
	}
	let_go(1);
	clock_simulate(now + BROOD_LOOK_MS);
	go();
	expect_nothing(w.supervisor);
	/* one that is young is none */
	assert_int_equal(pipe(w.go), 0);
	clock_simulate(now + 2 * BROOD_LOOK_MS - LASTS_MS + 1);
	assert_true(child(NULL, 0, 0) > 0);
	clock_simulate(now + 2 * BROOD_LOOK_MS);
	go();
	expect_nothing(w.supervisor);
	let_go(2);
	clock_simulate(0);
	end();
}

static void partners_come_and_go(void **state UNUSED)
{
	struct ipc_received m;
	int ends[2];

	begin(&kind);
	assert_non_null(brood_partner(&w.brood, ROLE_QUEUE));
	assert_null(brood_partner(&w.brood, ROLE_RESOLVER));
	int again = join(ROLE_QUEUE);
	assert_int_equal(ipc_wait(w.work, 1000, &m), -ENODATA); /* the one of before */
	/* what may not be said */
	assert_int_equal(ipc_pair(ends), 0);
	const struct ipc_courier bad = {.channel = ends[1]};
	assert_int_equal(ipc_send(again, IPC_COURIER, &bad), 0);
	go();
	assert_null(brood_partner(&w.brood, ROLE_QUEUE));
	expect(w.ledger, IPC_LEDGER_EVENT, &m);
	assert_int_equal(((struct ipc_ledger_event *)m.msg)->kind, LEDGER_ALARM_BAD_MESSAGE);
	ipc_received_done(&m);
	close(again);
	close(ends[0]);
	close(ends[1]);
	end();
}

static void a_stop_waits_for_children(void **state UNUSED)
{
	static const struct ipc_drain drain = {.ms = 60000}, short_drain = {.ms = 50};

	begin(&kind);
	assert_true(child(NULL, 0, 0) > 0);
	assert_int_equal(ipc_send(w.supervisor, IPC_DRAIN, &drain), 0);
	go();
	assert_int_equal(w.n_drained, 1);
	assert_int_equal(brood_fork(&w.brood, NULL), -EUSERS);
	fd_close(&w.go[1]);
	assert_int_equal(brood_run(&w.brood), 0);
	assert_int_equal(w.n_ended, 1);
	end();
	/* but not for ever, and some do not */
	begin(&kind);
	assert_true(child(NULL, 0, 0) > 0);
	assert_int_equal(ipc_send(w.supervisor, IPC_DRAIN, &short_drain), 0);
	assert_int_equal(brood_run(&w.brood), 0);
	assert_int_equal(w.n_ended, 0);
	end();
	begin(&hasty);
	assert_true(child(NULL, 0, 0) > 0);
	assert_int_equal(ipc_send(w.supervisor, IPC_DRAIN, &drain), 0);
	assert_int_equal(brood_run(&w.brood), 0);
	end();
}

int main(void)
{
	alarm(60); /* a role that does not end would not */
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(children_are_counted),
	    cmocka_unit_test(a_crash_has_the_role_replaced),
	    cmocka_unit_test(who_is_replaced_ends_with_the_last_child),
	    cmocka_unit_test(the_overdue_are_told),
	    cmocka_unit_test(partners_come_and_go),
	    cmocka_unit_test(a_stop_waits_for_children),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
