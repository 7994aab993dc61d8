/* directory/test_sign_in.h: for tests: what a gate and the registry do in a sign-in. */
#ifndef DIRECTORY_TEST_SIGN_IN_H
#define DIRECTORY_TEST_SIGN_IN_H

#include "directory/test_directory.h"

static inline void ask_auth(int channel, struct str user, struct str password)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct ipc_auth msg = {user, password, SESSION_IMAP, pair[0]};
	assert_int_equal(ipc_send(channel, IPC_AUTH, &msg), 0);
	close(pair[0]);
	close(pair[1]);
}

static inline void expect_auth(struct fixture *f, int channel, enum auth_result result)
{
	struct ipc_received m;
	await_type(f, channel, IPC_AUTH_ANSWER, &m);
	struct ipc_auth_answer *answer = m.msg;
	assert_int_equal(answer->result, result);
	assert_int_equal(answer->account, result == AUTH_OK ? f->account : 0);
	ipc_received_done(&m);
}

/* The registry is asked for a session of the account, with its key; it answers `error`. */
static inline void answer_open(struct fixture *f, uint32_t error)
{
	struct ipc_received m;
	await_type(f, f->registry, IPC_OPEN, &m);
	struct ipc_open *open = m.msg;
	struct secret *key CLEANUP(secret_free) = NULL;
	assert_int_equal(open->account, f->account);
	assert_true(str_eq(open->user, STR("anna@example.test")));
	assert_int_equal(secret_from_memfd(open->master_key, &key), 0);
	assert_memory_equal(key->bytes, f->master->bytes, SECRET_LEN);
	struct ipc_registry_done done = {open->request, error};
	assert_int_equal(ipc_send(f->registry, IPC_REGISTRY_DONE, &done), 0);
	ipc_received_done(&m);
}

#endif
