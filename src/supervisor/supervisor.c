#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "sandbox/sandbox.h"
#include "supervisor/state.h"

/*
 * The start is a checklist: what needs the powers of the user who started the server comes first,
 * then the supervisor closes itself in, then it starts roles.
 */

/* Standard input is not for a server; and a descriptor that is missing would be taken by a socket.
 */
static int settle_descriptors(int ready_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if ((fd == STDIN_FILENO || fcntl(fd, F_GETFD) < 0) && dup2(null, fd) < 0)
			return -errno;
	if (null > STDERR_FILENO)
		close(null);
	return ready_fd >= 0 ? fd_set_cloexec(ready_fd, true) : 0;
}

static int load_config(struct supervisor *s, const struct supervisor_options *options)
{
	struct config_error error;
	char *text;
	size_t len;
	int r = config_load(options->config_path, &s->config, &error, &text, &len);

	if (r < 0) {
		fprintf(stderr, "gatepost: %s\n", error.text);
		return r;
	}
	s->config_digest = digest_of(str_of(text, len));
	r = fd_sealed_memfd("gatepost.conf", str_of(text, len), &s->start.config_fd);
	free(text);
	return r;
}

static int take_identities(struct supervisor *s)
{
	const char *missing;

	if (geteuid() != 0)
		return 0;
	int r = identities_lookup(&s->identities, &missing);
	if (r < 0) {
		fprintf(stderr,
		    "gatepost: this system has no user or group `%s`; run packaging/users as "
		    "root, or start the server as an ordinary user\n",
		    missing);
		return r;
	}
	s->start.identities = &s->identities;
	return 0;
}

static int check_landlock(struct supervisor *s, bool allow_none)
{
	int version = sandbox_landlock_version();

	if (version >= SANDBOX_LANDLOCK_LEAST)
		return 0;
	if (allow_none) {
		log_event(LOG_ALARM, "server.no_landlock",
		    "roles are confined by seccomp and users only");
		s->start.without_landlock = true;
		return 0;
	}
	fprintf(stderr,
	    "gatepost: this kernel has %s landlock, which keeps each role in its own folder. Use "
	    "Linux 5.19 or newer with `landlock` in the kernel parameter lsm=, or start with "
	    "--allow-no-landlock and without that protection\n",
	    version == 0 ? "no" : "too old a");
	return -ENOSYS;
}

static int take_places(struct supervisor *s)
{
	int r = places_open_data(s->config.data, s->start.identities, &s->start.data_fd);

	if (r == 0)
		r = places_lock(&s->lock_fd);
	if (r == 0)
		r = places_listen(&s->config, s->listeners, &s->n_listeners);
	if (r == 0)
		r = places_listen_control(&s->start.control_fd);
	return r;
}

/* Signals come through a descriptor of the loop. */
static int take_signals(struct supervisor *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return loop_add_fd(s->loop, fd, supervisor_signalled, s) == NULL ? -ENOMEM : 0;
}

static int prepare(struct supervisor *s, const struct supervisor_options *options)
{
	int r = settle_descriptors(options->ready_fd);

	if (r == 0)
		r = load_config(s, options);
	if (r == 0)
		r = take_identities(s);
	if (r == 0)
		r = check_landlock(s, options->allow_no_landlock);
	if (r == 0)
		r = take_places(s);
	if (r < 0)
		return r;
	/* Gates and sessions whose parent died are ours to collect. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	umask(0077);
	if ((r = loop_new(&s->loop)) == 0)
		r = take_signals(s);
	return r;
}

int supervisor_main(const struct supervisor_options *options)
{
	static struct supervisor s;

	log_open("supervisor", LOG_INFO);
	s.ready_fd = options->ready_fd;
	s.lock_fd = s.start.config_fd = s.start.data_fd = s.start.control_fd = -1;
	if (prepare(&s, options) < 0)
		return 1;
	sandbox_enter_supervisor(&s.config, s.start.identities != NULL, s.start.without_landlock);
	log_event(LOG_INFO, "server.start", "hostname=%s users=%s landlock=%d",
	    log_quote(str_of_cstr(s.config.hostname)).text,
	    s.start.identities != NULL ? "per-role" : "one", sandbox_landlock_in_force());
	int r = supervisor_start_roles(&s);
	if (r == 0)
		r = loop_run(s.loop);
	if (r < 0)
		log_event(LOG_ERROR, "server.failed", "error=%s", strerror(-r));
	unlink("run/control");
	unlink("run/roles");
	unlink("run/gatepost.pid");
	log_event(LOG_INFO, "server.stopped", "status=%d", r < 0 || s.failed);
	return r < 0 || s.failed ? 1 : 0;
}
