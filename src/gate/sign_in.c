#include "gate/sign_in.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"

static const struct {
	const char *signed_in, *failed, *no_directory;
} events[N_SIGN_IN_PROTOCOLS] = {
    [SESSION_IMAP] = {"imap.signed_in", "imap.sign_in_failed", "imap.no_directory"},
    [SESSION_POP3] = {"pop3.signed_in", "pop3.sign_in_failed", "pop3.no_directory"},
    [SESSION_SUBMISSION] = {"submission.signed_in", "submission.sign_in_failed",
        "submission.no_directory"},
};

/* What a session speaks on is a stream, what the queue speaks on a channel. */
static int make_ends(unsigned protocol, int ret_ends[static 2])
{
	if (protocol == SESSION_SUBMISSION)
		return ipc_pair(ret_ends);
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_ends) < 0 ? -errno : 0;
}

static enum auth_result ask(
    struct gate *g, struct gate_tries *tries, struct ipc_auth *auth, int *ret_stream)
{
	struct ipc_received m;
	int pair[2];

	if (auth->user.len > IPC_ADDRESS_MAX || auth->password.len > IPC_PASSWORD_MAX)
		return AUTH_WRONG;
	if (make_ends(auth->protocol, pair) < 0)
		return AUTH_TEMPORARY;
	int ours CLEANUP(fd_close) = pair[0], theirs CLEANUP(fd_close) = pair[1];
	auth->stream = theirs;
	int r = ipc_call(g->channels.directory, IPC_AUTH, auth, IPC_AUTH_ANSWER, GATE_CALL_MS, &m);
	if (r < 0) {
		log_event(LOG_ERROR, events[auth->protocol].no_directory,
		    "connection=%llu error=%d", (unsigned long long)g->connection, -r);
		tries->over = tries->lost = true;
		return AUTH_TEMPORARY;
	}
	const struct ipc_auth_answer *answer = m.msg;
	enum auth_result result = answer->result;
	if (result == AUTH_OK) {
		log_event(LOG_INFO, events[auth->protocol].signed_in,
		    "connection=%llu peer=%s account=%llu", (unsigned long long)g->connection,
		    g->peer, (unsigned long long)answer->account);
		*ret_stream = fd_take(&ours);
	}
	ipc_received_done(&m);
	return result;
}

/* Nothing is read meanwhile. */
static void wait_after_failure(const struct gate_tries *tries)
{
	unsigned ms = tries->n_failures * GATE_FAILURE_MS;
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

enum auth_result gate_sign_in(struct gate *g, struct gate_tries *tries,
    enum session_protocol protocol, struct str user, struct str password, int *ret_stream)
{
	struct ipc_auth auth = {.user = user, .password = password, .protocol = (uint8_t)protocol};
	enum auth_result result = ask(g, tries, &auth, ret_stream);

	if (result == AUTH_OK)
		return result;
	log_event(LOG_INFO, events[protocol].failed, "connection=%llu peer=%s result=%d",
	    (unsigned long long)g->connection, g->peer, (int)result);
	if (++tries->n_failures >= GATE_FAILURES_MAX)
		tries->over = true;
	if (result == AUTH_WRONG)
		wait_after_failure(tries);
	return result;
}
