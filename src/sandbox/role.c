#include "sandbox/role.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "sandbox/identity.h"
#include "sandbox/sandbox.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define DAY ((uint64_t)86400)

/*
 * THE TABLE OF ROLES. `files` holds below `folder`; everything else in the file system is closed to
 * the role. A parent's rules must allow what its children's rules allow (rules only ever get
 * stricter from parent to child), so in force for a parent is its line and those of its children.
 *
 * A gate needs few descriptors. But of those on their way in a message the kernel counts what all
 * processes of one user have sent, and holds it against the sender's limit: at a small one,
 * messages could not be handed over as soon as some tens of gates wait for a busy delivery.
 */
/* clang-format off */
static const struct role_row rows[N_ROLES] = {
	[ROLE_SUPERVISOR] = {
		.name = "supervisor", .user = "root", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_START,
		.processes = ROLE_PROCESSES_UNLIMITED,
		.holds = "listening sockets; may start its own binary and end its children",
	},
	[ROLE_GATEKEEPER_SMTP] = {
		.name = "gatekeeper-smtp", .user = "gatepost-gatekeeper", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_ACCEPT | CALLS_PAIR |
		         CALLS_FORK | CALLS_BECOME,
		.memory = 1 * GIB, .descriptors = 256, .descriptors_each = 2,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_GATE_SMTP,
		.holds = "a listening socket; can send gates to the services",
	},
	[ROLE_GATEKEEPER_IMAP] = {
		.name = "gatekeeper-imap", .user = "gatepost-gatekeeper", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_ACCEPT | CALLS_PAIR |
		         CALLS_FORK | CALLS_BECOME,
		.memory = 1 * GIB, .descriptors = 256, .descriptors_each = 2,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_GATE_IMAP,
		.holds = "listening sockets; can send gates to the services",
	},
	[ROLE_GATEKEEPER_POP3] = {
		.name = "gatekeeper-pop3", .user = "gatepost-gatekeeper", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_ACCEPT | CALLS_PAIR |
		         CALLS_FORK | CALLS_BECOME,
		.memory = 1 * GIB, .descriptors = 256, .descriptors_each = 2,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_GATE_POP3,
		.holds = "listening sockets; can send gates to the services",
	},
	[ROLE_GATEKEEPER_SUBMISSION] = {
		.name = "gatekeeper-submission", .user = "gatepost-gatekeeper", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_ACCEPT | CALLS_PAIR |
		         CALLS_FORK | CALLS_BECOME,
		.memory = 1 * GIB, .descriptors = 256, .descriptors_each = 2,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_GATE_SUBMISSION,
		.holds = "listening sockets; can send gates to the services",
	},
	[ROLE_GATE_SMTP] = {
		.name = "gate-smtp", .user = "gatepost-gate", .parent = ROLE_GATEKEEPER_SMTP,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_MEMFD,
		.memory = 512 * MIB, .cpu = 3600, .descriptors = 64, .descriptors_each = 2,
		.file_size = FILE_SIZE_MESSAGE,
		.shares_parents_rules = true,
		.holds = "one connection, and the message and password that come through it",
	},
	[ROLE_GATE_IMAP] = {
		.name = "gate-imap", .user = "gatepost-gate", .parent = ROLE_GATEKEEPER_IMAP,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_PAIR,
		.memory = 512 * MIB, .cpu = DAY, .descriptors = 64, .descriptors_each = 2,
		.file_size = FILE_SIZE_NONE,
		.shares_parents_rules = true,
		.holds = "one connection, and the password and mail that come through it",
	},
	[ROLE_GATE_POP3] = {
		.name = "gate-pop3", .user = "gatepost-gate", .parent = ROLE_GATEKEEPER_POP3,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_PAIR,
		.memory = 512 * MIB, .cpu = DAY, .descriptors = 64, .descriptors_each = 2,
		.file_size = FILE_SIZE_NONE,
		.shares_parents_rules = true,
		.holds = "one connection, and the password and mail that come through it",
	},
	[ROLE_GATE_SUBMISSION] = {
		.name = "gate-submission", .user = "gatepost-gate", .parent = ROLE_GATEKEEPER_SUBMISSION,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_PAIR | CALLS_MEMFD,
		.memory = 512 * MIB, .cpu = 3600, .descriptors = 64, .descriptors_each = 2,
		.file_size = FILE_SIZE_MESSAGE,
		.shares_parents_rules = true,
		.holds = "one connection, and the password and messages that come through it",
	},
	[ROLE_KEYHOLDER] = {
		.name = "keyholder", .user = "gatepost-keyholder", .parent = ROLE_SUPERVISOR,
		.folder = "tls",
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_LOCK_MEMORY,
		.memory = 1 * GIB, .descriptors = 256, .descriptors_each = 2,
		.reads_as_root = true,
		.holds = "the private keys of TLS and of DKIM",
	},
	[ROLE_DIRECTORY] = {
		.name = "directory", .user = "gatepost-directory", .parent = ROLE_SUPERVISOR,
		.folder = "directory",
		.files = FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_ACCEPT | CALLS_PAIR | CALLS_MEMFD |
		         CALLS_APPEND | CALLS_FILES | CALLS_FORK | CALLS_LOCK_MEMORY,
		.memory = 4 * GIB, .descriptors = 256, .descriptors_each = 4,
		.processes = 64,
		.holds = "addresses, wrapped keys; keys of accounts that signed in a short while ago",
	},
	[ROLE_REGISTRY] = {
		.name = "registry", .user = "gatepost-registry", .groups = "gatepost-store",
		.parent = ROLE_SUPERVISOR, .folder = "accounts",
		.files = FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_PAIR | CALLS_APPEND | CALLS_FILES |
		         CALLS_FORK | CALLS_BECOME,
		.memory = 4 * GIB, .descriptors = 256, .descriptors_each = 2,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_SESSION,
		.holds = "all accounts' folders, sealed; keys only while it hands them on unread",
	},
	[ROLE_SESSION] = {
		.name = "session", .user = "gatepost-session", .groups = "gatepost-store",
		.parent = ROLE_REGISTRY, .folder = "accounts/ID",
		.files = FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE |
		         FILES_LINK,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_MEMFD | CALLS_APPEND | CALLS_FILES |
		         CALLS_LOCK_MEMORY,
		.memory = 2 * GIB, .cpu = DAY, .descriptors = 256,
		.holds = "one account: its folder and its key, while its user is signed in",
	},
	[ROLE_DELIVERY] = {
		.name = "delivery", .user = "gatepost-delivery", .groups = "gatepost-store",
		.parent = ROLE_SUPERVISOR, .folder = "accounts",
		.files = FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE |
		         FILES_LINK,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_APPEND | CALLS_FILES,
		.memory = 8 * GIB, .descriptors = 1024, .descriptors_each = 1,
		.holds = "messages being delivered; letterboxes, which it cannot decrypt",
	},
	[ROLE_QUEUE] = {
		.name = "queue", .user = "gatepost-queue", .parent = ROLE_SUPERVISOR, .folder = "queue",
		.files = FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_PAIR | CALLS_MEMFD | CALLS_APPEND |
		         CALLS_FILES | CALLS_LOCK_MEMORY,
		.memory = 8 * GIB, .descriptors = 2048, .descriptors_each = 2,
		.holds = "the mail that goes out, until it is delivered",
	},
	[ROLE_SCRIBES] = {
		.name = "scribes", .user = "gatepost-scribes", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_FORK | CALLS_BECOME,
		.memory = 1 * GIB, .descriptors = 2048,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_SCRIBE,
		.holds = "nothing but ends of channels, which it hands on",
	},
	[ROLE_SCRIBE] = {
		.name = "scribe", .user = "gatepost-scribe", .parent = ROLE_SCRIBES,
		.calls = CALLS_BASE | CALLS_CHANNEL | CALLS_MEMFD,
		.memory = 1 * GIB, .cpu = 60, .descriptors = 2048,
		.file_size = FILE_SIZE_MESSAGE,
		.shares_parents_rules = true,
		.holds = "one message on its way out, or a few of one user's connection",
	},
	[ROLE_DISPATCHER] = {
		.name = "dispatcher", .user = "gatepost-dispatcher", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_PAIR | CALLS_FORK | CALLS_BECOME,
		.memory = 1 * GIB, .descriptors = 256, .descriptors_each = 2,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_COURIER,
		.holds = "no message; can connect to other servers, and have names looked up",
	},
	[ROLE_COURIER] = {
		.name = "courier", .user = "gatepost-courier", .parent = ROLE_DISPATCHER,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_CONNECT,
		.ports = PORTS_SMTP,
		.memory = 512 * MIB, .cpu = 3600, .descriptors = 64,
		.file_size = FILE_SIZE_NONE,
		.holds = "one message on its way out, and one connection to another server",
	},
	[ROLE_RESOLVER] = {
		.name = "resolver", .user = "gatepost-resolver", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECT | CALLS_DATAGRAM,
		.ports = PORTS_DNS,
		.memory = 1 * GIB, .descriptors = 4096, .descriptors_each = 1,
		.holds = "no mail; the names that mail goes to, and what the others believe of them",
	},
	[ROLE_FETCHER] = {
		.name = "fetcher", .user = "gatepost-fetcher", .parent = ROLE_SUPERVISOR,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_PAIR | CALLS_FORK | CALLS_BECOME,
		.memory = 1 * GIB, .descriptors = 4096,
		.processes = ROLE_PROCESSES_UNLIMITED, .becomes = true, .child = ROLE_FETCH,
		.holds = "no mail; can connect to web servers, and say what their policies are",
	},
	[ROLE_FETCH] = {
		.name = "fetch", .user = "gatepost-fetch", .parent = ROLE_FETCHER,
		.calls = CALLS_BASE | CALLS_FLAGS | CALLS_CHANNEL | CALLS_CONNECTION | CALLS_CONNECT | CALLS_PAIR,
		.ports = PORTS_HTTPS,
		.memory = 512 * MIB, .cpu = 120, .descriptors = 64,
		.file_size = FILE_SIZE_NONE,
		.holds = "one policy or one TLS report, and one connection to a web server",
	},
	[ROLE_LEDGER] = {
		.name = "ledger", .user = "gatepost-ledger", .parent = ROLE_SUPERVISOR,
		.folder = "ledger",
		.calls = CALLS_BASE | CALLS_CHANNEL | CALLS_APPEND,
		.memory = 256 * MIB, .descriptors = 64,
		.holds = "its log, opened for appending",
	},
};
/* clang-format on */

