#include "sandbox/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "sandbox/drill.h"
#include "sandbox/filter.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"

#ifdef GATEPOST_ASAN
#include <sys/syscall.h>
#include <ucontext.h>
/* The sanitizers reserve terabytes of addresses for their shadow: no limit of memory there. */
enum { LIMIT_MEMORY = 0 };
#else
enum { LIMIT_MEMORY = 1 };
#endif

/* A step that did not succeed: the process must not go on without it. */
static void must(const char *role, const char *step, int r)
{
	if (r >= 0)
		return;
	log_event(LOG_ERROR, "sandbox.failed", "of=%s step=%s error=%s", role, step, strerror(-r));
	_exit(1);
}

int sandbox_landlock_version(void)
{
	return landlock_version();
}

/* Known from the time before the filter, which does not allow to ask. */
static int version_in_force;

int sandbox_landlock_in_force(void)
{
	return version_in_force;
}

/* Limits */

enum { FILE_SIZE_MARGIN = 1 << 20 };

struct limits {
	uint64_t memory, cpu, descriptors;
	bool limits_file_size;
	uint64_t file_size;
	bool limits_processes;
	uint64_t processes;
};

/* A log that is a plain file grows beyond what a message may be, and must not end there. */
static bool logs_to_file(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

static struct limits limits_of(const struct role_row *row, const struct role_start *start)
{
	struct limits l = {.memory = row->memory, .cpu = row->cpu};

	l.descriptors = row->descriptors + row->descriptors_each * start->config->connections;
	l.limits_file_size = row->file_size != FILE_SIZE_ANY && !logs_to_file();
	if (row->file_size == FILE_SIZE_MESSAGE)
		l.file_size = start->config->message_size + FILE_SIZE_MARGIN;
	/* The kernel counts all processes of a user. Where the roles share theirs with whatever
	 * else it runs, the only number that means something is 0. */
	l.limits_processes = row->processes == 0 || (row->processes > 0 && start->own_user);
	l.processes = row->processes > 0 ? (uint64_t)row->processes : 0;
	return l;
}

/* Sets a limit, or leaves the one that is there where that is lower. */
static int set_limit(int what, uint64_t value)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)what, &l) < 0)
		return -errno;
	if (value < l.rlim_max)
		l.rlim_max = value;
	l.rlim_cur = l.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &l) < 0 ? -errno : 0;
}

static int set_limits(const struct limits *l)
{
	int r = set_limit(RLIMIT_CORE, 0);

	if (drill_without(DRILL_LIMITS))
		return r;
	if (r == 0 && l->memory > 0 && LIMIT_MEMORY)
		r = set_limit(RLIMIT_AS, l->memory);
	if (r == 0 && l->cpu > 0)
		r = set_limit(RLIMIT_CPU, l->cpu);
	if (r == 0 && l->limits_file_size)
		r = set_limit(RLIMIT_FSIZE, l->file_size);
	if (r == 0)
		r = set_limit(RLIMIT_NOFILE, l->descriptors);
	if (r == 0 && l->limits_processes)
		r = set_limit(RLIMIT_NPROC, l->processes);
	return r;
}

/* Rules */

enum { PORT_DNS = 53, PORT_HTTPS = 443 };

/* Of "address@port" of outbound.resolver, where it says one. */
static uint64_t port_of_resolver(const struct config *config)
{
	struct str port = str_of_cstr(config->outbound_resolver);
	uint64_t number;

	(void)str_cut(&port, '@');
	return num_parse(port, UINT16_MAX, &number) ? number : PORT_DNS;
}

