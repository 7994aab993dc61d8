/*
 * sandbox/role.h: what each role is, and what it may do: one table, in role.c.
 *
 * The table is the policy. `gatepost roles` prints it, the supervisor starts roles from it,
 * sandbox.c makes landlock rules, the seccomp filter and the limits from it, and the drills expect
 * from it what must fail. Nothing else in the tree grants a right.
 *
 * How a role starts (a role's main function is a checklist whose last line before its loop is
 * `sandbox_enter`):
 *
 *   1. supervisor: fork, exec /proc/self/exe `role NAME INDEX`, with the descriptors of
 *      role_start.
 *   2. role_enter (here): reads the configuration, becomes the role's user (as root; not yet where
 *      the row says `reads_as_root`), goes to the role's own folder.
 *   3. <role>_main(start): opens what it needs, prepares the sandboxes of its children
 *      (sandbox_prepare_child), then sandbox_enter(start), then role_ready(start), then its loop.
 *
 * What sandbox_enter and sandbox_enter_child do, and in which order, is in sandbox.h.
 */
#ifndef SANDBOX_ROLE_H
#define SANDBOX_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "config/config.h"
#include "ipc/messages.h"

struct identity; /* sandbox/identity.h */

/* What a role's main function is given. Valid for the life of the process. */
struct role_start {
	enum role role;
	uint16_t index;              /* which of several workers, 0 … */
	int supervisor;              /* the channel to the supervisor; the role takes it */
	int control;                 /* directory: the listening control socket; others: -1 */
	int data_fd;                 /* the data folder (O_PATH), until sandbox_enter closes it */
	const struct config *config; /* parsed; `data` is not for opening: the working folder is
	                                the role's own already */
	bool own_user;               /* started as root: every role has its own user */
	bool without_landlock;       /* --allow-no-landlock was given and the kernel has none */
};

/* Families of system calls (sandbox/filter.c says exactly which calls, with which arguments). */
enum sandbox_calls {
	CALLS_BASE = 1 << 0,       /* memory without PROT_EXEC, descriptors held, time, exit */
	CALLS_CHANNEL = 1 << 1,    /* messages over sockets that are there; poll, epoll */
	CALLS_CONNECTION = 1 << 2, /* options and addresses of a TCP connection that is there */
	CALLS_ACCEPT = 1 << 3,     /* accept4 */
	CALLS_PAIR = 1 << 4,       /* socketpair(AF_UNIX) */
	CALLS_MEMFD = 1 << 5,      /* memory files: make, size, seal */
	CALLS_APPEND = 1 << 6,     /* fsync, fdatasync */
	CALLS_FILES = 1 << 7,  /* open by path (landlock says where), make, remove, lock, sync */
	CALLS_FORK = 1 << 8,   /* fork without namespaces or threads; wait */
	CALLS_BECOME = 1 << 9, /* a child's way into its own stricter sandbox */
	CALLS_LOCK_MEMORY = 1 << 10, /* mlock for keys */
	CALLS_FLAGS = 1 << 11,       /* flags of open descriptors (not for who may only append) */
	CALLS_START = 1 << 12,       /* supervisor only: exec (landlock: its own binary), kill */
	CALLS_CONNECT = 1 << 13,     /* TCP sockets of its own: connect, bind; never listen */
	CALLS_DATAGRAM = 1 << 14,    /* UDP sockets of its own: questions to name servers */
};

/* Where a role may connect to by TCP, as far as the kernel's landlock judges it (version 4). */
enum sandbox_ports {
	PORTS_SMTP = 1 << 0,  /* outbound.port, and those of relays that are configured */
	PORTS_DNS = 1 << 1,   /* 53, and that of outbound.resolver */
	PORTS_HTTPS = 1 << 2, /* 443 */
};

