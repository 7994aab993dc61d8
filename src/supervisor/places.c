#include "supervisor/places.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

enum { LISTEN_BACKLOG = 1024, CONTROL_BACKLOG = 16 };

static int PRINTF(2, 3) complain(int error, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "gatepost: %s\n", text);
	return error;
}

/* The parts of the data folder. As root each belongs to its role, and `accounts` to the group that
 * registry, sessions and delivery share; the others cannot look into it. */
struct place {
	const char *name;
	enum role owner;
	mode_t mode;          /* as root */
	bool owner_is_group;  /* root owns it, the owner's further group may write */
	bool owner_has_files; /* the files in it belong to the owner too */
};

static const struct place places[] = {
    {"run", ROLE_SUPERVISOR, 0755, false, false},
    {"tls", ROLE_SUPERVISOR, 0755, false, true},
    {"directory", ROLE_DIRECTORY, 0700, false, true},
    {"queue", ROLE_QUEUE, 0700, false, true},
    {"ledger", ROLE_LEDGER, 0700, false, true},
    {"accounts", ROLE_REGISTRY, 02770, true, false},
};

/*
 * A file with a second name may be somebody else's, put here by whoever had the role, so that root
 * gives it away: it is left alone. By its descriptor, so that what is looked at is what is given.
 */
static int own_file(int dir_fd, const char *name, const struct identity *id)
{
	struct stat st;
	int fd CLEANUP(fd_close) = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_uid == id->uid && st.st_gid == id->gid))
		return 0;
	if (st.st_nlink != 1)
		return complain(0,
		    "%s: is not given to its role, because it has a second name (a hard link); "
		    "remove the one that does not belong there",
		    name);
	return fchownat(fd, "", id->uid, id->gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* A folder that was filled by another user (by `gatepost init` as root, or by an ordinary user
 * before) becomes the role's. */
static int own_files(int fd, const struct identity *id)
{
	int again CLEANUP(fd_close) = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	int r = 0;

	if (dir == NULL)
		return -errno;
	(void)fd_take(&again); /* closedir closes it */
	for (struct dirent *e = readdir(dir); e != NULL && r == 0; e = readdir(dir)) {
		if (e->d_name[0] != '.')
			r = own_file(fd, e->d_name, id);
	}
	closedir(dir);
	return r;
}

static int give(int fd, const struct place *place, const struct identities *ids)
{
	const struct identity *id = &ids->of[place->owner];
	uid_t uid = place->owner_is_group ? 0 : id->uid;
	gid_t gid = place->owner_is_group ? id->group : id->gid;

	if (fchown(fd, uid, gid) < 0 || fchmod(fd, place->mode) < 0)
		return -errno;
	return place->owner_has_files ? own_files(fd, id) : 0;
}

static int open_place(const struct place *place, const struct identities *ids)
{
	if (mkdir(place->name, 0700) < 0 && errno != EEXIST)
		return -errno;
	int fd CLEANUP(fd_close) =
	    open(place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return ids != NULL ? give(fd, place, ids) : 0;
}

int places_open_data(const char *path, const struct identities *ids, int *ret_fd)
{
	int fd CLEANUP(fd_close) = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fchdir(fd) < 0)
		return complain(-errno,
		    "%s: the data folder cannot be opened (%s); `gatepost "
		    "init` makes one",
		    path, strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int r = open_place(&places[i], ids);
		if (r < 0)
			return complain(r,
			    "%s/%s: cannot be opened or made (%s); start as the "
			    "user who owns the data folder",
			    path, places[i].name, strerror(-r));
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

int places_lock(int *ret_fd)
{
	char text[16];
	int fd CLEANUP(fd_close) =
	    open("run/gatepost.pid", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return complain(-errno, "run/gatepost.pid: cannot be made (%s)", strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return complain(-EBUSY, "a server runs on this data folder already (its process id "
		                        "is in run/gatepost.pid); stop it first");
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	int r = ftruncate(fd, 0) < 0 ? -errno : fd_pwrite_all(fd, str_of(text, (size_t)len), 0);
	if (r < 0)
		return complain(r, "run/gatepost.pid: cannot be written (%s)", strerror(-r));
	*ret_fd = fd_take(&fd);
	return 0;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse_address(
    const char *text, uint16_t port, union address *ret_address, socklen_t *ret_len)
{
	union address a = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		*ret_address = a;
		*ret_len = sizeof(a.v4);
		return 0;
	}
	a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) != 1)
		return -EINVAL;
	*ret_address = a;
	*ret_len = sizeof(a.v6);
	return 0;
}

static int listen_on(const union address *address, socklen_t len, int *ret_fd)
{
	static const int yes = 1, no = 0;
	int fd CLEANUP(fd_close) =
	    socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
		return -errno;
	/* "::" takes IPv4 too, whatever the system's default is. */
	if (address->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0)
		return -errno;
	if (bind(fd, &address->any, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

static const char *remedy(int error)
{
	switch (-error) {
	case EADDRINUSE:
		return "another program has that port; stop it, or choose another port";
	case EACCES:
		return "ports below 1024 need root; start as root, or choose another port";
	case EADDRNOTAVAIL:
		return "this machine has no such address; correct listen.address";
	default:
		return "correct [listen] in the configuration";
	}
}

int places_listen(
    const struct config *config, struct listener v[static PLACES_LISTENERS_MAX], size_t *ret_n)
{
	const struct {
		uint64_t port;
		enum role gatekeeper;
		bool implicit_tls;
	} wanted[PLACES_LISTENERS_MAX] = {
	    {config->smtp, ROLE_GATEKEEPER_SMTP, false},
	    {config->submissions, ROLE_GATEKEEPER_SUBMISSION, true},
	    {config->submission, ROLE_GATEKEEPER_SUBMISSION, false},
	    {config->imap, ROLE_GATEKEEPER_IMAP, false},
	    {config->imaps, ROLE_GATEKEEPER_IMAP, true},
	    {config->pop3, ROLE_GATEKEEPER_POP3, false},
	    {config->pop3s, ROLE_GATEKEEPER_POP3, true},
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct listener l = {.gatekeeper = wanted[i].gatekeeper,
		    .implicit_tls = wanted[i].implicit_tls,
		    .port = (uint16_t)wanted[i].port};
		union address address;
		socklen_t len;
		if (l.port == 0)
			continue;
		if (parse_address(config->address, l.port, &address, &len) < 0)
			return complain(-EINVAL,
			    "listen.address: `%s` is not an IP address; write "
			    "for example 127.0.0.1 or ::",
			    config->address);
		int r = listen_on(&address, len, &l.socket);
		if (r < 0)
			return complain(r, "cannot listen on %s port %u (%s): %s", config->address,
			    l.port, strerror(-r), remedy(r));
		v[n++] = l;
	}
	*ret_n = n;
	return 0;
}

int places_listen_control(int *ret_fd)
{
	static const struct sockaddr_un address = {
	    .sun_family = AF_UNIX, .sun_path = "run/control"};
	int fd CLEANUP(fd_close) =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* What an earlier server left; that none runs now is what places_lock made sure of. */
	if (unlink(address.sun_path) < 0 && errno != ENOENT)
		return complain(-errno, "run/control: cannot be replaced (%s)", strerror(errno));
	mode_t old = umask(0177);
	int r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	                listen(fd, CONTROL_BACKLOG) < 0
	            ? -errno
	            : 0;
	umask(old);
	if (r < 0)
		return complain(r, "run/control: cannot be made (%s)", strerror(-r));
	*ret_fd = fd_take(&fd);
	return 0;
}
