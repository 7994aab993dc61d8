/*
 * queue/test_scribe.h: for tests: what a scribe says to a queue, and how one comes to be. Only
 * *_test.c includes it.
 */
#ifndef QUEUE_TEST_SCRIBE_H
#define QUEUE_TEST_SCRIBE_H

#include "queue/test_queue.h"

static inline int world_memfd(struct str text)
{
	int fd = -1;
	assert_int_equal(fd_sealed_memfd("test", text, &fd), 0);
	return fd;
}

/* DATA, to a scribe that is there already. */
static inline void say_data_to(
    struct world *w, int submitter, struct str message, int scribe, struct ipc_prepare *ret)
{
	struct ipc_received m;
	struct ipc_submit_data data = {
	    .trace = STR("Received: by test\r\n"), .message = world_memfd(message)};
	say(w, submitter, IPC_SUBMIT_DATA, &data);
	close(data.message);
	if (scribe < 0)
		return;
	world_expect(scribe, IPC_PREPARE, &m);
	*ret = *(struct ipc_prepare *)m.msg;
	ipc_received_done(&m);
}

/* The queue asks for a scribe: its end of the channel is given. */
static inline int world_scribe(struct world *w, uint8_t messages)
{
	struct ipc_received m;
	world_expect(w->scribes, IPC_SCRIBE, &m);
	struct ipc_scribe *begins = m.msg;
	assert_int_equal(begins->messages, messages);
	int scribe = fd_take(&begins->channel);
	ipc_received_done(&m);
	assert_int_equal(fd_set_nonblocking(scribe, true), 0);
	return scribe;
}

static inline int world_prepared(struct world *w, uint8_t messages, struct ipc_prepare *ret)
{
	struct ipc_received m;
	int scribe = world_scribe(w, messages);
	world_expect(scribe, IPC_PREPARE, &m);
	*ret = *(struct ipc_prepare *)m.msg;
	ipc_received_done(&m);
	return scribe;
}

/* DATA; the end of a new scribe's channel is given back. */
static inline int say_data(struct world *w, int submitter, struct str message)
{
	struct ipc_prepare prepare;
	say_data_to(w, submitter, message, -1, &prepare);
	return world_prepared(w, SCRIBE_MESSAGES_MAX, &prepare);
}

static inline void say_examined(struct world *w, int scribe)
{
	struct str author = STR("ann@example.org");
	struct ipc_examined examined = {.authors = {&author, 1}, .header_len = 20};
	say(w, scribe, IPC_EXAMINED, &examined);
}

static inline void say_finished(struct world *w, int scribe, struct str message, bool is_signed)
{
	struct ipc_received m;
	struct str field = STR("DKIM-Signature: v=1; b=");
	struct str hash = STR("0123456789abcdef0123456789abcdef");
	world_expect(scribe, IPC_FINISH, &m);
	ipc_received_done(&m);
	struct ipc_finished finished = {.fields = {&field, is_signed},
	    .hashes = {&hash, is_signed},
	    .message = world_memfd(message)};
	say(w, scribe, IPC_FINISHED, &finished);
	close(finished.message);
}

#endif
