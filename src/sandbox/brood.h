/*
 * sandbox/brood.h: a role that forks a process for each task (scribes, dispatcher, fetcher): its
 * loop, its partners, and its children from fork to end.
 *
 * What holds for each of them:
 *
 * - There are at most `max` children at a time.
 * - A child that ends otherwise than by exit(0) is an alarm in the ledger, and the role asks to be
 *   replaced (IPC_REPLACE_ME): whoever made a child crash may try again, but not at the same memory
 *   layout. It forks no more, and ends with its last child.
 * - A child that lives longer than it may is told to the supervisor (IPC_OVERDUE), which ends it.
 * - Partners come and go (IPC_PEER); one that says what it may not say is an alarm.
 * - IPC_DRAIN: it forks no more, and ends with its last child, or when the time is over.
 *
 * It does not know what a child does, nor enter a sandbox: the caller does, in the child.
 */
#ifndef SANDBOX_BROOD_H
#define SANDBOX_BROOD_H

#include "ipc/loop.h"
#include "ipc/messages.h"

enum {
	BROOD_LOOK_MS = 15 * 1000, /* how often it looks for those that are overdue */
	BROOD_PARTNERS_MAX = 8,
};

/* A role that it has a channel to; handlers of its messages get the brood as `ctx`. `entry` is NULL
 * while that role is being started. */
struct brood_partner {
	enum role role;
	const struct ipc_receiver *messages; /* what it may send */
	size_t n_messages;
	struct loop_entry *entry;
};

/* What is different from role to role; `ctx` is that of brood_open. NULL where there is nothing to
 * do. */
struct brood_kind {
	const char *child;                    /* "scribe": for log and alarms */
	enum ledger_kind crash;               /* the kind of alarm when one crashes */
	uint64_t lasts_ms;                    /* a child that lives longer is overdue */
	bool stops_at_once;                   /* at IPC_DRAIN it waits for nobody */
	void (*drains)(void *ctx);            /* IPC_DRAIN came */
	void (*ended)(void *task, void *ctx); /* the child of that task is gone */
	void (*has_room)(void *ctx);          /* some are gone: others may have their turn */
	bool (*is_busy)(void *ctx);           /* there is still work without a child */
};

struct brood_child;

struct brood {
	struct loop *loop;
	const struct brood_kind *kind;
	void *ctx;
	struct brood_partner *partners;
	struct ipc_receivers receivers[BROOD_PARTNERS_MAX];
	size_t n_partners;
	struct loop_entry *supervisor; /* NULL: gone */
	struct brood_child *children;
	size_t n_children, max;
	bool is_ending; /* nothing new is begun */
};

/*
 * Makes the loop, with the supervisor's channel (taken), and watches for the ends of children.
 * `partners` is the caller's and stays valid; one of them should be the ledger. Before the sandbox.
 */
MUST_USE int brood_open(struct brood *b, const struct brood_kind *kind, size_t max, int supervisor,
    struct brood_partner *partners, size_t n_partners, void *ctx);
void brood_close(struct brood *b);

/* Runs until the role's end: 0 or -errno. */
MUST_USE int brood_run(struct brood *b);

/* Forks: 0 in the child, the child's number in the parent; -EUSERS when there are `max` already or
 * the role is ending; other -errno. `task` is for `ended`. */
MUST_USE int brood_fork(struct brood *b, void *task);
bool brood_is_full(const struct brood *b);

/* Ends the role where it is ending and has nothing left; for `is_busy` that has become false. */
void brood_end_when_empty(struct brood *b);

/* The partner's channel; NULL: it is not there now. */
struct loop_entry *brood_partner(const struct brood *b, enum role role);

void brood_alarm(struct brood *b, enum ledger_kind kind, const char *detail);

#endif
