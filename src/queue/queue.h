/*
 * queue/queue.h: the role that keeps the mail that goes out until it is delivered.
 *
 * It takes messages from submitters (submit.h), makes them durable before it answers, hands them to
 * couriers and to delivery (carry.h), says when to try again (schedule.h), and writes the notices
 * to senders (notices.h). All it knows is in queue/queue.db (database.h), sealed.
 *
 * One loop, and nothing in it waits. What a round of the loop brings is one transaction, and is
 * answered when that is on the disk.
 *
 * Working folder: queue/. It opens no connection and reads no byte of a message as anything but
 * bytes: scribes and couriers, which do, hold one message each and no file.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "sandbox/role.h"

/* The role's process: returns its exit status. */
int queue_main(struct role_start *start);

#endif