const struct role_row *role_row(enum role role)
{
	assert(role < N_ROLES);
	return &rows[role];
}

bool role_by_name(struct str name, enum role *ret_role)
{
	for (enum role role = 0; role < N_ROLES; role++)
		if (str_eq(name, str_of_cstr(rows[role].name))) {
			*ret_role = role;
			return true;
		}
	return false;
}

unsigned role_calls_in_force(enum role role)
{
	if (rows[role].shares_parents_rules)
		role = rows[role].parent;
	unsigned calls = rows[role].calls;

	if (rows[role].becomes)
		calls |= rows[rows[role].child].calls;
	return calls;
}

unsigned role_files_in_force(enum role role)
{
	if (rows[role].shares_parents_rules)
		role = rows[role].parent;
	unsigned files = rows[role].files;

	if (rows[role].becomes)
		files |= rows[rows[role].child].files;
	return files;
}

unsigned role_ports_in_force(enum role role)
{
	if (rows[role].shares_parents_rules)
		role = rows[role].parent;
	unsigned ports = rows[role].ports;

	if (rows[role].becomes)
		ports |= rows[rows[role].child].ports;
	return ports;
}

/* The process's start */

static struct config role_config;
static struct identities role_identities;

const struct identity *role_identity(enum role role)
{
	return &role_identities.of[role];
}

