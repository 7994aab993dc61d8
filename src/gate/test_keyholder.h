/* gate/test_keyholder.h: for tests of gates: a keyholder in a child. Only *_test.c includes it. */
#ifndef GATE_TEST_KEYHOLDER_H
#define GATE_TEST_KEYHOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/messages.h"
#include "tls/signer.h"

/* Its process, and the channel to it; it ends when that is closed. */
static inline pid_t start_keyholder(struct str key_pem, int *ret_channel)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(ends[1]);
		*ret_channel = ends[0];
		return pid;
	}
	close(ends[0]);
	struct signer *signer;
	struct ipc_received m;
	if (signer_new(&signer) || signer_add(signer, key_pem))
		_exit(1);
	while (ipc_recv(ends[1], &m) == 0) {
		unsigned char signature[SIGNER_SIGNATURE_LEN_MAX];
		size_t len = 0;
		int error = signer_sign(signer, m.msg, signature, &len);
		struct ipc_signed answer = {.ok = error == 0, .signature = str_of(signature, len)};
		ipc_received_done(&m);
		if (ipc_send(ends[1], IPC_SIGNED, &answer))
			_exit(1);
	}
	_exit(0);
}

#endif