/* Connections out: to these ports, and from an address of choice but no port of choice. */
static int allow_ports(int ruleset, int version, unsigned ports, const struct config *config)
{
	const struct {
		unsigned of;
		uint64_t port;
	} rules[] = {
	    {PORTS_SMTP, config->outbound_port},
	    {PORTS_DNS, PORT_DNS},
	    {PORTS_DNS, port_of_resolver(config)},
	    {PORTS_HTTPS, PORT_HTTPS},
	};
	int r = ports != 0 ? landlock_allow_bind(ruleset, version, 0) : 0;

	for (size_t i = 0; i < ARRAY_LEN(rules) && r == 0; i++)
		if ((rules[i].of & ports) != 0)
			r = landlock_allow_connect(ruleset, version, (uint16_t)rules[i].port);
	for (size_t i = 0; i < config->n_relays && (ports & PORTS_SMTP) != 0 && r == 0; i++)
		if (config_is_given(config->relays[i].host))
			r = landlock_allow_connect(
			    ruleset, version, (uint16_t)config->relays[i].port);
	return r;
}

/* A ruleset that allows the role what its row says, for the working folder. */
static int make_ruleset(enum role role, int version, const struct config *config)
{
	int ruleset CLEANUP(fd_close) = landlock_ruleset(version);
	unsigned files = role_files_in_force(role);

	if (ruleset < 0)
		return ruleset;
	int r = files != 0 ? landlock_allow(ruleset, version, ".", files) : 0;
	if (r == 0 && config != NULL)
		r = allow_ports(ruleset, version, role_ports_in_force(role), config);
	return r < 0 ? r : fd_take(&ruleset);
}

static int build_filter(
    const struct role_start *start, enum role role, pid_t self, struct filter *ret_filter)
{
	const struct role_row *row = role_row(role);
	struct filter_ids ids = {.becomes = row->becomes && start->own_user, .self = self};

	if (ids.becomes) {
		ids.uid = role_identity(row->child)->uid;
		ids.gid = role_identity(row->child)->gid;
	}
	return filter_build(role_calls_in_force(role), &ids, ret_filter);
}

#ifdef GATEPOST_ASAN
/* GATEPOST_SANDBOX_TRACE: says which call was refused, by number (`ausyscall` knows names). */
static void report_refused_call(int signal_number UNUSED, siginfo_t *info, void *context UNUSED)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "sandbox: system call %d refused, pid %d\n",
	    info->si_syscall, getpid());

	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		_exit(2);
	_exit(1);
}

static void trace_refused_calls(void)
{
	struct sigaction action = {.sa_sigaction = report_refused_call, .sa_flags = SA_SIGINFO};

	if (getenv("GATEPOST_SANDBOX_TRACE") != NULL)
		(void)sigaction(SIGSYS, &action, NULL);
}
#else
static void trace_refused_calls(void)
{
}
#endif

/* What cannot be taken back: no privileges by exec, no core, no ptrace, dies with its parent. The
 * signal at the parent's death is forgotten when a process changes its user: so this comes after.
 */
static int tie_down(const char *name, pid_t parent)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NAME, name, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

static bool uses_landlock(const struct role_start *start)
{
	return !start->without_landlock && !drill_without(DRILL_LANDLOCK);
}

void sandbox_enter(const struct role_start *start)
{
	const struct role_row *row = role_row(start->role);
	struct limits limits = limits_of(row, start);
	struct filter filter = {0};
	int data_fd = start->data_fd;

	/* A parent's filter is its children's too: it must not allow them a signal to it. And it is
	 * built before any fork, which may leave libraries behind (sandbox/lean.h). */
	if (row->becomes)
		must(row->name, "filter", build_filter(start, start->role, 0, &filter));
	pid_t parent = drill_before(start->role, start->own_user, limits.descriptors, getppid());
	if (!row->becomes)
		must(row->name, "filter", build_filter(start, start->role, getpid(), &filter));
	trace_refused_calls();
	must(row->name, "limits", set_limits(&limits));
	fd_close(&data_fd);
	if (start->own_user && row->reads_as_root && !drill_without(DRILL_USER))
		must(row->name, "user", identity_assume(role_identity(start->role), row->becomes));
	must(row->name, "process", tie_down(row->name, parent));
	if (uses_landlock(start)) {
		int version = landlock_version();
		must(row->name, "landlock", version >= SANDBOX_LANDLOCK_LEAST ? 0 : -ENOSYS);
		int ruleset CLEANUP(fd_close) = make_ruleset(start->role, version, start->config);
		must(row->name, "landlock", ruleset);
		must(row->name, "landlock", landlock_restrict(ruleset));
		version_in_force = version;
	}
	if (!drill_without(DRILL_SECCOMP))
		must(row->name, "seccomp", filter_load(&filter));
	filter_done(&filter);
	drill_inside(NULL, 0);
}

