/*
 * The queue when the machine fails it: every system call that changes a file fails once with a full
 * disk, once with an input/output error, and kills the process once, while messages are taken in,
 * sent and reported. Afterwards: what was acknowledged is there, or was carried; nothing that was
 * refused is; and all of it can be read.
 *
 * Only builds with GATEPOST_FAULTS have something to test here.
 */
#include "queue/test_courier.h"
#include "queue/test_submit.h"

#include <signal.h>
#include <sys/wait.h>

#include "store/test_faults.h"

#ifdef GATEPOST_FAULTS

enum { N_MESSAGES = 3, LARGE = 1, LARGE_LEN = 300 << 10 };

/* What the work was told. */
struct story {
	enum { REFUSED, ACCEPTED, CARRIED } state[N_MESSAGES];
};

static char *texts[N_MESSAGES];

static void make_texts(void)
{
	for (size_t i = 0; i < N_MESSAGES; i++) {
		size_t len = i == LARGE ? LARGE_LEN : 2000;
		texts[i] = calloc(1, len + 1);
		assert_non_null(texts[i]);
		int start = snprintf(texts[i], len, "Subject: message %zu\r\n\r\n", i);
		memset(texts[i] + start, 'a' + (int)i, len - (size_t)start);
	}
}

struct added {
	int error;
	bool is_done;
};

static void on_added(int error, uint64_t id UNUSED, void *ctx)
{
	*(struct added *)ctx = (struct added){error, true};
}

/* Straight into the round, as submit.c does at the end: the dialogue is tested elsewhere. */
static bool add(struct queue *q, size_t i)
{
	struct added added = {0};
	struct queued_recipient r = {.address = STR("bob@example.net"),
	    .domain = STR("example.net"),
	    .next_at = WORLD_START};
	struct accept a = {.m = {.account = WORLD_ACCOUNT, .received_at = WORLD_START},
	    .recipients = &r,
	    .n_recipients = 1,
	    .parts = {str_of_cstr(texts[i])},
	    .n_parts = 1,
	    .done = on_added,
	    .ctx = &added};
	assert_true(queue_accept(q, &a));
	queue_round(q);
	assert_true(added.is_done);
	return added.error == 0;
}

/* Which of the messages is it? */
static size_t which(const char *text)
{
	for (size_t i = 0; i < N_MESSAGES; i++)
		if (strcmp(text, texts[i]) == 0)
			return i;
	fail_msg("a message that nobody sent");
	return N_MESSAGES;
}

