/* supervisor/state.h: what the files of the supervisor share: the state of the one server. */
#ifndef SUPERVISOR_STATE_H
#define SUPERVISOR_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "config/config.h"
#include "ipc/loop.h"
#include "supervisor/instance.h"
#include "supervisor/places.h"

enum {
	INSTANCES_MAX = 128,    /* workers and replaced gatekeepers included */
	REPLACED_MAX = 16,      /* gatekeepers that watch last gates; the oldest ends when more */
	STABLE_MS = 60000,      /* running so long, a role's earlier failures are forgotten */
	START_FAILURES_MAX = 3, /* of a role that was never ready: the server gives up */
	ALARMS_HELD_MAX = 16,   /* while the ledger is being started again */
	/* Of the ten seconds in which the server stops: until when each phase may last. */
	STOP_FIRST_MS = 5000,
	STOP_SECOND_MS = 7500,
	STOP_LAST_MS = 9500,
};

struct held_alarm {
	uint8_t kind;
	char detail[128];
};

struct supervisor {
	struct config config;
	struct digest_text config_digest;
	struct identities identities;
	struct instance_start start;
	struct listener listeners[PLACES_LISTENERS_MAX];
	size_t n_listeners;
	int lock_fd;
	int ready_fd;
	struct loop *loop;
	struct instance *instances[INSTANCES_MAX];
	size_t n_instances;
	struct loop_entry *ledger; /* our channel to it, NULL while it is not there */
	struct held_alarm held[ALARMS_HELD_MAX];
	size_t n_held;
	bool was_ready;    /* all roles have been ready once */
	bool failed;       /* stops because a role could not be started */
	unsigned stopping; /* 0: not; otherwise the phase */
	uint64_t stop_at;  /* clock_ms of the request */
};

/* roles.c */
MUST_USE int supervisor_start_roles(struct supervisor *s);
/* The signal descriptor is ready. */
void supervisor_signalled(struct loop_entry *e, void *ctx);
/* Forgets an instance that ended for good. */
void supervisor_forget(struct supervisor *s, struct instance *i);

/* stop.c */
/* Begins to stop, or, when it is stopping already, kills what is left. */
void supervisor_stop(struct supervisor *s);
/* A process ended while stopping: goes on to the next phase when the present one is done. */
void supervisor_stop_continue(struct supervisor *s);

/* report.c */
/* Tells the ledger, or keeps it until there is one. */
void supervisor_alarm(struct supervisor *s, uint8_t kind, const char *fmt, ...) PRINTF(3, 4);
/* Sends what was kept. */
void supervisor_send_held(struct supervisor *s);
/* Writes run/roles for `gatepost roles`: a line "pid role index landlock ready" for each process.
 */
void supervisor_write_roles(const struct supervisor *s);

#endif
