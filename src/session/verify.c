#include "session/verify.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "session/heard.h"
#include "store/store_check.h"

enum { FILE_LEN_MAX = 256, WHAT_LEN_MAX = 128, BUSY_PAUSE_MS = 200 };

struct verifying {
	const struct store_watch *watch;
	int stream, registry;
	bool with_key;
	unsigned n_told;
	unsigned n_busy;
	uint64_t told_at;
	bool is_alone; /* nobody listens any more */
};

/* Says it to the command line. One that does not read (it may be stopped) is left: this may be in
 * the middle of what others wait for. */
static void say(struct verifying *v, uint16_t type, const void *message)
{
	struct pollfd p = {.fd = v->stream, .events = POLLOUT};

	if (v->is_alone)
		return;
	if (poll(&p, 1, VERIFY_PATIENCE_MS) != 1 || ipc_send(v->stream, type, message) < 0)
		v->is_alone = true;
}

static void on_damage(void *ctx, const struct store_damage *damage)
{
	struct verifying *v = ctx;
	const struct ipc_damage message = {
	    .file = str_first(str_of_cstr(damage->file), FILE_LEN_MAX),
	    .offset = damage->offset,
	    .what = str_first(str_of_cstr(damage->what), WHAT_LEN_MAX),
	};
	if (v->watch->damage)
		v->watch->damage(v->watch->ctx, damage);
	if (v->n_told++ < VERIFY_DAMAGES_MAX)
		say(v, IPC_DAMAGE, &message);
}

static void tell(struct verifying *v, const struct store_check *check, bool done, int error)
{
	struct store_check_progress progress = {0};
	if (check)
		store_check_progress(check, &progress);
	const struct ipc_verified message = {
	    .bytes = progress.bytes,
	    .of_bytes = progress.of_bytes,
	    .n_files = progress.n_files,
	    .n_damaged = progress.n_damaged,
	    .done = done,
	    .with_key = v->with_key,
	    .error = (uint32_t)-error,
	};
	v->told_at = clock_ms();
	say(v, IPC_VERIFIED, &message);
}

/* The registry ends it: the server stops, the account is removed, or the registry is gone. */
static bool is_to_end(const struct verifying *v)
{
	struct heard heard = {0};

	return !session_hear(v->registry, &heard) || heard.drain;
}

/* 1: it goes on. */
static int go_on(struct verifying *v, struct store_check *check)
{
	int more = store_check_step(check, VERIFY_STEP_LEN);
	if (more == -EBUSY && v->n_busy++ < VERIFY_BUSY_MAX) {
		const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000L};
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		more = 1;
	}
	if (more == 1 && (v->is_alone || is_to_end(v)))
		return -ECANCELED;
	if (more == 1 && clock_ms() - v->told_at >= VERIFY_TELL_MS)
		tell(v, check, false, 0);
	return more;
}

int session_verify(uint64_t account, const struct secret *master, const struct store_watch *watch,
    int stream, int registry)
{
	struct verifying v = {
	    .watch = watch, .stream = stream, .registry = registry, .with_key = master != NULL};
	struct store_watch own = {on_damage, &v};
	struct store *s = NULL;
	int r = store_open_to_check(master, account, &own, &s);
	if (r < 0) {
		tell(&v, NULL, true, r);
		return r;
	}
	struct store_check *check = store_check_new(s);
	while ((r = go_on(&v, check)) > 0)
		;
	tell(&v, check, true, r);
	store_check_free(check);
	store_close(s);
	return r;
}
