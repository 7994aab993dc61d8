#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/role.h"

/* Rights that Debian 12's headers do not know yet; the numbers are the kernel's. */
#define FS_TRUNCATE    ((uint64_t)1 << 14)
#define FS_IOCTL_DEV   ((uint64_t)1 << 15)
#define NET_BIND       ((uint64_t)1 << 0)
#define NET_CONNECT    ((uint64_t)1 << 1)
#define SCOPE_ABSTRACT ((uint64_t)1 << 0)
#define SCOPE_SIGNAL   ((uint64_t)1 << 1)

enum {
	VERSION_REFER = 2,
	VERSION_TRUNCATE = 3,
	VERSION_NET = 4,
	VERSION_IOCTL = 5,
	VERSION_SCOPE = 6
};

/* The kernel's struct with all that it has grown to; shorter ones are told by their length. */
struct ruleset_attr {
	uint64_t files;
	uint64_t net;   /* from VERSION_NET on */
	uint64_t scope; /* from VERSION_SCOPE on */
};

#define FILES_ALL_1                                                                                \
	((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                   \
	            LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                   \
	            LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |               \
	            LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                   \
	            LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                   \
	            LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                 \
	            LANDLOCK_ACCESS_FS_MAKE_SYM))

/* Rights that make sense on a single file; the kernel refuses a rule with others. */
#define FILES_OF_A_FILE                                                                            \
	((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                   \
	            LANDLOCK_ACCESS_FS_READ_FILE) |                                                \
	    FS_TRUNCATE)

static uint64_t all_files(int version)
{
	uint64_t rights = FILES_ALL_1;

	if (version >= VERSION_REFER)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= VERSION_TRUNCATE)
		rights |= FS_TRUNCATE;
	if (version >= VERSION_IOCTL)
		rights |= FS_IOCTL_DEV;
	return rights;
}

int landlock_version(void)
{
	long version =
	    syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

int landlock_ruleset(int version)
{
	struct ruleset_attr attr = {.files = all_files(version)};
	size_t len = sizeof(attr.files);

	if (version >= VERSION_NET) {
		attr.net = NET_BIND | NET_CONNECT;
		len = offsetof(struct ruleset_attr, scope);
	}
	if (version >= VERSION_SCOPE) {
		attr.scope = SCOPE_ABSTRACT | SCOPE_SIGNAL;
		len = sizeof(attr);
	}
	long fd = syscall(SYS_landlock_create_ruleset, &attr, len, 0);
	return fd < 0 ? -errno : (int)fd;
}

static int allow(int ruleset, const char *path, uint64_t rights)
{
	int fd CLEANUP(fd_close) = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		rights &= FILES_OF_A_FILE;
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
	           ? -errno
	           : 0;
}

int landlock_allow(int ruleset, int version, const char *path, unsigned files)
{
	uint64_t rights = 0;

	if ((files & FILES_READ) != 0)
		rights |= LANDLOCK_ACCESS_FS_READ_FILE;
	if ((files & FILES_WRITE) != 0)
		rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
	if ((files & FILES_LIST) != 0)
		rights |= LANDLOCK_ACCESS_FS_READ_DIR;
	if ((files & FILES_MAKE) != 0)
		rights |= LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR;
	if ((files & FILES_REMOVE) != 0)
		rights |= LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR;
	if ((files & FILES_LINK) != 0)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	rights &= all_files(version);
	return rights == 0 ? 0 : allow(ruleset, path, rights);
}

int landlock_allow_execute(int ruleset, const char *path)
{
	return allow(ruleset, path, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE);
}

/* The kernel's landlock_net_port_attr, and the number of such a rule. */
struct port_rule {
	uint64_t access;
	uint64_t port;
};
enum { RULE_PORT = 2 };

static int allow_port(int ruleset, int version, uint16_t port, uint64_t access)
{
	struct port_rule rule = {.access = access, .port = port};

	if (version < VERSION_NET)
		return 0;
	return syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) < 0 ? -errno : 0;
}

int landlock_allow_connect(int ruleset, int version, uint16_t port)
{
	return allow_port(ruleset, version, port, NET_CONNECT);
}

int landlock_allow_bind(int ruleset, int version, uint16_t port)
{
	return allow_port(ruleset, version, port, NET_BIND);
}

int landlock_restrict(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
