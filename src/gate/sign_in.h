/*
 * gate/sign_in.h: a credential goes to the directory: the same for every protocol that has a
 * sign-in.
 *
 * Guessing gets slower with each wrong one (besides what the directory does about a network or an
 * account), and the gate ends after GATE_FAILURES_MAX failures. It says nothing to the peer; it
 * logs, without user and password.
 */
#ifndef GATE_SIGN_IN_H
#define GATE_SIGN_IN_H

#include "gate/gate.h"
#include "ipc/messages.h"

enum {
	GATE_FAILURES_MAX = 5,
	GATE_FAILURE_MS = 500, /* each wrong one is answered so much later than the one before */
};

/* Of one connection; zeroed at its start. */
struct gate_tries {
	unsigned n_failures;
	bool over; /* no other try: say good-bye */
	bool lost; /* it is over because the directory did not answer */
};

/*
 * AUTH_OK: `*ret_stream` is our end of the session's stream (given); for SESSION_SUBMISSION, of the
 * channel to the queue. Temporary trouble of any kind
 * is AUTH_TEMPORARY. Where no answer came, it is over: one that comes late must not be taken for
 * that to the next question.
 */
MUST_USE enum auth_result gate_sign_in(struct gate *g, struct gate_tries *tries,
    enum session_protocol protocol, struct str user, struct str password, int *ret_stream);

#endif
