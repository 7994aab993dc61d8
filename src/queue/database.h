/*
 * queue/database.h: queue.db: the messages that wait, their recipients, where these are, and what
 * is known of the destinations.
 *
 * A million messages cost nothing at the start: what is due is found by index.
 */
#ifndef QUEUE_DATABASE_H
#define QUEUE_DATABASE_H

#include "base/attr.h"

struct queue_db;

/*
 * Opens the database in the working folder and makes it when it is not there. What was under way
 * when the server ended waits again. -ENOKEY: its key is not the one that was written;
 * -EPROTONOSUPPORT: of a later version; -EBADMSG: damaged; -errno.
 */
MUST_USE int queue_db_open(struct queue_db **ret_db);
void queue_db_close(struct queue_db *db);

#endif