static int fail(const char *what, int error)
{
	log_event(LOG_ERROR, "role.cannot_start", "what=%s error=%s", what, strerror(-error));
	return error;
}

/* The descriptors are what the supervisor says they are, and there are no others. */
static int check_descriptors(enum role role)
{
	unsigned end = role == ROLE_DIRECTORY ? ROLE_FD_END : ROLE_FD_CONTROL;
	struct stat st;

	for (int fd = ROLE_FD_SUPERVISOR; fd < (int)end; fd++)
		if (fstat(fd, &st) < 0 || fd_set_cloexec(fd, true) < 0)
			return -EBADF;
	if (fstat(ROLE_FD_SUPERVISOR, &st) < 0 || !S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (fstat(ROLE_FD_DATA, &st) < 0 || !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return close_range(end, ~0u, 0) < 0 ? -errno : 0;
}

static int read_config(void)
{
	int fd CLEANUP(fd_close) = ROLE_FD_CONFIG;
	struct config_error error;
	size_t len;
	int r = fd_check_sealed(fd, &len);

	if (r == 0 && len > CONFIG_FILE_MAX)
		r = -EFBIG;
	if (r < 0)
		return r;
	char *text = malloc(len + 1);
	assert(text != NULL);
	r = fd_pread_all(fd, text, len, 0);
	if (r == 0)
		r = config_parse(str_of(text, len), "gatepost.conf", &role_config, &error);
	free(text);
	return r;
}

/* The folder is found as root and entered as the role's user, to whom it belongs. */
static int become_and_go_to_folder(const struct role_start *start, const struct role_row *row)
{
	int fd CLEANUP(fd_close) =
	    row->folder == NULL
	        ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
	        : openat(ROLE_FD_DATA, row->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && start->own_user && !row->reads_as_root)
		r = identity_assume(role_identity(start->role), row->becomes);
	if (r == 0 && fchdir(fd) < 0)
		r = -errno;
	return r;
}

/*
 * Signals: a closed connection, or a file at its limit, is an error of write, not a signal; Ctrl-C
 * in a terminal reaches the whole group, but it is the supervisor that stops the roles, in order.
 * The time zone is read now: in the sandbox there are no files to read it from.
 */
static void settle(const struct role_row *row)
{
	umask(row->groups != NULL ? 0007 : 0077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setenv("TZ", "UTC0", 1);
	tzset();
}

static int take_identities(bool *ret_own_user)
{
	const char *text = getenv(ROLE_ENV_IDENTITIES);

	*ret_own_user = text != NULL;
	if (text == NULL)
		return 0;
	return identities_decode(str_of_cstr(text), &role_identities) ? 0 : -EINVAL;
}

static int enter(struct role_start *start)
{
	const struct role_row *row = role_row(start->role);
	int r = check_descriptors(start->role);

	if (r < 0)
		return fail("descriptors", r);
	if ((r = read_config()) < 0)
		return fail("configuration", r);
	if ((r = take_identities(&start->own_user)) < 0)
		return fail("identities", r);
	settle(row);
	if ((r = become_and_go_to_folder(start, row)) < 0)
		return fail(row->folder != NULL ? row->folder : "user", r);
	start->config = &role_config;
	start->supervisor = ROLE_FD_SUPERVISOR;
	start->data_fd = ROLE_FD_DATA;
	start->control = start->role == ROLE_DIRECTORY ? ROLE_FD_CONTROL : -1;
	start->without_landlock = getenv(ROLE_ENV_NO_LANDLOCK) != NULL;
	return 0;
}

int role_enter(int argc, char **argv, struct role_start *ret_start)
{
	struct role_start start = {0};
	uint64_t index;

	if (argc != 2 || !role_by_name(str_of_cstr(argv[0]), &start.role) ||
	    start.role == ROLE_SUPERVISOR || !num_parse(str_of_cstr(argv[1]), UINT16_MAX, &index))
		return fail("arguments: roles are started by `gatepost serve`", -EINVAL);
	start.index = (uint16_t)index;
	log_open(role_row(start.role)->name, LOG_INFO);
	int r = enter(&start);
	if (r == 0)
		*ret_start = start;
	return r;
}

int role_ready(const struct role_start *start)
{
	struct ipc_ready ready = {
	    .landlock = (uint8_t)(start->without_landlock ? 0 : sandbox_landlock_in_force())};

	return ipc_send(start->supervisor, IPC_READY, &ready);
}
