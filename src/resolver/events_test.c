#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/time.h>
#include <unistd.h>

#include <unbound-event.h>

#include "base/fd.h"
#include "resolver/events.h"

enum { ROUND_MS = 5, TIMERS = 100 };

struct world {
	struct loop *loop;
	struct events *events;
	struct ub_event_base *base;
	int near, far; /* a pair: what is written into far can be read from near */
	int calls;
	short bits;
	int order[TIMERS];
	struct ub_event *event;
};

struct timer {
	struct world *world;
	struct ub_event *event;
	int number;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int ends[2];

	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(events_new(w->loop, &w->events), 0);
	w->base = events_base(w->events);
	assert_int_equal(ipc_pair(ends), 0);
	w->near = ends[0];
	w->far = ends[1];
	assert_int_equal(fd_set_nonblocking(w->near, true), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->event != NULL)
		w->event->vmt->free(w->event);
	events_free(w->events);
	loop_free(w->loop);
	close(w->near);
	close(w->far);
	free(w);
	return 0;
}

static struct timeval ms(int n)
{
	return (struct timeval){.tv_sec = n / 1000, .tv_usec = n % 1000 * 1000};
}

/* Rounds of the loop, for about so long. */
static void run(struct world *w, int for_ms)
{
	for (int i = 0; i < for_ms / ROUND_MS; i++) {
		assert_int_equal(loop_once(w->loop, ROUND_MS), 0);
		usleep(1000);
	}
}

static void note(int fd, short bits, void *arg)
{
	struct world *w = arg;
	char byte;

	w->calls++;
	w->bits = bits;
	if ((bits & UB_EV_READ) != 0)
		assert_int_equal(read(fd, &byte, 1), 1);
}

static struct ub_event *make(struct world *w, short bits)
{
	w->event = w->base->vmt->new_event(w->base, w->near, bits, note, w);
	assert_non_null(w->event);
	return w->event;
}

static void a_descriptor_is_told_of_when_it_can_be_read(void **state)
{
	struct world *w = *state;
	struct ub_event *e = make(w, UB_EV_READ | UB_EV_PERSIST);

	assert_int_equal(write(w->far, "a", 1), 1);
	run(w, 20);
	assert_int_equal(w->calls, 0);
	assert_int_equal(e->vmt->add(e, NULL), 0);
	run(w, 20);
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->bits, UB_EV_READ);
	assert_int_equal(write(w->far, "b", 1), 1);
	run(w, 20);
	assert_int_equal(w->calls, 2);
	assert_int_equal(e->vmt->del(e), 0);
	assert_int_equal(write(w->far, "c", 1), 1);
	run(w, 20);
	assert_int_equal(w->calls, 2);
}

static void an_event_that_does_not_persist_comes_once(void **state)
{
	struct world *w = *state;
	struct ub_event *e = make(w, UB_EV_READ | UB_EV_TIMEOUT);
	struct timeval after = ms(60);

	assert_int_equal(write(w->far, "a", 1), 1);
	assert_int_equal(write(w->far, "b", 1), 1);
	assert_int_equal(e->vmt->add(e, &after), 0);
	run(w, 120);
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->bits, UB_EV_READ);
}

static void silence_times_out(void **state)
{
	struct world *w = *state;
	struct ub_event *e = make(w, UB_EV_READ | UB_EV_TIMEOUT);
	struct timeval after = ms(20);

	assert_int_equal(e->vmt->add(e, &after), 0);
	run(w, 80);
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->bits, UB_EV_TIMEOUT);
}

static void a_time_out_that_persists_comes_again(void **state)
{
	struct world *w = *state;
	struct ub_event *e = make(w, UB_EV_READ | UB_EV_TIMEOUT | UB_EV_PERSIST);
	struct timeval after = ms(10);

	assert_int_equal(e->vmt->add(e, &after), 0);
	run(w, 150);
	assert_true(w->calls >= 2);
	e->vmt->del(e);
	int calls = w->calls;
	run(w, 50);
	assert_int_equal(w->calls, calls);
}

static void bits_change_while_it_rests(void **state)
{
	struct world *w = *state;
	struct ub_event *e = make(w, UB_EV_READ | UB_EV_PERSIST);

	assert_int_equal(e->vmt->add(e, NULL), 0);
	e->vmt->del_bits(e, UB_EV_READ);
	e->vmt->add_bits(e, UB_EV_WRITE);
	run(w, 20);
	assert_int_equal(w->calls, 0);
	e->vmt->del_bits(e, UB_EV_PERSIST);
	assert_int_equal(e->vmt->add(e, NULL), 0);
	run(w, 20);
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->bits, UB_EV_WRITE);
}

/* Frees itself, and the one behind it: the rest must come all the same, in order. */
static void note_order(int fd, short bits, void *arg)
{
	struct timer *t = arg;

	assert_int_equal(fd, -1);
	assert_int_equal(bits, UB_EV_TIMEOUT);
	t->world->order[t->world->calls++] = t->number;
	if (t->number % 10 == 0) {
		t[1].event->vmt->free(t[1].event);
		t[1].event = NULL;
	}
	t->event->vmt->free(t->event);
	t->event = NULL;
}

static void timers_come_in_order_and_may_end_each_other(void **state)
{
	static struct timer timers[TIMERS];
	struct world *w = *state;

	for (int i = 0; i < TIMERS; i++) {
		/* set in an order that is not theirs */
		int n = i * 37 % TIMERS;
		struct timeval after = ms(50 + 10 * n); /* apart by more than setting them takes */
		timers[n] = (struct timer){.world = w, .number = n};
		timers[n].event = w->base->vmt->new_event(w->base, -1, UB_EV_TIMEOUT, NULL, NULL);
		struct ub_event *e = timers[n].event;
		assert_int_equal(e->vmt->add_timer(e, w->base, note_order, &timers[n], &after), 0);
	}
	for (int i = 0; i < 100 && w->calls < TIMERS - TIMERS / 10; i++)
		run(w, 100);
	assert_int_equal(w->calls, TIMERS - TIMERS / 10);
	for (int i = 1; i < w->calls; i++)
		assert_true(w->order[i] > w->order[i - 1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_descriptor_is_told_of_when_it_can_be_read),
	    TEST(an_event_that_does_not_persist_comes_once),
	    TEST(silence_times_out),
	    TEST(a_time_out_that_persists_comes_again),
	    TEST(bits_change_while_it_rests),
	    TEST(timers_come_in_order_and_may_end_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
