/*
 * queue/key.h: queue/queue.key, under which all of the queue's files are sealed: SECRET_LEN random
 * bytes and their checksum.
 *
 * It is made when there is no database yet (docs/formats.md): at the first start, or at the first
 * one of an instance from before there was a queue. A database whose key is gone is not replaced.
 */
#ifndef QUEUE_KEY_H
#define QUEUE_KEY_H

#include "base/attr.h"
#include "seal/secret.h"

#define QUEUE_KEY_FILE      "queue.key"
#define QUEUE_DATABASE_FILE "queue.db"

/* Makes the key in the working folder when neither it nor the database is there. 0, or -errno. */
MUST_USE int queue_key_make(void);

/* The key of the database (given). -ENOENT; -ENOKEY: these are not the bytes that were written. */
MUST_USE int queue_key_read(struct secret **ret_key);

#endif
