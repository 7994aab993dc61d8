#include "directory/work.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "base/fd.h"
#include "base/num.h"

enum { RESULT_LEN_MAX = SLOT_LEN };

/* What a worker writes. */
struct result {
	int32_t error;
	uint8_t bytes[RESULT_LEN_MAX];
};

struct work {
	struct works *works;
	struct work *next; /* in the queue */
	bool is_seal;
	bool has_slot;
	uint8_t slot[SLOT_LEN];
	struct secret *master; /* to seal */
	uint64_t account;
	struct work_caller caller; /* to open */
	void (*sealed)(int error, const uint8_t *slot, void *ctx);
	void *ctx;
	size_t password_len;
	char password[SLOT_PASSWORD_MAX];
};

struct works {
	struct loop *loop;
	struct slot_cost cost;
	size_t n_running, running_max;
	struct work *first, **last;
	size_t n_waiting;
};

int works_new(struct loop *loop, struct works **ret_works)
{
	struct works *works = calloc(1, sizeof(*works));
	if (!works)
		return -ENOMEM;
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	works->loop = loop;
	works->cost = slot_cost_default;
	works->running_max = n < 1 ? 1 : num_min((size_t)n, WORK_PROCESSES_MAX);
	works->last = &works->first;
	/* finished workers leave no zombies: their result, or its absence, says all */
	signal(SIGCHLD, SIG_IGN);
	*ret_works = works;
	return 0;
}

static void work_free(struct work *work)
{
	if (!work)
		return;
	secret_free(&work->master);
	sodium_memzero(work, sizeof(*work));
	free(work);
}

void works_free(struct works *works)
{
	if (!works)
		return;
	while (works->first) {
		struct work *work = works->first;
		works->first = work->next;
		work_free(work);
	}
	free(works);
}

void works_set_cost(struct works *works, const struct slot_cost *cost)
{
	works->cost = *cost;
}

/* --- in the worker --- */

static void compute(const struct work *work, struct result *result)
{
	struct str password = str_of(work->password, work->password_len);
	if (work->is_seal) {
		result->error = slot_seal_password(
		    work->master, work->account, password, &work->works->cost, result->bytes);
		return;
	}
	if (!work->has_slot) {
		slot_waste_password(password, &work->works->cost);
		result->error = -EACCES;
		return;
	}
	struct secret *master CLEANUP(secret_free) = NULL;
	result->error =
	    slot_open_password(str_of(work->slot, SLOT_LEN), work->account, password, &master);
	if (!result->error)
		memcpy(result->bytes, master->bytes, SECRET_LEN);
}

static _Noreturn void run_worker(const struct work *work, int out)
{
	struct result result = {0};
	compute(work, &result);
	_exit(fd_write_all(out, str_of(&result, sizeof(result))) ? 1 : 0);
}

/* --- in the directory --- */

static void finish(struct work *work, struct result *result)
{
	if (work->is_seal) {
		work->sealed(result->error, result->error ? NULL : result->bytes, work->ctx);
	} else {
		struct secret *master = result->error ? NULL : secret_copy(result->bytes);
		work->caller.done(result->error, master, work->caller.ctx);
	}
	sodium_memzero(result, sizeof(*result));
	work_free(work);
}

static void start_waiting(struct works *works);

static void on_result(struct loop_entry *e, void *ctx)
{
	struct work *work = ctx;
	struct works *works = work->works;
	struct result result = {.error = -EIO};
	/* one write of a few bytes: it is there as a whole, or the worker died */
	ssize_t n = recv(loop_entry_fd(e), &result, sizeof(result), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(result))
		result = (struct result){.error = -EIO};
	loop_remove(e);
	works->n_running--;
	finish(work, &result);
	start_waiting(works);
}

static int start(struct work *work)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	int ours CLEANUP(fd_close) = ends[0];
	int theirs CLEANUP(fd_close) = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_worker(work, theirs);
	if (!loop_add_fd(work->works->loop, ours, on_result, work))
		return -ENOSPC; /* the worker's write fails, and it exits */
	(void)fd_take(&ours);
	work->works->n_running++;
	return 0;
}

/* What waited may have been answered meanwhile, by others like it. True: it was, and is gone. */
static bool is_answered(struct work *work)
{
	struct secret *master = NULL;
	if (work->is_seal || !work->caller.before)
		return false;
	int answer = work->caller.before(work->caller.ctx, &master);
	if (answer > 0)
		return false;
	work->caller.done(answer, master, work->caller.ctx);
	work_free(work);
	return true;
}

static void start_waiting(struct works *works)
{
	while (works->first && works->n_running < works->running_max) {
		struct work *work = works->first;
		works->first = work->next;
		if (!works->first)
			works->last = &works->first;
		works->n_waiting--;
		if (is_answered(work))
			continue;
		int error = start(work);
		if (error) {
			struct result result = {.error = error};
			finish(work, &result);
		}
	}
}

static bool has_too_much(const struct works *works, uint64_t origin)
{
	size_t n = 0;
	for (const struct work *work = works->first; work; work = work->next)
		n += work->caller.origin == origin;
	return origin != 0 && n >= WORK_ORIGIN_MAX;
}

/* Takes `work`: runs it now or later. */
static int submit(struct works *works, struct work *work)
{
	if (works->n_running < works->running_max) {
		int error = start(work);
		if (error)
			work_free(work);
		return error;
	}
	if (works->n_waiting == WORK_QUEUE_MAX || has_too_much(works, work->caller.origin)) {
		work_free(work);
		return -EAGAIN;
	}
	*works->last = work;
	works->last = &work->next;
	works->n_waiting++;
	return 0;
}

static struct work *work_new(struct works *works, uint64_t account, struct str password)
{
	struct work *work = password.len > SLOT_PASSWORD_MAX ? NULL : calloc(1, sizeof(*work));
	if (!work)
		return NULL;
	work->works = works;
	work->account = account;
	work->password_len = password.len;
	if (password.len > 0)
		memcpy(work->password, password.p, password.len);
	return work;
}

int works_open(struct works *works, const uint8_t *slot, uint64_t account, struct str password,
    const struct work_caller *caller)
{
	struct work *work = work_new(works, account, password);
	if (!work)
		return -ENOMEM;
	work->caller = *caller;
	work->has_slot = slot != NULL;
	if (slot)
		memcpy(work->slot, slot, SLOT_LEN);
	return submit(works, work);
}

int works_seal(struct works *works, const struct secret *master, uint64_t account,
    struct str password, void (*done)(int error, const uint8_t *slot, void *ctx), void *ctx)
{
	struct work *work = work_new(works, account, password);
	if (!work)
		return -ENOMEM;
	work->is_seal = true;
	work->sealed = done;
	work->ctx = ctx;
	work->master = secret_copy(master->bytes);
	return submit(works, work);
}
