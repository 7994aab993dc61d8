/*
 * queue/check.h: going through every byte of the queue's folder, for `gatepost verify`: queue.key,
 * queue.db with its free pages and its log, and the files of large messages, opened with their keys
 * where the database can be read, else compared with their checksums.
 *
 * Step by step, so that the queue goes on meanwhile. Nothing is changed or repaired but what
 * opening a database repairs (the header of a log). Files of other names are not looked at here
 * (cli/verify_names.c names them), nor queue.db-shm, which is memory.
 *
 * Not within a transaction. Limit: QUEUE_CHECK_FOUND_MAX findings are told.
 */
#ifndef QUEUE_CHECK_H
#define QUEUE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct queue_db;

enum { QUEUE_CHECK_FOUND_MAX = 1000, QUEUE_CHECK_STEP_LEN = 1 << 20 };

/* `file` as "queue/queue.db"; `is_damage` false: left by a crash, and removed at the next start. */
struct queue_finding {
	const char *file;
	bool is_damage;
	uint64_t offset;
	const char *what;
};

struct queue_check_watch {
	void (*found)(void *ctx, const struct queue_finding *finding);
	void *ctx;
};

struct queue_check;

/* Of the queue that is open here; `db` borrowed. Given: queue_check_free. */
struct queue_check *queue_check_new(struct queue_db *db, struct queue_check_watch watch);
/*
 * Of the working folder, on which no server runs. A database that does not open is a finding, and
 * the files are looked at without it. 0 (given), -ENOENT: there is no queue yet; -errno.
 */
MUST_USE int queue_check_open(struct queue_check_watch watch, struct queue_check **ret_check);
/* Nothing for NULL. */
void queue_check_free(struct queue_check *c);

/* Goes on for about QUEUE_CHECK_STEP_LEN bytes. 1: there is more; 0: all was looked at; -errno. */
MUST_USE int queue_check_step(struct queue_check *c);

/* How far it is, for showing. */
void queue_check_progress(const struct queue_check *c, uint64_t *ret_bytes, uint64_t *ret_of_bytes);

#endif
