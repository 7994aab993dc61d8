/*
 * directory/test_directory.h: for tests of the role as its partners see it: gates, the registry and
 * the command line, over real channels. Only *_test.c includes it.
 */
#ifndef DIRECTORY_TEST_DIRECTORY_H
#define DIRECTORY_TEST_DIRECTORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "directory/state.h"
#include "directory/test_folder.h"
#include "mail/charset.h"
#include "seal/vfs.h"
#include "seal/keys.h"
#include "seal/recovery.h"

enum { WAIT_MS = 20000, FAILURES = 3 };

#define PASSWORD "correct horse"

struct fixture {
	struct test_folder folder;
	struct config config;
	struct directory d;
	int registry; /* our end; -1: none */
	int smtp_gatekeeper, imap_gatekeeper;
	int control;
	char recovery[RECOVERY_TEXT_LEN + 1];
	struct secret *master; /* of the first account */
	uint64_t account;
};

static inline int connect_registry(struct fixture *f)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	f->d.registry = loop_add_channel(f->d.loop, ends[0], &directory_registry_receivers, &f->d);
	assert_non_null(f->d.registry);
	return ends[1];
}

static inline int gatekeeper(struct fixture *f, const struct ipc_receivers *receivers)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	assert_non_null(loop_add_channel(f->d.loop, ends[0], receivers, &f->d));
	return ends[1];
}

/* A new gate, as its gatekeeper announces it: our end of its channel. */
static inline int gate(int gatekeeper_channel, const char *peer)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_gate msg = {1, str_of_cstr(peer), ends[0]};
	assert_int_equal(ipc_send(gatekeeper_channel, IPC_GATE, &msg), 0);
	close(ends[0]);
	return ends[1];
}

/* Lets the directory work until a message comes out of `channel`; -errno of receiving. */
static inline int await(struct fixture *f, int channel, struct ipc_received *ret)
{
	uint64_t until = clock_ms() + WAIT_MS;
	assert_int_equal(fd_set_nonblocking(channel, true), 0);
	for (;;) {
		int error = ipc_recv(channel, ret);
		if (error != -EAGAIN)
			return error;
		assert_true(clock_ms() < until);
		assert_int_equal(loop_once(f->d.loop, 10), 0);
	}
}

static inline void await_type(
    struct fixture *f, int channel, uint16_t type, struct ipc_received *ret)
{
	assert_int_equal(await(f, channel, ret), 0);
	assert_int_equal(ret->type, type);
}

static inline void connect_control(struct fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "control"};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	f->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0 && f->control >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_non_null(loop_add_fd(f->d.loop, listener, directory_accept_control, &f->d));
	assert_int_equal(connect(f->control, (struct sockaddr *)&address, sizeof(address)), 0);
}

static inline void make_first_account(struct fixture *f)
{
	uint8_t recovery_public[CIPHER_PUBLIC_LEN];
	uint8_t password[SLOT_LEN];
	uint8_t recovery[SLOT_LEN];
	struct name name = {STR("anna"), STR("example.test")};
	struct secret *key CLEANUP(secret_free) = recovery_new(recovery_public);
	recovery_encode(key, f->recovery);
	f->master = secret_random();
	assert_int_equal(database_set_recovery(f->d.db, recovery_public), 0);
	assert_int_equal(database_domain_add(f->d.db, STR("example.test")), 0);
	assert_int_equal(database_account_reserve(f->d.db, &name, 0, &f->account), 0);
	assert_int_equal(
	    slot_seal_password(f->master, f->account, STR(PASSWORD), &slot_cost_test, password), 0);
	assert_int_equal(slot_seal_recovery(f->master, f->account, recovery_public, recovery), 0);
	assert_int_equal(database_account_activate(f->d.db, f->account, password, recovery), 0);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	charset_init();
	cipher_init();
	test_folder_enter(&f->folder);
	f->config.sign_in_failures = FAILURES;
	f->d.config = &f->config;
	f->d.owner = getuid();
	assert_int_equal(database_make_key(), 0);
	assert_int_equal(database_open(true, &f->d.db), 0);
	assert_int_equal(resolver_new(f->d.db, &f->d.resolver), 0);
	assert_int_equal(throttle_new(FAILURES, &f->d.throttle), 0);
	assert_int_equal(key_cache_new(300000, &f->d.keys), 0);
	assert_int_equal(loop_new(&f->d.loop), 0);
	assert_int_equal(works_new(f->d.loop, &f->d.works), 0);
	works_set_cost(f->d.works, &slot_cost_test);
	make_first_account(f);
	f->registry = connect_registry(f);
	f->smtp_gatekeeper = gatekeeper(f, &directory_smtp_gatekeeper_receivers);
	f->imap_gatekeeper = gatekeeper(f, &directory_imap_gatekeeper_receivers);
	connect_control(f);
	*state = f;
	return 0;
}

/* Ends what is connected, and lets the directory see it. */
static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	fd_close(&f->registry);
	fd_close(&f->smtp_gatekeeper);
	fd_close(&f->imap_gatekeeper);
	fd_close(&f->control);
	uint64_t until = clock_ms() + WAIT_MS;
	while ((f->d.n_gates || f->d.n_controls || f->d.registry) && clock_ms() < until)
		assert_int_equal(loop_once(f->d.loop, 10), 0);
	assert_int_equal(f->d.n_gates, 0);
	assert_int_equal(f->d.n_controls, 0);
	assert_int_equal(f->d.n_questions, 0);
	loop_free(f->d.loop);
	works_free(f->d.works);
	key_cache_free(f->d.keys);
	throttle_free(f->d.throttle);
	resolver_free(f->d.resolver);
	database_close(f->d.db);
	secret_free(&f->master);
	test_folder_leave(&f->folder);
	free(f);
	return 0;
}

#endif
