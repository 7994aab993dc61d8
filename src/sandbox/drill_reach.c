/* Attempts to reach files, programs and the network. */
#include "sandbox/drill.h"

#ifdef GATEPOST_DRILL

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox.h"

/* Each function is one attempt: 0 when it succeeded, otherwise the errno that refused it. Mostly by
 * syscall(2) itself, so that no library stands between. */

#define RESULT(call) ((call) < 0 ? errno : 0)

typedef const struct drill_context context;

/* --- files --- */

static int open_path(const char *path, int flags)
{
	int fd CLEANUP(fd_close) = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);

	return fd < 0 ? errno : 0;
}

/* The data folder as seen from the role's working folder: one or two levels up. */
static const char *in_data(const struct drill_context *c, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s", c->role == ROLE_SESSION ? "../../" : "../", name);
	return path;
}

static int read_system_file(context *c)
{
	(void)c;
	return open_path("/etc/passwd", O_RDONLY);
}

static int read_configuration(context *c)
{
	return open_path(in_data(c, "gatepost.conf"), O_RDONLY);
}

static int read_private_key(context *c)
{
	return open_path(in_data(c, "tls/key.pem"), O_RDONLY);
}

static int read_directory(context *c)
{
	return open_path(
	    in_data(c, c->role == ROLE_DIRECTORY ? "ledger/ledger.log" : "directory/directory.db"),
	    O_RDONLY);
}

/* What is beside its own folder: for a session the accounts of others. */
static int list_parent(context *c)
{
	(void)c;
	return open_path("..", O_RDONLY | O_DIRECTORY);
}

static int list_root(context *c)
{
	(void)c;
	return open_path("/", O_RDONLY | O_DIRECTORY);
}

static int list_own(context *c)
{
	(void)c;
	return open_path(".", O_RDONLY | O_DIRECTORY);
}

static int stat_system_file(context *c)
{
	struct stat st;

	(void)c;
	return RESULT(syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0));
}

static int create_in_tmp(context *c)
{
	int r = open_path("/tmp/gatepost-drill", O_WRONLY | O_CREAT);

	(void)c;
	if (r == 0)
		syscall(SYS_unlinkat, AT_FDCWD, "/tmp/gatepost-drill", 0);
	return r;
}

static int create_in_parent(context *c)
{
	int r = open_path("../drill-file", O_WRONLY | O_CREAT);

	(void)c;
	if (r == 0)
		syscall(SYS_unlinkat, AT_FDCWD, "../drill-file", 0);
	return r;
}

static int create_in_own(context *c)
{
	int r = open_path("drill-file", O_WRONLY | O_CREAT);

	(void)c;
	if (r == 0)
		syscall(SYS_unlinkat, AT_FDCWD, "drill-file", 0);
	return r;
}

static int write_configuration(context *c)
{
	return open_path(in_data(c, "gatepost.conf"), O_WRONLY);
}

static int truncate_configuration(context *c)
{
	/* To a length that changes nothing where it succeeds: a file of that size is not there. */
	return RESULT(syscall(SYS_truncate, in_data(c, "run/roles"), 4096));
}

static int make_symbolic_link(context *c)
{
	int r = RESULT(syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, "drill-link"));

	(void)c;
	if (r == 0)
		syscall(SYS_unlinkat, AT_FDCWD, "drill-link", 0);
	return r;
}

static int link_configuration(context *c)
{
	int r = RESULT(syscall(
	    SYS_linkat, AT_FDCWD, in_data(c, "gatepost.conf"), AT_FDCWD, "drill-hard-link", 0));

	if (r == 0)
		syscall(SYS_unlinkat, AT_FDCWD, "drill-hard-link", 0);
	return r;
}

/* Onto itself: changes nothing where it succeeds. */
static int move_configuration(context *c)
{
	const char *path = in_data(c, "gatepost.conf");

	return RESULT(syscall(SYS_renameat, AT_FDCWD, path, AT_FDCWD, path));
}

static int make_folder_in_tmp(context *c)
{
	int r = RESULT(syscall(SYS_mkdirat, AT_FDCWD, "/tmp/gatepost-drill-folder", 0700));

	(void)c;
	if (r == 0)
		syscall(SYS_unlinkat, AT_FDCWD, "/tmp/gatepost-drill-folder", AT_REMOVEDIR);
	return r;
}

static int make_device(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_mknodat, AT_FDCWD, "drill-fifo", S_IFIFO | 0600, 0));
}

static int change_mode(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_fchmodat, AT_FDCWD, ".", 0777));
}

static int change_owner(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_fchownat, AT_FDCWD, ".", getuid(), getgid(), 0));
}

static int open_handle(context *c)
{
	struct {
		struct file_handle head;
		char bytes[128];
	} handle = {.head.handle_bytes = 128};
	int mount;

	(void)c;
	return RESULT(syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount, 0));
}

