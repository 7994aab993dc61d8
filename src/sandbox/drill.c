#include "sandbox/drill.h"

#ifdef GATEPOST_DRILL

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

/* The attempt that this process is there for; NULL in a role's own process. */
static const struct drill_attempt *mine;
static struct drill_context context;

static bool is_listed(const char *variable, const char *word)
{
	struct str list = str_of_cstr(getenv(variable)), wanted = str_of_cstr(word);

	while (list.len > 0)
		if (str_eq(str_cut(&list, ','), wanted))
			return true;
	return false;
}

bool drill_without(enum drill_defence defence)
{
	static const char *const names[] = {"landlock", "seccomp", "limits", "user"};

	return is_listed("GATEPOST_DRILL_WITHOUT", names[defence]);
}

static void describe(int status, char text[static 64])
{
	const char *name = NULL;

	if (WIFSIGNALED(status))
		snprintf(text, 64, "killed:SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 0)
		snprintf(text, 64, "done");
	else if ((name = strerrorname_np(WEXITSTATUS(status))) != NULL)
		snprintf(text, 64, "refused:%s", name);
	else
		snprintf(text, 64, "exit:%d", WEXITSTATUS(status));
}

static void report(const struct drill_attempt *attempt, int status)
{
	bool allowed = attempt->is_allowed != NULL && attempt->is_allowed(&context);
	char outcome[64];

	describe(status, outcome);
	log_event(LOG_INFO, "drill.result", "of=%s attempt=%s rule=%s outcome=%s",
	    context.row->name, attempt->name, allowed ? "allowed" : "forbidden", outcome);
}

/* Forks the attempt's child; `mine` is set in it. */
static void run(const struct drill_attempt *attempt)
{
	int status = 0;
	/* A role may have asked not to be told of its children's ends. */
	void (*before)(int) = signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();

	if (pid == 0) {
		mine = attempt;
		return;
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		log_event(LOG_ERROR, "drill.broken", "of=%s attempt=%s", context.row->name,
		    attempt->name);
	else
		report(attempt, status);
	(void)signal(SIGCHLD, before);
}

pid_t drill_before(enum role role, bool own_user, uint64_t descriptors, pid_t parent)
{
	const struct role_row *row = role_row(role);

	if (!is_listed("GATEPOST_DRILL", row->name))
		return parent;
	context = (struct drill_context){.role = role,
	    .row = row,
	    .own_user = own_user,
	    .descriptors = descriptors,
	    .server_process = getpid()};
	static const struct drill_attempts *const tables[] = {&drill_reach, &drill_power};
	size_t n = 0;
	for (size_t t = 0; t < ARRAY_LEN(tables) && mine == NULL; t++)
		for (size_t i = 0; i < tables[t]->n && mine == NULL; i++, n++)
			run(&tables[t]->v[i]);
	if (mine != NULL)
		return context.server_process;
	log_event(LOG_INFO, "drill.done", "of=%s attempts=%zu", row->name, n);
	return parent;
}

void drill_inside(const int *keep, size_t n_keep)
{
	if (mine == NULL)
		return;
	context.keep = keep;
	context.n_keep = n_keep;
	_exit(mine->try(&context));
}

#endif
