#include "supervisor/overdue.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"

enum { STATUS_MAX = 4096 };

static int read_parent(pid_t pid, pid_t *ret_parent)
{
	char path[64], text[STATUS_MAX];
	uint64_t parent;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t len = read(fd, text, sizeof(text));
	if (len < 0)
		return -errno;
	struct str rest = str_of(text, (size_t)len);
	while (rest.len > 0) {
		struct str line = str_cut_line(&rest);
		if (!str_skip(&line, STR("PPid:")))
			continue;
		if (!num_parse(str_trim(line), INT32_MAX, &parent))
			break;
		*ret_parent = (pid_t)parent;
		return 0;
	}
	return -EPROTO;
}

/* The descriptor stands for one process: should its number go to another one while its parent is
 * looked up, the signal still reaches nobody else. */
int overdue_end(pid_t pid, pid_t parent)
{
	pid_t found = 0;

	if (pid <= 1 || parent <= 1)
		return -EPERM;
	int process CLEANUP(fd_close) = pidfd_open(pid, 0);
	if (process < 0)
		return -errno;
	int r = read_parent(pid, &found);
	if (r < 0)
		return r;
	if (found != parent)
		return -EPERM;
	return pidfd_send_signal(process, SIGKILL, NULL, 0) < 0 ? -errno : 0;
}
