/* queue/state.h: what the queue's files share: its one struct. */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/loop.h"
#include "ipc/outgoing.h"
#include "queue/database.h"
#include "sandbox/role.h"

struct queue {
	struct loop *loop;
	const struct config *config;
	struct queue_db *db;
	struct loop_entry *ledger; /* NULL while it is started anew, as all partners */
	bool is_draining;
	bool is_over;
};

/* Writes to the ledger and, as an alarm, to the log. */
void queue_alarm(struct queue *q, enum ledger_kind kind, const char *peer, const char *detail);

#endif