/* Carries what is given to a courier; true when there was one. */
static bool carry(struct queue *q, int dispatcher, size_t *ret_i)
{
	struct ipc_received m;
	struct carried c;
	if (ipc_recv(dispatcher, &m))
		return false;
	int channel = fd_take(&((struct ipc_courier *)m.msg)->channel);
	ipc_received_done(&m);
	assert_int_equal(fd_set_nonblocking(channel, true), 0);
	expect_carry(channel, &c);
	*ret_i = which(c.text);
	say_carried_rcpt(channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	struct ipc_carried carried = {.tls = STR("none")};
	assert_int_equal(ipc_send(channel, IPC_CARRIED, &carried), 0);
	assert_int_equal(loop_once(q->loop, 0), 0);
	queue_round(q);
	carried_done(&c);
	close(channel);
	return true;
}

static int open_queue(struct queue *q, struct world *w, int *ret_dispatcher)
{
	int ends[2], pair[2];
	assert_int_equal(ipc_pair(ends), 0);
	assert_int_equal(ipc_pair(pair), 0);
	*q = (struct queue){0};
	int error = queue_prepare(q, &w->config, ends[1]);
	if (error) {
		close(ends[0]);
		close(pair[0]);
		close(pair[1]);
		return error;
	}
	struct ipc_peer m = {.role = ROLE_DISPATCHER, .channel = pair[1]};
	assert_int_equal(ipc_send(ends[0], IPC_PEER, &m), 0);
	close(pair[1]);
	assert_int_equal(loop_once(q->loop, 0), 0);
	assert_int_equal(fd_set_nonblocking(pair[0], true), 0);
	w->supervisor = ends[0];
	*ret_dispatcher = pair[0];
	return 0;
}

/* Takes messages in and carries the first; `tell` hears of each step. */
static void work(struct world *w, void (*tell)(size_t i, int state, void *ctx), void *ctx)
{
	struct queue q;
	int dispatcher = -1;
	size_t i = 0;
	if (open_queue(&q, w, &dispatcher)) {
		queue_done(&q);
		return;
	}
	for (size_t n = 0; n < N_MESSAGES; n++)
		if (add(&q, n))
			tell(n, ACCEPTED, ctx);
	if (carry(&q, dispatcher, &i))
		tell(i, CARRIED, ctx);
	queue_done(&q);
	close(dispatcher);
	fd_close(&w->supervisor);
}

/* Everything is carried to the end: each message that was acknowledged once, or twice where the
 * word that it arrived was lost; none that was refused, unless nobody heard the answer. */
static void check(struct world *w, const struct story *story, bool was_killed)
{
	struct queue q;
	int dispatcher = -1;
	size_t i = 0, n[N_MESSAGES] = {0};
	assert_int_equal(open_queue(&q, w, &dispatcher), 0);
	for (int rounds = 0; rounds < 10; rounds++) {
		w->now += 7 * 60000;
		clock_simulate(w->now);
		q.due_at = 0;
		queue_round(&q);
		while (carry(&q, dispatcher, &i))
			n[i]++;
	}
	for (i = 0; i < N_MESSAGES; i++) {
		if (story->state[i] == ACCEPTED)
			assert_int_equal(n[i], 1);
		else if (story->state[i] == CARRIED)
			assert_true(n[i] <= 1);
		else if (!was_killed)
			assert_int_equal(n[i], 0);
	}
	queue_done(&q);
	close(dispatcher);
	fd_close(&w->supervisor);
}

static void begin(struct world *w)
{
	char old[64];
	memcpy(old, w->path, sizeof(old));
	w->now = WORLD_START;
	clock_simulate(w->now);
	DIR *dir = opendir(".");
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			assert_int_equal(unlink(e->d_name), 0);
	closedir(dir);
}

static void note(size_t i, int state, void *ctx)
{
	((struct story *)ctx)->state[i] = state;
}

static void fail_everywhere(struct world *w, int error)
{
	bool struck = true;
	uint64_t n = 1;
	for (; struck; n++) {
		struct story story = {0};
		begin(w);
		io_fault_at(n, error);
		work(w, note, &story);
		struck = io_fault_count() >= n;
		io_fault_at(0, 0);
		for (size_t i = 0; !struck && i < N_MESSAGES; i++)
			assert_true(story.state[i] != REFUSED);
		check(w, &story, false);
	}
	assert_true(n > 15);
	begin(w);
}

static void a_full_disk(void **state)
{
	fail_everywhere(*state, ENOSPC);
}

static void a_broken_disk(void **state)
{
	fail_everywhere(*state, EIO);
}

static void tell(size_t i, int state, void *ctx)
{
	char bytes[2] = {(char)i, (char)state};
	if (write(*(int *)ctx, bytes, 2) != 2)
		_exit(3);
}

static void kills(void **state)
{
	struct world *w = *state;
	bool struck = true;
	uint64_t n = 1;
	for (; struck; n++) {
		struct story story = {0};
		int ends[2], status;
		char bytes[2];
		begin(w);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			io_fault_at(n, 0);
			work(w, tell, &ends[1]);
			_exit(0);
		}
		close(ends[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		struck = WIFSIGNALED(status);
		assert_true(struck ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
		while (read(ends[0], bytes, 2) == 2)
			story.state[(size_t)bytes[0]] = bytes[1];
		close(ends[0]);
		check(w, &story, true);
	}
	assert_true(n > 15);
	begin(w);
}

static int setup(void **state)
{
	int failed = world_setup(state);
	struct world *w = *state;
	world_stop(w);
	return failed;
}

static int teardown(void **state)
{
	world_start(*state);
	return world_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_full_disk), TEST(a_broken_disk), TEST(kills)};
	test_hook_sqlite();
	make_texts();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < N_MESSAGES; i++)
		free(texts[i]);
	return failed;
}

#else

int main(void)
{
	return 0;
}

#endif
