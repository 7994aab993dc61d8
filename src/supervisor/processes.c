#include "supervisor/processes.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

enum { PROC_FILE_MAX = 65536 };

/* Files of /proc tell no size: they are read until they end. */
static bool read_proc(pid_t pid, const char *name, char text[static PROC_FILE_MAX])
{
	char path[64];
	size_t len = 0;
	ssize_t got = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (len < PROC_FILE_MAX - 1 && (got = read(fd, text + len, PROC_FILE_MAX - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	return got >= 0 && len > 0;
}

/* The text behind "Name:" in its line, without white space around. */
static struct str field(const char *text, const char *name)
{
	struct str rest = str_of_cstr(text), wanted = str_of_cstr(name);

	while (rest.len > 0) {
		struct str line = str_cut_line(&rest);
		if (str_skip(&line, wanted) && str_skip(&line, STR(":")))
			return str_trim(line);
	}
	return STR("");
}

/* The n-th number of a field, from 0; 0 where there is none. */
static uint64_t number(struct str s, size_t n)
{
	uint64_t value = 0;

	for (; n > 0; n--)
		(void)str_cut(&s, '\t');
	s = str_trim(str_first(s, num_min(str_index(s, '\t'), str_index(s, ' '))));
	return num_parse(s, UINT64_MAX, &value) ? value : 0;
}

static uint64_t hexadecimal(struct str s)
{
	uint64_t value = 0;

	for (size_t i = 0; i < s.len && i < 16 && ascii_hex(s.p[i]) >= 0; i++)
		value = value << 4 | (uint64_t)ascii_hex(s.p[i]);
	return value;
}

static void copy_name(char to[static PROCESS_NAME_MAX], struct str name)
{
	if (str_to_cstr(str_first(name, PROCESS_NAME_MAX - 1), to, PROCESS_NAME_MAX) < 0)
		to[0] = '\0';
}

/* One line of run/roles: pid role index landlock state. */
static void read_role_line(struct str line, struct process *p)
{
	uint64_t pid, landlock;

	if (!num_parse(str_cut(&line, ' '), INT32_MAX, &pid) || (pid_t)pid != p->pid)
		return;
	copy_name(p->role, str_cut(&line, ' '));
	(void)str_cut(&line, ' ');
	if (num_parse(str_cut(&line, ' '), INT16_MAX, &landlock))
		p->landlock = (int)landlock;
	copy_name(p->state, line);
}

static bool look_at(pid_t pid, struct str roles, struct process *ret_process)
{
	static char text[PROC_FILE_MAX];
	struct process p = {.pid = pid, .landlock = -1, .pss_kib = -1};

	if (!read_proc(pid, "status", text))
		return false;
	p.parent = (pid_t)number(field(text, "PPid"), 0);
	p.uid = (uid_t)number(field(text, "Uid"), 1);
	p.no_new_privs = number(field(text, "NoNewPrivs"), 0) == 1;
	p.seccomp = (unsigned)number(field(text, "Seccomp"), 0);
	p.filters = (unsigned)number(field(text, "Seccomp_filters"), 0);
	p.capabilities = hexadecimal(field(text, "CapPrm"));
	copy_name(p.role, field(text, "Name"));
	while (roles.len > 0)
		read_role_line(str_cut_line(&roles), &p);
	*ret_process = p;
	return true;
}

/* Walking a process's memory takes the kernel a while: only for those that are the server's. */
static void measure(struct process *v, size_t n)
{
	static char text[PROC_FILE_MAX];

	for (size_t i = 0; i < n; i++)
		if (read_proc(v[i].pid, "smaps_rollup", text))
			v[i].pss_kib = (int64_t)number(field(text, "Pss"), 0);
}

/* The number in run/gatepost.pid, where a server holds the lock on that file. */
static int find_supervisor(int data_fd, pid_t *ret_pid)
{
	int fd CLEANUP(fd_close) = openat(data_fd, "run/gatepost.pid", O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	uint64_t pid;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return -ESRCH;
	ssize_t len = pread(fd, text, sizeof(text), 0);
	if (len < 0)
		return -errno;
	if (!num_parse(str_trim(str_of(text, (size_t)len)), INT32_MAX, &pid) || pid == 0)
		return -ESRCH;
	*ret_pid = (pid_t)pid;
	return 0;
}

struct list {
	struct process *v;
	size_t n, cap;
};

static void append(struct list *l, const struct process *p)
{
	if (l->n == l->cap) {
		l->cap = num_max(64, l->cap * 2);
		l->v = reallocarray(l->v, l->cap, sizeof(*l->v));
		assert(l->v != NULL);
	}
	l->v[l->n++] = *p;
}

/* Every process of the machine with its parent: who belongs to the server is sorted out then. */
static int list_all(struct str roles, struct list *all)
{
	DIR *dir = opendir("/proc");

	if (dir == NULL)
		return -errno;
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		struct process p;
		uint64_t pid;
		if (num_parse(str_of_cstr(e->d_name), INT32_MAX, &pid) &&
		    look_at((pid_t)pid, roles, &p))
			append(all, &p);
	}
	closedir(dir);
	return 0;
}

/* Appends the children of `of` behind it, and theirs behind them. */
static void append_children(struct list *found, const struct list *all, size_t of)
{
	for (size_t i = 0; i < all->n; i++) {
		struct process p = all->v[i];
		const struct process *parent = &found->v[of];
		if (p.parent != parent->pid || p.pid == parent->pid)
			continue;
		if (p.landlock < 0)
			p.landlock = parent->landlock;
		append(found, &p);
		append_children(found, all, found->n - 1);
	}
}

int processes_list(int data_fd, struct process **ret_v, size_t *ret_n)
{
	struct list all = {0}, found = {0};
	char *roles = NULL;
	size_t len = 0;
	pid_t pid;
	int r = find_supervisor(data_fd, &pid);

	if (r < 0)
		return r;
	if (fd_read_file(data_fd, "run/roles", PROC_FILE_MAX, &roles, &len) < 0)
		len = 0;
	r = list_all(str_of(roles, len), &all);
	for (size_t i = 0; i < all.n && r == 0; i++)
		if (all.v[i].pid == pid) {
			copy_name(all.v[i].role, STR("supervisor"));
			append(&found, &all.v[i]);
			append_children(&found, &all, 0);
		}
	free(all.v);
	free(roles);
	if (r == 0 && found.n == 0)
		r = -ESRCH;
	if (r < 0)
		return r;
	measure(found.v, found.n);
	*ret_v = found.v;
	*ret_n = found.n;
	return 0;
}
