#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "sandbox/sandbox.h"
#include "supervisor/state.h"

static int send_alarm(struct supervisor *s, uint8_t kind, const char *detail)
{
	struct ipc_ledger_event event = {.kind = kind, .detail = str_of_cstr(detail)};

	return loop_send(s->ledger, IPC_LEDGER_EVENT, &event);
}

void supervisor_alarm(struct supervisor *s, uint8_t kind, const char *fmt, ...)
{
	struct held_alarm alarm = {.kind = kind};
	va_list args;

	va_start(args, fmt);
	vsnprintf(alarm.detail, sizeof(alarm.detail), fmt, args);
	va_end(args);
	if (s->ledger != NULL && send_alarm(s, kind, alarm.detail) == 0)
		return;
	if (s->n_held == ALARMS_HELD_MAX) {
		log_event(LOG_ALARM, "ledger.lost", "detail=%s",
		    log_quote(str_of_cstr(alarm.detail)).text);
		return;
	}
	s->held[s->n_held++] = alarm;
}

void supervisor_send_held(struct supervisor *s)
{
	size_t sent = 0;

	while (sent < s->n_held && send_alarm(s, s->held[sent].kind, s->held[sent].detail) == 0)
		sent++;
	memmove(s->held, s->held + sent, (s->n_held - sent) * sizeof(s->held[0]));
	s->n_held -= sent;
}

void supervisor_write_roles(const struct supervisor *s)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(16384);
	int fd CLEANUP(fd_close) =
	    open("run/roles.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	buf_printf(&text, "%d supervisor 0 %d ready\n", (int)getpid(), sandbox_landlock_in_force());
	for (size_t n = 0; n < s->n_instances; n++) {
		const struct instance *i = s->instances[n];
		if (i->pid != 0)
			buf_printf(&text, "%d %s %u %u %s\n", (int)i->pid, role_row(i->role)->name,
			    i->index, i->landlock,
			    i->replaced ? "replaced"
			    : i->ready  ? "ready"
			                : "starting");
	}
	/* Information for people, made anew at each change: not worth a failure of the server. */
	if (fd < 0 || buf_failed(&text) || fd_write_all(fd, buf_str(&text)) < 0 ||
	    rename("run/roles.new", "run/roles") < 0)
		log_event(LOG_WARNING, "roles.not_written", "file=run/roles");
}
