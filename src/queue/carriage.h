/* queue/carriage.h: one message under way, for carry.c (couriers), local.c (delivery) and outcome.c
 * (what is written about it). */
#ifndef QUEUE_CARRIAGE_H
#define QUEUE_CARRIAGE_H

#include "queue/carry.h"
#include "queue/pace.h"

enum { CARRIAGE_ARENA_MAX = 4 << 20, PLACE_BUCKETS = 256 };

/* A destination with something under way. */
struct place {
	struct place *next;
	uint64_t id;
	struct str name;
	bool is_local;
	const struct config_relay *relay; /* of the configuration, or NULL */
	uint64_t window, here;
	bool in_trouble;
	uint64_t failures, failed_at; /* clock_wall_ms: when the last was counted */
	size_t n_idle;                /* couriers that wait for a message */
	char text[IPC_ADDRESS_MAX + 1];
};

/* Why something is to be tried later. */
enum cause {
	CAUSE_ATTEMPT, /* what a server said, or did not say */
	CAUSE_PARTNER, /* a process of ours was missing: no attempt, no fault of the message */
	CAUSE_CRASH,   /* a process of ours ended over it, or over another that it had then */
};

/* What became of a recipient. */
struct outcome {
	bool is_known;
	uint8_t result; /* enum carry_outcome */
	bool relayed, expanded, is_local;
	enum cause cause;
	uint64_t code;
	struct str status, mta, text;
	struct str sender;       /* for them: the reverse-path, where it is another */
	struct ipc_strs outside; /* others in its place, or beside it */
};

struct courier {
	struct courier *next;
	struct queue *q;
	struct loop_entry *entry;
	struct place *place;
	struct carriage *carriage; /* NULL: idle */
	uint64_t until;            /* clock_ms: idle, or carrying, no longer than this */
	uint64_t dispatcher;       /* which of them forked it */
	bool is_ready;             /* the process said that it is there */
	size_t n_carried;
};

struct local_gate {
	struct local_gate *next;
	struct queue *q;
	struct loop_entry *entry;
	uint16_t worker;
	struct carriage *carriage; /* NULL: free */
	uint64_t until;            /* clock_ms: with a carriage no longer than this */
};

struct carriage {
	struct carriage *next;
	struct carriage *next_of_all, **at; /* of all */
	struct queue *q;
	struct arena arena;
	struct queued_message m;
	struct place *place;
	struct queued_recipient *v;
	struct outcome *outcomes;
	size_t n;
	bool is_fresh;     /* one row in the database (queue/fresh.h) */
	uint64_t began_at; /* clock_wall_ms */
	bool unreachable;
	struct str mta;
	int message; /* sealed memfd */
	/* A policy of MTA-STS. */
	uint8_t sts_mode;
	struct ipc_strs sts_mx;
	struct signing *signing; /* or NULL */
	/* Local recipients. */
	size_t n_asked; /* routes that are not answered yet */
	struct ipc_u64s *accounts;
	bool *in_group; /* being delivered */
	struct route_ask *asks;
};

struct carriages {
	struct place *places[PLACE_BUCKETS];
	struct courier *couriers;
	struct local_gate *gates;
	struct carriage *all;
	struct carriage *claimed;  /* of the transaction at hand */
	struct carriage *finished; /* to be written */
	struct carriage **last_finished;
	struct carriage *local_waiting; /* for a gate */
	size_t n_couriers, n_local, n_troubled, n_under_way;
	uint64_t bytes;
	uint64_t next_connection;
	struct pace forwards; /* by alias, and by its domain behind an @ */
	char relay_passwords[1 + CONFIG_RELAYS_MAX][IPC_PASSWORD_MAX + 1];
};

/* A destination that may have one courier more now; NULL: it may not. */
struct place *carriage_place(struct queue *q, const struct queued_destination *d);
/* A new one of nothing; and one claimed for a destination: it starts when the transaction at hand
 * is committed. */
struct carriage *carriage_new(struct queue *q);
void carriage_claimed(struct carriage *c, struct place *p, uint64_t now);
/* It is over: to be written in the next round. */
void carriage_finished(struct carriage *c);
/* Every recipient whose outcome is not known is to be tried later, for this reason. */
void carriage_fail(struct carriage *c, enum cause cause, const char *status, const char *text);
void carriage_free(struct carriage *c);

/* route.c: where to: a relay, an address in brackets, or the domain's servers. */
void carriage_set_route(const struct carriage *c, struct ipc_carry *m);

/* local.c: takes it to delivery. */
void local_start(struct carriage *c);
/* A gate is free, or a worker there: those that wait go on. */
void local_continue(struct queue *q);
/* Ends what takes too long; once a second. */
void local_check(struct queue *q);
void local_free(struct queue *q);

/* outcome.c: writes what became of a carriage, within the transaction. */
MUST_USE int outcome_write(struct carriage *c, uint64_t now);

#endif