/* Rights below the role's own folder, as landlock knows them; none: no file can be opened. */
enum sandbox_files {
	FILES_READ = 1 << 0,
	FILES_WRITE = 1 << 1, /* write into files that are there (and truncate) */
	FILES_LIST = 1 << 2,
	FILES_MAKE = 1 << 3,   /* regular files and folders */
	FILES_REMOVE = 1 << 4, /* files and folders */
	FILES_LINK = 1 << 5,   /* link and rename from one folder to another */
};

/* RLIMIT_FSIZE, which holds for memory files too. */
enum sandbox_file_size {
	FILE_SIZE_ANY,
	FILE_SIZE_MESSAGE, /* limits.message_size and a little */
	FILE_SIZE_NONE,
};

enum { ROLE_MEMORY_UNLIMITED = 0, ROLE_PROCESSES_UNLIMITED = -1 };

struct role_row {
	const char *name;   /* "gate-smtp": argv, log, comm, table */
	const char *user;   /* "gatepost-gate" */
	const char *groups; /* "gatepost-store", or NULL */
	enum role parent;   /* who forks it */
	const char *folder; /* its working folder, below the data folder; NULL: none ("/") */
	unsigned files;     /* enum sandbox_files, below `folder` */
	unsigned calls;     /* enum sandbox_calls */
	unsigned ports;     /* enum sandbox_ports */
	uint64_t memory;    /* RLIMIT_AS, bytes */
	uint64_t cpu; /* RLIMIT_CPU, seconds; 0: none (roles that live as long as the server) */
	enum sandbox_file_size file_size;
	uint64_t descriptors;      /* RLIMIT_NOFILE: so many … */
	uint64_t descriptors_each; /* … and so many for each connection of the configuration */
	int processes;             /* RLIMIT_NPROC: further processes it may fork; 0: none */
	bool reads_as_root;        /* keeps root until sandbox_enter, to read what only root may */
	bool becomes;              /* keeps CAP_SETUID and CAP_SETGID for its children's one user */
	enum role child;           /* whose: for a row that `becomes` */
	/* Lives under its parent's filter and landlock rules (which the parent entered before it
	 * forked), so that it costs one fork: what the parent could do beyond its row is closed by
	 * its limits (no further process), by having no such descriptor (no listener) and no
	 * capability. */
	bool shares_parents_rules;
	const char *holds; /* one line: what somebody has who controls it */
};

/* The row of a role; never NULL for a role below N_ROLES. */
const struct role_row *role_row(enum role role);

/* What the kernel holds a role to: its row; for a parent whose children `become`, theirs too,
 * because rules only get stricter from parent to child; for who shares its parent's rules, those.
 */
unsigned role_calls_in_force(enum role role);
unsigned role_files_in_force(enum role role);
unsigned role_ports_in_force(enum role role);

/* The role of that name; false when there is none. */
MUST_USE bool role_by_name(struct str name, enum role *ret_role);

/* Descriptors that a role's process is started with, beside 0, 1 and 2. */
enum {
	ROLE_FD_SUPERVISOR = 3,
	ROLE_FD_CONFIG = 4,  /* sealed memfd: the text of gatepost.conf; closed once parsed */
	ROLE_FD_DATA = 5,    /* O_PATH */
	ROLE_FD_CONTROL = 6, /* directory only */
	ROLE_FD_END
};

/* What the supervisor tells a role through the environment, which it makes from nothing. */
/* (sandbox/identity.h; unset: one user for all roles) */
#define ROLE_ENV_IDENTITIES  "GATEPOST_IDENTITIES"
#define ROLE_ENV_NO_LANDLOCK "GATEPOST_NO_LANDLOCK"

/*
 * The start of a role's process, from main: `argv` behind "role". Fills `*ret_start` (static
 * storage behind its pointers). 0, or -errno after an error line in the log.
 */
MUST_USE int role_enter(int argc, char **argv, struct role_start *ret_start);

/* The user of a role, as the supervisor told; only where start->own_user. */
const struct identity *role_identity(enum role role);

/* Tells the supervisor that the role is sandboxed and in its loop (IPC_READY). 0 or -errno. */
MUST_USE int role_ready(const struct role_start *start);

#endif
