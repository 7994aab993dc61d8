/*
 * session/verify.h: a session that speaks no protocol but checks its account (store/store_check.h)
 * and says what it finds, for `gatepost verify`.
 *
 * On `stream`, a channel of messages whose other end the command line has: IPC_DAMAGE for each
 * damaged place, at most VERIFY_DAMAGES_MAX, IPC_VERIFIED a few times a second and at the end. What
 * is damaged goes to the registry too, which raises the alarm.
 *
 * It ends early when the command line, the registry or the account goes away.
 */
#ifndef SESSION_VERIFY_H
#define SESSION_VERIFY_H

#include "seal/secret.h"
#include "session/session.h"
#include "store/store.h"

enum {
	VERIFY_DAMAGES_MAX = 1000,
	VERIFY_STEP_LEN = 1 << 20,
	VERIFY_TELL_MS = 200,
	VERIFY_PATIENCE_MS = 5000, /* a command line that does not read that long is left */
	VERIFY_BUSY_MAX = 50,      /* so often somebody may keep the database busy */
};

/*
 * `master` NULL: without the account's key. Damage goes to `watch` too; `stream` and `registry` are
 * borrowed. 0 when it came to the end, whatever was found, else -errno.
 */
MUST_USE int session_verify(uint64_t account, const struct secret *master,
    const struct store_watch *watch, int stream, int registry);

#endif