/* Children */

struct sandbox_child {
	enum role role;
	pid_t parent;
	bool own_user;
	bool own_rules;
	bool uses_landlock;
	int version;
	const struct config *config;
	struct identity identity;
	struct limits limits;
	struct filter filter;
};

struct sandbox_child *sandbox_prepare_child(const struct role_start *start, enum role role)
{
	const struct role_row *row = role_row(role);
	struct sandbox_child *child = calloc(1, sizeof(*child));

	assert(child != NULL);
	*child = (struct sandbox_child){.role = role,
	    .parent = getpid(),
	    .own_user = start->own_user,
	    .own_rules = !row->shares_parents_rules,
	    .uses_landlock = uses_landlock(start),
	    .version = landlock_version(),
	    .config = start->config,
	    .identity = *role_identity(role),
	    .limits = limits_of(row, start)};
	if (child->own_rules)
		must(row->name, "filter", build_filter(start, role, 0, &child->filter));
	return child;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all descriptors above 2 that are not in `keep`. */
static int close_others(const int *keep, size_t n)
{
	int sorted[SANDBOX_KEEP_MAX];
	unsigned from = STDERR_FILENO + 1;

	assert(n <= SANDBOX_KEEP_MAX);
	memcpy(sorted, keep, n * sizeof(*keep));
	qsort(sorted, n, sizeof(*sorted), by_number);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] < (int)from)
			continue;
		if (sorted[i] > (int)from && close_range(from, (unsigned)sorted[i] - 1, 0) < 0)
			return -errno;
		from = (unsigned)sorted[i] + 1;
	}
	return close_range(from, ~0u, 0) < 0 ? -errno : 0;
}

static int become(const struct sandbox_child *child)
{
	const struct identity *id = &child->identity;

	if (!child->own_user || drill_without(DRILL_USER))
		return 0;
	if (setresgid(id->gid, id->gid, id->gid) < 0 || setresuid(id->uid, id->uid, id->uid) < 0)
		return -errno;
	return identity_drop_capabilities();
}

/* A rule for the working folder, which is the child's own. */
static int restrict_child(const struct sandbox_child *child)
{
	if (!child->own_rules || !child->uses_landlock)
		return 0;
	int ruleset CLEANUP(fd_close) = make_ruleset(child->role, child->version, child->config);
	return ruleset < 0 ? ruleset : landlock_restrict(ruleset);
}

void sandbox_enter_child(const struct sandbox_child *child, const int *keep, size_t n)
{
	const char *name = role_row(child->role)->name;
	pid_t parent =
	    drill_before(child->role, child->own_user, child->limits.descriptors, child->parent);
	sigset_t none;

	sigemptyset(&none);
	must(name, "signals", sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0);
	/* First: the parent may hold more than the child's limit lets it open one beyond. */
	must(name, "descriptors", close_others(keep, n));
	must(name, "limits", set_limits(&child->limits));
	must(name, "user", become(child));
	must(name, "process", tie_down(name, parent));
	must(name, "landlock", restrict_child(child));
	if (child->own_rules && !drill_without(DRILL_SECCOMP))
		must(name, "seccomp", filter_load(&child->filter));
	drill_inside(keep, n);
}

