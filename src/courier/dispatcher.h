/*
 * courier/dispatcher.h: the parent of the couriers: forks one for each connection to another
 * server that the queue wants to have.
 *
 * It reads no byte from outside and no message: what the queue and a courier say to each other goes
 * over a channel that the queue made. It gives each courier a channel to the resolver, counts them
 * (outbound.couriers), and has those ended that live too long.
 *
 * A queue whose courier is not to be had sees the channel that it sent end at once.
 */
#ifndef COURIER_DISPATCHER_H
#define COURIER_DISPATCHER_H

#include "base/attr.h"

struct role_start;

/* The role's main: returns the exit status of its process. */
MUST_USE int dispatcher_main(struct role_start *start);

#endif
