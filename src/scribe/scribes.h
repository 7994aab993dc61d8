/*
 * scribe/scribes.h: the role that forks a scribe for each message on its way out.
 *
 * The queue hands it a message and one end of a channel (IPC_PREPARE); a scribe (scribe/scribe.h)
 * is forked with these two descriptors and nothing else, and the queue speaks with it directly.
 * What a stranger wrote is read there, in a process that lives for this one message.
 *
 * Limits: SCRIBES_MAX scribes at a time. Further messages wait, at most SCRIBES_WAITING_MAX; beyond
 * that, and where a fork fails, the channel is closed, which tells the queue to try again later.
 *
 * A scribe that ends otherwise than by itself is an alarm in the ledger, and scribes asks to be
 * replaced (IPC_REPLACE_ME), as a gatekeeper does: nobody gets a second try at the same memory
 * layout. One that lives SCRIBE_OVERDUE_MS is reported to the supervisor, which ends it.
 */
#ifndef SCRIBE_SCRIBES_H
#define SCRIBE_SCRIBES_H

#include "sandbox/role.h"

enum { SCRIBES_MAX = 64, SCRIBES_WAITING_MAX = 512, SCRIBE_OVERDUE_MS = 180 * 1000 };

/* The role's process: returns its exit status. */
int scribes_main(struct role_start *start);

#endif