static int open_parents_memory(context *c)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)c->server_process);
	return open_path(path, O_RDONLY);
}

static int open_own_memory(context *c)
{
	(void)c;
	return open_path("/proc/self/mem", O_RDWR);
}

/* Takes O_APPEND from what is open: a log could then be overwritten. */
static int clear_append(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_fcntl, STDERR_FILENO, F_SETFL, 0));
}

/* --- programs --- */

static char *const no_arguments[] = {(char *)(uintptr_t) "drill", NULL};

/* Success replaces this process: the program ends with 0 at once. */
static int execute_shell(context *c)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"exit 0"}, NULL};

	(void)c;
	syscall(SYS_execve, "/bin/sh", argv, no_arguments + 1);
	return errno;
}

static int execute_itself(context *c)
{
	char *argv[] = {(char[]){"gatepost"}, (char[]){"version"}, NULL};

	(void)c;
	syscall(SYS_execve, "/proc/self/exe", argv, no_arguments + 1);
	return errno;
}

static int execute_memory(context *c)
{
	int fd CLEANUP(fd_close) = (int)syscall(SYS_memfd_create, "drill", 0);

	(void)c;
	if (fd < 0 || write(fd, "#!/bin/true\n", 12) != 12)
		return errno;
	syscall(SYS_execveat, fd, "", no_arguments, no_arguments + 1, AT_EMPTY_PATH);
	return errno;
}

static int map_executable(context *c)
{
	(void)c;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	           0) == MAP_FAILED
	           ? errno
	           : 0;
}

static int make_memory_executable(context *c)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)c;
	return RESULT(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

/* --- the network --- */

static int open_socket(int family, int type, int protocol)
{
	int fd CLEANUP(fd_close) = (int)syscall(SYS_socket, family, type, protocol);

	return fd < 0 ? errno : 0;
}

#define SOCKET_ATTEMPT(name, family, type, protocol)                                               \
	static int name(context *c)                                                                \
	{                                                                                          \
		(void)c;                                                                           \
		return open_socket(family, type, protocol);                                        \
	}
SOCKET_ATTEMPT(socket_inet, AF_INET, SOCK_STREAM, 0)
SOCKET_ATTEMPT(socket_inet_datagram, AF_INET, SOCK_DGRAM, 0)
SOCKET_ATTEMPT(socket_inet6, AF_INET6, SOCK_STREAM, 0)
SOCKET_ATTEMPT(socket_raw, AF_INET, SOCK_RAW, IPPROTO_ICMP)
SOCKET_ATTEMPT(socket_unix, AF_UNIX, SOCK_STREAM, 0)
SOCKET_ATTEMPT(socket_netlink, AF_NETLINK, SOCK_RAW, 0)
SOCKET_ATTEMPT(socket_packet, AF_PACKET, SOCK_RAW, 0)
SOCKET_ATTEMPT(socket_alg, AF_ALG, SOCK_SEQPACKET, 0)
SOCKET_ATTEMPT(socket_vsock, AF_VSOCK, SOCK_STREAM, 0)

/* Connects to what everybody may connect to: its own machine. Any descriptor will do: a filter that
 * lets the call through would answer ENOTSOCK or EISCONN. */
static int connect_somewhere(context *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(53),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd CLEANUP(fd_close) = (int)syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);

	(void)c;
	return RESULT(syscall(SYS_connect, fd < 0 ? 3 : fd, &to, sizeof(to)));
}

static int bind_port(context *c)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd CLEANUP(fd_close) = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	(void)c;
	return RESULT(syscall(SYS_bind, fd < 0 ? 3 : fd, &at, sizeof(at)));
}

/* Where a role may connect to, it is to the ports of its row: nobody's is this one. */
static int connect_to_other_port(context *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(22),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd CLEANUP(fd_close) = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	(void)c;
	if (fd < 0)
		return errno;
	if (syscall(SYS_connect, fd, &to, sizeof(to)) == 0 || errno == ECONNREFUSED)
		return 0;
	return errno;
}

static int bind_chosen_port(context *c)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(42425)};
	int fd CLEANUP(fd_close) = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	(void)c;
	return fd < 0 ? errno : RESULT(syscall(SYS_bind, fd, &at, sizeof(at)));
}

static int listen_anew(context *c)
{
	int fd CLEANUP(fd_close) = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	(void)c;
	return RESULT(syscall(SYS_listen, fd < 0 ? 3 : fd, 5));
}

/* A datagram pair could send to any socket that has a name. */
static int send_to_named_socket(context *c)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int ends[2];

	(void)c;
	if (syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
		return errno;
	syscall(SYS_sendto, ends[0], "drill", 5, MSG_DONTWAIT, &to, sizeof(to));
	return 0;
}

static int make_pair(context *c)
{
	int ends[2];

	(void)c;
	return RESULT(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ends));
}

