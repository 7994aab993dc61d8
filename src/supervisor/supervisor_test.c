/*
 * The supervisor with small roles in place of the real ones: this program is executed by it as
 * `role NAME INDEX`, enters the real sandbox of that role, and does what the test's environment
 * variable says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/channel.h"
#include "sandbox/role.h"
#include "sandbox/sandbox.h"
#include "supervisor/instance.h"
#include "supervisor/supervisor.h"

/* --- the small roles --- */

struct body {
	int supervisor;
	int peers; /* so many channels came */
	bool drained;
};

/* What a role should do, is a word in the configuration's hostname. */
static bool told(const struct role_start *start, const char *word)
{
	return strstr(start->config->hostname, word) != NULL;
}

static void take_one(const struct role_start *start, struct body *body)
{
	struct ipc_received m;

	if (ipc_recv(start->supervisor, &m) < 0)
		_exit(3); /* the supervisor is gone */
	if (m.type == IPC_PEER)
		body->peers++;
	body->drained = body->drained || m.type == IPC_DRAIN;
	ipc_received_done(&m);
}

/* The first life of a role is told by a file in its folder; only directory has one to write to. */
static bool is_first_life(void)
{
	int fd = open("lived", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int ask_for_replacement(const struct role_start *start)
{
	static const struct ipc_replace_me replace_me;

	usleep(300000);
	return ipc_send(start->supervisor, IPC_REPLACE_ME, &replace_me);
}

static _Noreturn void sleep_for_ever(void)
{
	for (;;)
		sleep(100);
}

/* Has a child of its own ended, and tries it with the supervisor. */
static int report_overdue(const struct role_start *start)
{
	struct ipc_overdue not_mine = {.pid = (uint32_t)getppid()};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		sleep_for_ever();
	struct ipc_overdue mine = {.pid = (uint32_t)pid};
	if (pid < 0 || ipc_send(start->supervisor, IPC_OVERDUE, &not_mine) < 0 ||
	    ipc_send(start->supervisor, IPC_OVERDUE, &mine) < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1;
}

/* What it is told to do beside its duty. */
static int misbehave(const struct role_start *start)
{
	if (told(start, "replace") && start->role == ROLE_GATEKEEPER_SMTP)
		return ask_for_replacement(start);
	if (told(start, "overdue") && start->role == ROLE_GATEKEEPER_IMAP)
		return report_overdue(start);
	return 0;
}

static int play_role(struct role_start *start)
{
	struct body body = {.supervisor = start->supervisor};

	if (told(start, "hopeless") && start->role == ROLE_DELIVERY)
		return 9;
	sandbox_enter(start);
	if (role_ready(start) < 0 || misbehave(start) < 0)
		return 4;
	bool crashes = told(start, "crash") && start->role == ROLE_DIRECTORY && is_first_life();
	while (!body.drained) {
		take_one(start, &body);
		if (crashes && body.peers == 4)
			abort();
	}
	if (told(start, "sleepy") && start->role == ROLE_KEYHOLDER)
		sleep_for_ever();
	return 0;
}

/* --- the test's side --- */

struct server {
	char folder[64];
	pid_t pid;
	int ready; /* becomes readable, or ends */
	int output;
};

static void write_config(const struct server *s, const char *hostname)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "%s/gatepost.conf", s->folder);
	snprintf(text, sizeof(text),
	    "[server]\nhostname = %s\ndelivery_workers = 2\n[listen]\nsmtp = 0\nimap = 0\nimaps = "
	    "0\npop3 = 0\npop3s = 0\n",
	    hostname);
	assert_int_equal(fd_write_file(AT_FDCWD, path, str_of_cstr(text), 0600), 0);
}

static _Noreturn void serve(const struct server *s, int ready, int output)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/gatepost.conf", s->folder);
	struct supervisor_options options = {.config_path = path, .ready_fd = ready};
	dup2(output, STDERR_FILENO);
	_exit(supervisor_main(&options));
}

static void start_server(struct server *s, const char *hostname)
{
	int ready[2], output[2];

	*s = (struct server){.folder = "/tmp/supervisor-test-XXXXXX"};
	assert_non_null(mkdtemp(s->folder));
	write_config(s, hostname);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		serve(s, ready[1], output[1]);
	close(ready[1]);
	close(output[1]);
	s->ready = ready[0];
	s->output = output[0];
}

static bool is_ready(const struct server *s)
{
	char c;

	return read(s->ready, &c, 1) == 1;
}