static int become_owner(const char *of)
{
	struct stat st;

	if (lstat(of, &st) < 0 && (errno != ENOENT || lstat(".", &st) < 0))
		return -errno;
	const struct identity owner = {.uid = st.st_uid, .gid = st.st_gid};
	return geteuid() == 0 ? identity_assume(&owner, false) : 0;
}

void sandbox_enter_owner(enum role role, const char *of, pid_t parent, const int *keep, size_t n)
{
	const struct role_row *row = role_row(role);
	const struct limits limits = {.memory = row->memory,
	    .cpu = row->cpu,
	    .descriptors = row->descriptors,
	    .limits_processes = true};
	const struct filter_ids ids = {.self = getpid()};
	struct filter filter = {0};
	int version = landlock_version();

	must(row->name, "filter", filter_build(row->calls & ~(unsigned)CALLS_FORK, &ids, &filter));
	trace_refused_calls();
	must(row->name, "descriptors", close_others(keep, n));
	must(row->name, "limits", set_limits(&limits));
	must(row->name, "user", become_owner(of));
	must(row->name, "process", tie_down(row->name, parent));
	if (version >= SANDBOX_LANDLOCK_LEAST) {
		int ruleset CLEANUP(fd_close) = make_ruleset(role, version, NULL);
		must(row->name, "landlock", ruleset);
		must(row->name, "landlock", landlock_restrict(ruleset));
	}
	must(row->name, "seccomp", filter_load(&filter));
	filter_done(&filter);
}

/* The supervisor */

/* The file that the kernel executes first to load a program's libraries; NULL for a static one. */
static int find_loader(struct dl_phdr_info *info, size_t len UNUSED, void *ret_path)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			*(const char **)ret_path =
			    (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 1; /* the program itself comes first; its libraries do not matter */
}

/* All processes of the server inherit this: programs but its own cannot be started, and nothing
 * can be changed outside the data folder, which is the working folder; TCP goes where some role may
 * connect to. */
static int supervisor_ruleset(int version, const struct config *config)
{
	enum {
		FILES_ALL =
		    FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE | FILES_LINK
	};
	int ruleset CLEANUP(fd_close) = landlock_ruleset(version);
	const char *loader = NULL;
	int r = ruleset < 0 ? ruleset : 0;

	dl_iterate_phdr(find_loader, &loader);
	if (r == 0)
		r = landlock_allow(ruleset, version, "/", FILES_READ | FILES_LIST);
	if (r == 0)
		r = landlock_allow(ruleset, version, ".", FILES_ALL);
	if (r == 0)
		r = landlock_allow(ruleset, version, "/dev/null", FILES_WRITE);
	if (r == 0)
		r = landlock_allow_execute(ruleset, "/proc/self/exe");
	if (r == 0 && loader != NULL)
		r = landlock_allow_execute(ruleset, loader);
	unsigned ports = 0;
	for (enum role role = 0; role < N_ROLES; role++)
		ports |= role_row(role)->ports;
	if (r == 0)
		r = allow_ports(ruleset, version, ports, config);
	return r < 0 ? r : fd_take(&ruleset);
}

void sandbox_enter_supervisor(const struct config *config, bool own_users, bool without_landlock)
{
	static const char name[] = "supervisor";
	struct filter filter;

	must(name, "filter", filter_build_supervisor(&filter));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		must(name, "process", -errno);
	if (!without_landlock) {
		int version = landlock_version();
		int ruleset CLEANUP(fd_close) = supervisor_ruleset(version, config);
		must(name, "landlock", ruleset);
		if (!drill_without(DRILL_LANDLOCK))
			must(name, "landlock", landlock_restrict(ruleset));
		version_in_force = version;
	}
	if (own_users)
		must(name, "capabilities", identity_limit_supervisor());
	if (!drill_without(DRILL_SECCOMP))
		must(name, "seccomp", filter_load(&filter));
	filter_done(&filter);
}
