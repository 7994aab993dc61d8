/*
 * scribe/scribes.h: the role that forks the scribes, which read messages on their way out.
 *
 * The queue hands it one end of a channel and says how many messages may come over it (IPC_SCRIBE);
 * a scribe (scribe/scribe.h) is forked with that channel and nothing else, and the queue speaks
 * with it directly. What a stranger wrote is read there, in a process that lives for this one
 * message; what a user of this server wrote, in one that lives for a few messages of that user's
 * one connection. No message passes through this role.
 *
 * Limits: SCRIBES_MAX scribes at a time. Further ones wait for their turn, at most
 * SCRIBES_WAITING_MAX; beyond that, and where a fork fails, the channel is closed, which tells the
 * queue to try again later.
 *
 * Crashes, those that live SCRIBE_OVERDUE_MS, and the end of the role: sandbox/brood.h.
 */
#ifndef SCRIBE_SCRIBES_H
#define SCRIBE_SCRIBES_H

#include "ipc/outgoing.h"
#include "sandbox/role.h"

enum {
	SCRIBES_MAX = 2 * SCRIBES_KEPT_MAX,
	SCRIBES_WAITING_MAX = 512,
	SCRIBE_OVERDUE_MS = SCRIBE_LIFE_MS + 180 * 1000,
};

/* The role's process: returns its exit status. */
int scribes_main(struct role_start *start);

#endif
