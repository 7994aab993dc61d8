/*
 * queue/test_queue.h: for tests: a queue in a folder of its own, with all of its partners played by
 * the test over their channels, on a clock that stands still. Only *_test.c includes it.
 */
#ifndef QUEUE_TEST_QUEUE_H
#define QUEUE_TEST_QUEUE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "queue/fresh.h"
#include "queue/state.h"
#include "queue/test_states.h"

enum { WORLD_START_S = 1800000000, WORLD_ACCOUNT = 7 };
#define WORLD_START ((uint64_t)WORLD_START_S * 1000)

struct world {
	struct queue *q;
	struct config config;
	int supervisor, directory, keyholder, scribes, dispatcher, resolver, fetcher, delivery,
	    ledger;
	int before;
	char path[64];
	uint64_t now;
	struct ipc_may_send_answer may_send; /* not said yet */
};

static inline void world_go(struct world *w)
{
	for (int i = 0; i < 4; i++) {
		assert_int_equal(loop_once(w->q->loop, 0), 0);
		queue_round(w->q);
	}
	states_check(w->q);
}

static inline void world_wait(struct world *w, uint64_t ms)
{
	w->now += ms;
	clock_simulate(w->now);
	w->q->due_at = 0;
	world_go(w);
}

static inline int world_join(struct world *w, enum role role)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_peer m = {.role = (uint8_t)role, .channel = ends[1]};
	assert_int_equal(ipc_send(w->supervisor, IPC_PEER, &m), 0);
	close(ends[1]);
	world_go(w);
	assert_int_equal(fd_set_nonblocking(ends[0], true), 0);
	return ends[0];
}

static inline void world_start(struct world *w)
{
	int ends[2];
	w->q = calloc(1, sizeof(*w->q));
	assert_non_null(w->q);
	assert_int_equal(ipc_pair(ends), 0);
	w->supervisor = ends[0];
	assert_int_equal(queue_prepare(w->q, &w->config, ends[1]), 0);
	w->directory = world_join(w, ROLE_DIRECTORY);
	w->keyholder = world_join(w, ROLE_KEYHOLDER);
	w->scribes = world_join(w, ROLE_SCRIBES);
	w->dispatcher = world_join(w, ROLE_DISPATCHER);
	w->delivery = world_join(w, ROLE_DELIVERY);
	w->ledger = world_join(w, ROLE_LEDGER);
}

/* Ends the process' part at once, as a kill would: nothing is written any more. */
static inline void world_stop(struct world *w)
{
	queue_done(w->q);
	free(w->q);
	int *const fds[] = {&w->supervisor, &w->directory, &w->keyholder, &w->scribes,
	    &w->dispatcher, &w->resolver, &w->fetcher, &w->delivery, &w->ledger};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fd_close(fds[i]);
}

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct config_error error;
	assert_non_null(w);
	*w = (struct world){.resolver = -1, .fetcher = -1, .now = WORLD_START};
	memcpy(w->path, "/tmp/gatepost-queue-XXXXXX", 27);
	w->before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_non_null(mkdtemp(w->path));
	assert_int_equal(chdir(w->path), 0);
	assert_int_equal(config_parse(STR("[server]\nhostname = mail.example.org\n"
	                                  "delivery_workers = 1\n"),
	                     "test", &w->config, &error),
	    0);
	clock_simulate(w->now);
	world_start(w);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;
	world_stop(w);
	DIR *dir = opendir(".");
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.')
			assert_int_equal(unlink(e->d_name), 0);
	closedir(dir);
	assert_int_equal(fchdir(w->before), 0);
	assert_int_equal(rmdir(w->path), 0);
	fd_close(&w->before);
	clock_simulate(0);
	free(w);
	return 0;
}

/* The next message on a channel, which must be of that type. */
static inline void world_expect(int channel, uint16_t type, struct ipc_received *ret_m)
{
	assert_int_equal(ipc_recv(channel, ret_m), 0);
	assert_int_equal(ret_m->type, type);
}

static inline void world_expect_nothing(int channel)
{
	struct ipc_received m;
	assert_int_equal(ipc_recv(channel, &m), -EAGAIN);
}

static inline void say(struct world *w, int channel, uint16_t type, const void *msg)
{
	assert_int_equal(ipc_send(channel, type, msg), 0);
	world_go(w);
}

static inline size_t world_count(struct world *w)
{
	uint64_t ids[256];
	size_t n = 0;
	struct queue_db_filter all = {0};
	fresh_file(w->q, UINT64_MAX);
	uint64_t after = 0;
	bool is_last = false;
	assert_int_equal(queue_db_list(w->q->db, &all, &after, ids, 256, &n, &is_last), 0);
	assert_true(is_last);
	return n;
}

#endif
