/*
 * queue/control.h: `gatepost queue …`: a channel from the command line, which the directory passed
 * on unread, and on which the queue answers IPC_QUEUE_ASK with rows.
 *
 * What acts on many messages does so CONTROL_PIECE at a time, so that the queue goes on meanwhile;
 * a connection has one such command under way.
 */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include "queue/state.h"

enum { CONTROL_CONNECTIONS_MAX = 16, CONTROL_PIECE = 200, CONTROL_ROWS_MAX = 50 };

/* From the directory. */
int control_on_connection(struct loop_entry *from, void *msg, void *ctx);

/* Forgets all connections; at the end. */
void control_free(struct queue *q);

#endif
