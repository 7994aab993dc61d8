#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/filter.h"
#include "sandbox/identity.h"
#include "sandbox/role.h"
#include "sandbox/sandbox.h"

/* What must hold for the table, whoever changes a line of it. */

/* What the kernel keeps of a process's name: so much of it must tell roles apart. */
enum { COMM_MAX = 15, NAME_MAX_LEN = 32 };

static void every_role_is_described(void **state UNUSED)
{
	for (enum role role = 0; role < N_ROLES; role++) {
		const struct role_row *row = role_row(role);
		enum role found;
		assert_non_null(row->name);
		assert_in_range(strlen(row->name), 1, NAME_MAX_LEN);
		assert_non_null(row->user);
		assert_true(strlen(row->holds) > 0);
		assert_true(role_by_name(str_of_cstr(row->name), &found));
		assert_int_equal(found, role);
		for (enum role other = 0; other < role; other++)
			assert_int_not_equal(
			    strncmp(row->name, role_row(other)->name, COMM_MAX), 0);
	}
	enum role none;
	assert_false(role_by_name(STR("sorter"), &none));
	assert_false(role_by_name(STR(""), &none));
}

static void only_the_supervisor_is_unlimited(void **state UNUSED)
{
	for (enum role role = ROLE_SUPERVISOR + 1; role < N_ROLES; role++) {
		const struct role_row *row = role_row(role);
		assert_true(row->memory > 0);
		assert_true(row->descriptors > 0);
		assert_string_not_equal(row->user, "root");
		assert_int_equal(row->calls & CALLS_START, 0);
		assert_true((row->calls & CALLS_FORK) != 0 || row->processes == 0);
	}
}

/* Rules only get stricter from parent to child: the kernel would refuse the child the rest. */
static void parents_allow_what_their_children_need(void **state UNUSED)
{
	for (enum role role = 0; role < N_ROLES; role++) {
		const struct role_row *row = role_row(role);
		if (row->parent == ROLE_SUPERVISOR)
			continue;
		assert_true(role_row(row->parent)->becomes);
		unsigned calls = role_calls_in_force(row->parent);
		unsigned files = role_files_in_force(row->parent);
		assert_int_equal(row->calls & ~calls, 0);
		assert_int_equal(row->files & ~files, 0);
		assert_int_equal(
		    row->calls & (CALLS_FORK | CALLS_BECOME | CALLS_ACCEPT | CALLS_START), 0);
	}
}

static void what_strangers_reach_holds_no_file(void **state UNUSED)
{
	static const enum role fronts[] = {ROLE_GATEKEEPER_SMTP, ROLE_GATEKEEPER_IMAP,
	    ROLE_GATEKEEPER_POP3, ROLE_GATEKEEPER_SUBMISSION, ROLE_GATE_SMTP, ROLE_GATE_IMAP,
	    ROLE_GATE_POP3, ROLE_GATE_SUBMISSION, ROLE_DISPATCHER, ROLE_COURIER};

	for (size_t i = 0; i < ARRAY_LEN(fronts); i++) {
		assert_int_equal(role_files_in_force(fronts[i]), 0);
		assert_int_equal(role_calls_in_force(fronts[i]) & CALLS_FILES, 0);
		assert_null(role_row(fronts[i])->folder);
	}
	assert_int_equal(role_row(ROLE_GATE_SMTP)->processes, 0);
	assert_int_equal(role_row(ROLE_GATE_IMAP)->processes, 0);
	assert_int_equal(role_row(ROLE_GATE_POP3)->processes, 0);
	assert_int_equal(role_row(ROLE_GATE_SUBMISSION)->processes, 0);
}

static void the_ledger_can_only_append(void **state UNUSED)
{
	assert_int_equal(role_files_in_force(ROLE_LEDGER), 0);
	assert_int_equal(
	    role_calls_in_force(ROLE_LEDGER), CALLS_BASE | CALLS_CHANNEL | CALLS_APPEND);
}