static int accept_on_all(context *c)
{
	(void)c;
	for (int fd = 0; fd < 64; fd++)
		if (syscall(SYS_accept4, fd, NULL, NULL, SOCK_NONBLOCK) >= 0 || errno == EAGAIN)
			return 0;
	return errno;
}

static int replace_tcp(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_setsockopt, 3, IPPROTO_TCP, TCP_ULP, "tls", 3));
}

static int filter_socket(context *c)
{
	int one = 1;

	(void)c;
	return RESULT(syscall(SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
}

/* --- what rows allow --- */

static bool has(context *c, unsigned calls)
{
	return (role_calls_in_force(c->role) & calls) != 0;
}

static bool may_list(context *c)
{
	return (role_files_in_force(c->role) & FILES_LIST) != 0;
}

static bool may_make(context *c)
{
	return (role_files_in_force(c->role) & FILES_MAKE) != 0;
}

/* Landlock does not judge stat: who has the call sees what the file's permissions show to all. */
static bool may_stat(context *c)
{
	(void)c;
#ifdef GATEPOST_ASAN
	return true;
#else
	return has(c, CALLS_FILES);
#endif
}

static bool may_set_flags(context *c)
{
	return has(c, CALLS_FLAGS);
}

static bool may_pair(context *c)
{
	return has(c, CALLS_PAIR);
}

static bool may_accept(context *c)
{
	return (c->row->calls & CALLS_ACCEPT) != 0;
}

/* TCP sockets and their own address; what they connect to, landlock judges. */
static bool may_connect(context *c)
{
	return has(c, CALLS_CONNECT);
}

/* Before landlock judged TCP (Linux 6.7), the filter cannot tell one port from another. */
static bool may_connect_anywhere(context *c)
{
	enum { LANDLOCK_WITH_PORTS = 4 };

	return has(c, CALLS_CONNECT) && sandbox_landlock_in_force() < LANDLOCK_WITH_PORTS;
}

static bool may_send_datagrams(context *c)
{
	return has(c, CALLS_DATAGRAM);
}

static const struct drill_attempt attempts[] = {
    {"read-system-file", read_system_file, NULL},
    {"read-configuration", read_configuration, NULL},
    {"read-private-key", read_private_key, NULL},
    {"read-other-roles-data", read_directory, NULL},
    {"list-parent-folder", list_parent, NULL},
    {"list-root-folder", list_root, NULL},
    {"list-own-folder", list_own, may_list},
    {"stat-system-file", stat_system_file, may_stat},
    {"create-in-tmp", create_in_tmp, NULL},
    {"create-in-parent-folder", create_in_parent, NULL},
    {"create-in-own-folder", create_in_own, may_make},
    {"write-configuration", write_configuration, NULL},
    {"truncate-other-file", truncate_configuration, NULL},
    {"rename-configuration", move_configuration, NULL},
    {"hard-link-configuration", link_configuration, NULL},
    {"symbolic-link", make_symbolic_link, NULL},
    {"make-folder-in-tmp", make_folder_in_tmp, NULL},
    {"make-device", make_device, NULL},
    {"change-mode", change_mode, NULL},
    {"change-owner", change_owner, NULL},
    {"open-by-handle", open_handle, NULL},
    {"open-process-memory", open_parents_memory, NULL},
    {"open-own-memory", open_own_memory, NULL},
    {"clear-append-flag", clear_append, may_set_flags},
    {"execute-shell", execute_shell, NULL},
    {"execute-itself", execute_itself, NULL},
    {"execute-memory", execute_memory, NULL},
    {"map-executable-memory", map_executable, NULL},
    {"make-memory-executable", make_memory_executable, NULL},
    {"socket-inet", socket_inet, may_connect},
    {"socket-inet-datagram", socket_inet_datagram, may_send_datagrams},
    {"socket-inet6", socket_inet6, may_connect},
    {"socket-raw", socket_raw, NULL},
    {"socket-unix", socket_unix, NULL},
    {"socket-netlink", socket_netlink, NULL},
    {"socket-packet", socket_packet, NULL},
    {"socket-alg", socket_alg, NULL},
    {"socket-vsock", socket_vsock, NULL},
    {"socket-pair", make_pair, may_pair},
    {"connect", connect_somewhere, may_send_datagrams},
    {"bind", bind_port, may_connect},
    {"connect-to-other-port", connect_to_other_port, may_connect_anywhere},
    {"bind-chosen-port", bind_chosen_port, may_connect_anywhere},
    {"listen", listen_anew, NULL},
    {"accept", accept_on_all, may_accept},
    {"send-to-named-socket", send_to_named_socket, NULL},
    {"kernel-tls", replace_tcp, NULL},
    {"share-port", filter_socket, NULL},
};
const struct drill_attempts drill_reach = {attempts, ARRAY_LEN(attempts)};

#endif
