/*
 * queue/test_courier.h: for tests: what couriers are given to carry, and what they say of it. Only
 * *_test.c includes it.
 */
#ifndef QUEUE_TEST_COURIER_H
#define QUEUE_TEST_COURIER_H

#include "queue/test_queue.h"

struct carried {
	int channel;
	struct ipc_received carry;
	char recipients[4][IPC_ADDRESS_MAX];
	size_t n;
	char *text; /* free */
};

static inline void read_text(int fd, char **ret_text)
{
	size_t len = 0;
	assert_int_equal(fd_check_sealed(fd, &len), 0);
	char *text = calloc(1, len + 1);
	assert_non_null(text);
	assert_int_equal(fd_pread_all(fd, text, len, 0), 0);
	*ret_text = text;
}

static inline int expect_courier(struct world *w)
{
	struct ipc_received m;
	world_expect(w->dispatcher, IPC_COURIER, &m);
	int channel = fd_take(&((struct ipc_courier *)m.msg)->channel);
	ipc_received_done(&m);
	assert_int_equal(fd_set_nonblocking(channel, true), 0);
	return channel;
}

/* What a courier is given to carry. */
static inline void expect_carry(int channel, struct carried *c)
{
	struct ipc_received m;
	*c = (struct carried){.channel = channel};
	world_expect(channel, IPC_CARRY, &c->carry);
	while (ipc_recv(channel, &m) == 0 && m.type == IPC_CARRY_RCPT) {
		struct str address = ((struct ipc_carry_rcpt *)m.msg)->recipient;
		assert_true(c->n < ARRAY_LEN(c->recipients));
		assert_true(str_to_cstr(address, c->recipients[c->n++], IPC_ADDRESS_MAX) >= 0);
		ipc_received_done(&m);
	}
	assert_int_equal(m.type, IPC_CARRY_MESSAGE);
	assert_int_equal(((struct ipc_carry_message *)m.msg)->n_recipients, c->n);
	read_text(((struct ipc_carry_message *)m.msg)->message, &c->text);
	ipc_received_done(&m);
}

static inline void carried_done(struct carried *c)
{
	ipc_received_done(&c->carry);
	free(c->text);
}

static inline void say_carried_rcpt(int channel, uint16_t index, enum carry_outcome outcome,
    uint16_t code, const char *status, const char *text)
{
	struct ipc_carried_rcpt rcpt = {.index = index,
	    .outcome = (uint8_t)outcome,
	    .code = code,
	    .status = str_of_cstr(status),
	    .mta = code > 0 ? STR("mx.example.net") : STR(""),
	    .text = str_of_cstr(text)};
	assert_int_equal(ipc_send(channel, IPC_CARRIED_RCPT, &rcpt), 0);
}

static inline void say_carried(struct world *w, int channel, bool unreachable)
{
	struct ipc_carried carried = {.unreachable = unreachable, .tls = STR("none")};
	say(w, channel, IPC_CARRIED, &carried);
}

/* The whole life of a courier with one recipient. */
static inline void carry_one(struct world *w, const char *address, enum carry_outcome outcome,
    uint16_t code, const char *status, const char *text)
{
	struct carried c;
	expect_carry(expect_courier(w), &c);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.recipients[0], address);
	say_carried_rcpt(c.channel, 0, outcome, code, status, text);
	say_carried(w, c.channel, false);
	close(c.channel);
	carried_done(&c);
	world_go(w);
}

#endif
