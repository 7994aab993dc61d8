/*
 * queue/database_memory.h: what queue.db remembers beside messages: what accounts submitted,
 * policies of MTA-STS, results of TLS. As queue/database.h, of which it is a part.
 */
#ifndef QUEUE_DATABASE_MEMORY_H
#define QUEUE_DATABASE_MEMORY_H

#include "queue/database.h"

/* --- accounts (database_account.c) --- */

/* How many messages the account has in the queue. The first question after a start, or after a
 * transaction that failed, counts them. */
MUST_USE int queue_db_count(struct queue_db *db, uint64_t account, uint64_t *ret_n);

/* What it submitted. This is kept in memory and written now and then (queue_db_flush_rates, within
 * a transaction; and at the end): a crash forgets some of it. */
struct queue_rate {
	uint64_t messages_hour, recipients_hour, recipients_day;
};
enum { QUEUE_RATE_FLUSH_MS = 10000 };
MUST_USE int queue_db_rate(
    struct queue_db *db, uint64_t account, uint64_t now, struct queue_rate *ret_rate);
MUST_USE int queue_db_rate_add(
    struct queue_db *db, uint64_t account, uint64_t now, uint64_t n_recipients);
MUST_USE int queue_db_flush_rates(struct queue_db *db);

/* --- what else is remembered (database_memory.c) --- */

/* A policy of RFC 8461. */
struct queued_policy {
	struct str txt; /* the id in DNS under which it was fetched */
	uint8_t mode;   /* enum sts_mode */
	struct ipc_strs mx;
	uint64_t fetched_at, expires_at;
};
MUST_USE int queue_db_policy(
    struct queue_db *db, struct str domain, struct arena *a, struct queued_policy *ret_policy);
MUST_USE int queue_db_set_policy(
    struct queue_db *db, struct str domain, const struct queued_policy *policy);

/*
 * Counts a result of TLS for the day's report about `domain`. Of a domain with many different ones,
 * whoever makes them so, those behind the first QUEUE_TLS_ROWS_MAX are counted without their
 * particulars; of a day with very many domains, those behind QUEUE_TLS_DAY_MAX rows not at all.
 */
enum { QUEUE_TLS_ROWS_MAX = 100, QUEUE_TLS_DAY_MAX = 100000 };
MUST_USE int queue_db_tls_add(
    struct queue_db *db, uint64_t now, struct str domain, const struct ipc_tls_result *result);

enum { QUEUE_DAY_MS = 86400000 };

/* One kind of result, of one day and domain. */
struct queued_tls {
	uint8_t policy, result; /* enum tls_policy, enum tls_result */
	struct ipc_strs policy_strings;
	struct str mx, receiving, sending, detail;
	uint64_t sessions;
};
/* The next day before `day` (since 1970) and domain that have results, behind those that are given
 * (0 and "" for the first): -ENOENT. */
MUST_USE int queue_db_tls_next(struct queue_db *db, uint64_t day, uint64_t after_day,
    struct str after_domain, struct arena *a, uint64_t *ret_day, struct str *ret_domain);
/* Its results, those of one policy behind each other; at most `max`. */
MUST_USE int queue_db_tls(struct queue_db *db, uint64_t day, struct str domain, struct arena *a,
    struct queued_tls *ret_v, size_t max, size_t *ret_n);
MUST_USE int queue_db_tls_forget(struct queue_db *db, uint64_t day, struct str domain);

#endif