static void identities_survive_the_environment(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1024);
	struct identities ids, again;

	for (enum role role = 0; role < N_ROLES; role++)
		ids.of[role] =
		    (struct identity){100 + role, 200 + role, role + 1 < N_ROLES ? 300 + role : 0};
	assert_true(identities_encode(&ids, &text));
	assert_true(identities_decode(buf_str(&text), &again));
	assert_memory_equal(&ids, &again, sizeof(ids));
	for (size_t len = 0; len < text.len; len++)
		assert_true(len == text.len - 1 ||
		            !identities_decode(str_first(buf_str(&text), len), &again));
	assert_true(buf_add_c(&text, '1'));
	assert_false(identities_decode(buf_str(&text), &again));
	assert_false(identities_decode(STR("root:0:0,"), &again));
	assert_false(identities_decode(STR("4294967295:0:0,"), &again));
}

/* As a gate: how long a memory file it gets. 0, or an errno value. */
static int make_memory_file(struct sandbox_child *child, off_t len)
{
	const int keep[] = {STDERR_FILENO};
	sandbox_enter_child(child, keep, 1);
	int fd = memfd_create("test", MFD_CLOEXEC);
	if (fd < 0)
		return errno;
	if (ftruncate(fd, len) < 0)
		return errno;
	return pwrite(fd, "x", 1, len) == 1 ? 0 : errno;
}

static int memory_file_of(enum role parent, enum role gate, off_t len, int log)
{
	static const struct config config = {.message_size = 4 << 20, .connections = 10};
	const struct role_start start = {.role = parent, .config = &config};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGXFSZ, SIG_IGN);
		dup2(log, STDERR_FILENO);
		struct sandbox_child *child = sandbox_prepare_child(&start, gate);
		pid_t gate_pid = fork();
		if (gate_pid == 0)
			_exit(make_memory_file(child, len));
		_exit(waitpid(gate_pid, &status, 0) == gate_pid && WIFEXITED(status)
		          ? WEXITSTATUS(status)
		          : 255);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_gates_memory_files_are_small(void **state UNUSED)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(memory_file_of(ROLE_GATEKEEPER_SMTP, ROLE_GATE_SMTP, 4 << 20, ends[1]), 0);
	assert_int_equal(
	    memory_file_of(ROLE_GATEKEEPER_SMTP, ROLE_GATE_SMTP, 6 << 20, ends[1]), EFBIG);
	assert_int_equal(memory_file_of(ROLE_GATEKEEPER_IMAP, ROLE_GATE_IMAP, 0, ends[1]), EFBIG);
	/* Where the log is a plain file, the limit would be the log's end. */
	int log CLEANUP(fd_close) = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(memory_file_of(ROLE_GATEKEEPER_IMAP, ROLE_GATE_IMAP, 6 << 20, log), 0);
	close(ends[0]);
	close(ends[1]);
}

/* A registry with many sessions holds more descriptors than the next session may have. */
static void a_child_is_not_held_up_by_its_parents_descriptors(void **state UNUSED)
{
	static const struct config config = {.message_size = 4 << 20, .connections = 1000};
	const struct role_start start = {.role = ROLE_REGISTRY, .config = &config};
	const int keep[] = {STDERR_FILENO};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct sandbox_child *child = sandbox_prepare_child(&start, ROLE_SESSION);
		for (int i = 0; i < 400; i++)
			if (dup(STDERR_FILENO) < 0)
				_exit(2);
		pid_t session = fork();
		if (session == 0) {
			sandbox_enter_child(child, keep, 1);
			_exit(0);
		}
		_exit(waitpid(session, &status, 0) == session && WIFEXITED(status)
		          ? WEXITSTATUS(status)
		          : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_role_is_described),
	    cmocka_unit_test(only_the_supervisor_is_unlimited),
	    cmocka_unit_test(parents_allow_what_their_children_need),
	    cmocka_unit_test(what_strangers_reach_holds_no_file),
	    cmocka_unit_test(the_ledger_can_only_append),
	    cmocka_unit_test(a_gates_memory_files_are_small),
	    cmocka_unit_test(a_child_is_not_held_up_by_its_parents_descriptors),
	    cmocka_unit_test(identities_survive_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