/* Everything that the server wrote until it ended. */
static char *output_of(struct server *s)
{
	static char text[1 << 18];
	size_t len = 0;
	ssize_t got;

	while (len < sizeof(text) - 1 &&
	       (got = read(s->output, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	return text;
}

static void remove_folder(const struct server *s)
{
	char command[6][96];
	static const char *const files[] = {"gatepost.conf", "directory/lived", "run/roles.new"};
	static const char *const folders[] = {
	    "run", "tls", "directory", "ledger", "queue", "accounts"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(command[0], sizeof(command[0]), "%s/%s", s->folder, files[i]);
		unlink(command[0]);
	}
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(command[0], sizeof(command[0]), "%s/%s", s->folder, folders[i]);
		assert_int_equal(rmdir(command[0]), 0);
	}
	assert_int_equal(rmdir(s->folder), 0);
}

static int stop_server(struct server *s, int signal_number, char **ret_output)
{
	int status;

	if (signal_number != 0)
		assert_int_equal(kill(s->pid, signal_number), 0);
	char *output = output_of(s);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	close(s->ready);
	close(s->output);
	if (ret_output != NULL)
		*ret_output = output;
	remove_folder(s);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *p = strstr(text, word); p != NULL; p = strstr(p + 1, word))
		n++;
	return n;
}

/* Of roles that the supervisor starts; there are two delivery workers here. */
static size_t n_processes(void)
{
	size_t n = 1;

	for (enum role role = ROLE_SUPERVISOR + 1; role < N_ROLES; role++)
		n += role_row(role)->parent == ROLE_SUPERVISOR;
	return n;
}

static void starts_all_roles_and_stops_in_order(void **state UNUSED)
{
	struct server s;
	char *output;

	start_server(&s, "mail.example.test");
	if (!is_ready(&s))
		fail_msg("not ready: %s", output_of(&s));
	uint64_t before = clock_ms();
	int status = stop_server(&s, SIGTERM, &output);
	if (status != 0 || count(output, "ALARM") != 0)
		fail_msg("%s", output);
	assert_true(clock_ms() - before < 3000);
	assert_int_equal(count(output, "server.ready"), 1);
	assert_int_equal(count(output, "role.ended"), n_processes());
	/* The ledger ends last. */
	const char *last = strstr(output, "role.ended of=ledger");
	last = last != NULL ? last : strstr(output, "of=ledger");
	assert_non_null(last);
	assert_null(strstr(last + 1, "role.ended"));
}

static void refuses_a_second_server_on_one_folder(void **state UNUSED)
{
	struct server s, second;
	int output[2];
	char text[512] = "";
	int status;

	start_server(&s, "mail.example.test");
	assert_true(is_ready(&s));
	second = s;
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		serve(&second, -1, output[1]);
	close(output[1]);
	assert_true(read(output[0], text, sizeof(text) - 1) > 0);
	close(output[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(text, "a server runs on this data folder already"));
	assert_int_equal(stop_server(&s, SIGINT, NULL), 0);
}

static void starts_a_crashed_role_again(void **state UNUSED)
{
	struct server s;
	char *output;

	start_server(&s, "crash.example.test");
	if (!is_ready(&s))
		fail_msg("not ready: %s", output_of(&s));
	usleep(700000);
	assert_int_equal(stop_server(&s, SIGTERM, &output), 0);
	/* Once by its crash, once in order. */
	assert_int_equal(count(output, "ALARM role.ended"), 1);
	assert_int_equal(count(output, "of=directory index=0"), 2);
}

static void gives_up_when_a_role_never_starts(void **state UNUSED)
{
	struct server s;
	char *output;

	start_server(&s, "hopeless.example.test");
	assert_false(is_ready(&s));
	assert_int_equal(stop_server(&s, 0, &output), 1);
	assert_non_null(strstr(output, "server.gives_up role=supervisor"));
	assert_non_null(strstr(output, "of=delivery"));
}

static void replaces_a_gatekeeper_that_asks_for_it(void **state UNUSED)
{
	struct server s;
	char *output;

	start_server(&s, "replace-once.example.test");
	assert_true(is_ready(&s));
	usleep(1500000);
	assert_int_equal(stop_server(&s, SIGTERM, &output), 0);
	/* Each successor asks too: there are several, but each waits longer than the one before. */
	size_t replaced = count(output, "role.replaced");
	if (replaced < 2 || replaced > 6)
		fail_msg("%zu: %s", replaced, output);
}

static void kills_what_does_not_stop(void **state UNUSED)
{
	struct server s;
	char *output;

	start_server(&s, "sleepy.example.test");
	assert_true(is_ready(&s));
	uint64_t before = clock_ms();
	assert_int_equal(stop_server(&s, SIGTERM, &output), 0);
	assert_true(clock_ms() - before < 10000);
	assert_int_equal(count(output, "role.killed"), 1);
}

static void ends_what_a_gatekeeper_reports(void **state UNUSED)
{
	struct server s;
	char *output;

	start_server(&s, "overdue.example.test");
	assert_true(is_ready(&s));
	usleep(700000);
	int status = stop_server(&s, SIGTERM, &output);
	if (status != 0 || count(output, "role.overdue") != 2 || count(output, "ended=yes") != 1 ||
	    count(output, "ALARM role.ended") != 0)
		fail_msg("%s", output);
}

static void back_off_doubles_up_to_its_most(void **state UNUSED)
{
	assert_int_equal(instance_back_off(0), 100);
	assert_int_equal(instance_back_off(1), 200);
	assert_int_equal(instance_back_off(20), 30000);
	assert_int_equal(instance_back_off(4000000000u), 30000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(back_off_doubles_up_to_its_most),
	    cmocka_unit_test(starts_all_roles_and_stops_in_order),
	    cmocka_unit_test(refuses_a_second_server_on_one_folder),
	    cmocka_unit_test(starts_a_crashed_role_again),
	    cmocka_unit_test(gives_up_when_a_role_never_starts),
	    cmocka_unit_test(replaces_a_gatekeeper_that_asks_for_it),
	    cmocka_unit_test(kills_what_does_not_stop),
	    cmocka_unit_test(ends_what_a_gatekeeper_reports),
	};
	struct role_start start;

	if (argc == 4 && strcmp(argv[1], "role") == 0)
		return role_enter(argc - 2, argv + 2, &start) < 0 ? 1 : play_role(&start);
	if (geteuid() != 0)
		return cmocka_run_group_tests(tests, NULL, NULL);
	/* As root with the roles' users where the system has them, and then as an ordinary user. */
	int failed = getpwnam("gatepost-gate") != NULL
	                 ? cmocka_run_group_tests_name("as root", tests, NULL, NULL)
	                 : 0;
	if (setgroups(0, NULL) < 0 || setregid(65534, 65534) < 0 || setreuid(65534, 65534) < 0)
		return 1;
	return failed + cmocka_run_group_tests_name("as nobody", tests, NULL, NULL);
}
