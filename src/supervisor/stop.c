#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sandbox/role.h"
#include "supervisor/state.h"

/*
 * Stopping goes by phases, so that each role finds those whom it still needs: first nothing new is
 * accepted, gates end and sessions say goodbye; then the services; last the ledger, which has the
 * server's stop as its last event. A phase that takes too long is ended by SIGKILL.
 */
enum { PHASE_DOORS = 1, PHASE_SERVICES, PHASE_LEDGER, PHASE_DONE };

static const uint64_t phase_ends[] = {
    [PHASE_DOORS] = STOP_FIRST_MS,
    [PHASE_SERVICES] = STOP_SECOND_MS,
    [PHASE_LEDGER] = STOP_LAST_MS,
};

static unsigned phase_of(enum role role)
{
	switch (role) {
	case ROLE_GATEKEEPER_SMTP:
	case ROLE_GATEKEEPER_IMAP:
	case ROLE_GATEKEEPER_POP3:
	case ROLE_GATEKEEPER_SUBMISSION:
	case ROLE_DISPATCHER:
	case ROLE_REGISTRY:
		return PHASE_DOORS;
	case ROLE_LEDGER:
		return PHASE_LEDGER;
	default:
		return PHASE_SERVICES;
	}
}

static bool anyone_left(const struct supervisor *s, unsigned phase)
{
	for (size_t n = 0; n < s->n_instances; n++)
		if (s->instances[n]->pid != 0 && phase_of(s->instances[n]->role) == phase)
			return true;
	return false;
}

static void drain(struct supervisor *s, unsigned phase)
{
	uint64_t now = clock_ms(), end = s->stop_at + phase_ends[phase];
	struct ipc_drain message = {.ms = (uint32_t)(end > now ? end - now : 0)};

	for (size_t n = 0; n < s->n_instances; n++) {
		struct instance *i = s->instances[n];
		if (i->pid == 0 || phase_of(i->role) != phase)
			continue;
		i->stopped = true;
		if (i->channel != NULL)
			(void)loop_send(i->channel, IPC_DRAIN, &message);
	}
}

static void kill_phase(struct supervisor *s, unsigned last)
{
	for (size_t n = 0; n < s->n_instances; n++) {
		struct instance *i = s->instances[n];
		if (i->pid == 0 || phase_of(i->role) > last)
			continue;
		log_event(LOG_WARNING, "role.killed", "of=%s its_pid=%d reason=%s",
		    role_row(i->role)->name, (int)i->pid, "did not stop in time");
		kill(i->pid, SIGKILL);
	}
}

static void phase_is_over(void *ctx)
{
	struct supervisor *s = ctx;
	uint64_t after = clock_ms() - s->stop_at;

	for (unsigned phase = PHASE_DOORS; phase < PHASE_DONE; phase++)
		if (s->stopping == phase && after >= phase_ends[phase])
			kill_phase(s, phase);
}

static void begin_phase(struct supervisor *s)
{
	uint64_t after = clock_ms() - s->stop_at, end = phase_ends[s->stopping];

	if (s->stopping == PHASE_LEDGER)
		supervisor_alarm(s, LEDGER_STOP, "the server stops");
	drain(s, s->stopping);
	if (loop_after(s->loop, end > after ? end - after : 0, phase_is_over, s) < 0)
		kill_phase(s, s->stopping);
}

void supervisor_stop_continue(struct supervisor *s)
{
	while (s->stopping != 0 && s->stopping < PHASE_DONE && !anyone_left(s, s->stopping)) {
		s->stopping++;
		if (s->stopping == PHASE_DONE)
			loop_stop(s->loop);
		else
			begin_phase(s);
	}
}

void supervisor_stop(struct supervisor *s)
{
	if (s->stopping != 0) {
		kill_phase(s, PHASE_LEDGER);
		return;
	}
	log_event(LOG_INFO, "server.stop", "processes=%zu", s->n_instances);
	s->stop_at = clock_ms();
	s->stopping = PHASE_DOORS;
	begin_phase(s);
	supervisor_stop_continue(s);
}
