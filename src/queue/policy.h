/*
 * queue/policy.h: what the domains of others ask for by MTA-STS (RFC 8461), before the first
 * courier goes to one: a TXT record through the resolver, the policy through the fetcher when its
 * id is a new one, or the one that is known ends within POLICY_RENEW_MS. What was learnt is kept in
 * the database as long as it says, and asked about in DNS again after POLICY_FRESH_MS.
 *
 * A message waits POLICY_WAIT_MS at most for that. Where nothing can be learnt, what was learnt
 * before holds as long as it is valid (§5.1); without resolver or fetcher there is no policy.
 */
#ifndef QUEUE_POLICY_H
#define QUEUE_POLICY_H

#include "queue/state.h"

enum {
	POLICY_FRESH_MS = 600000,
	POLICY_WAIT_MS = 60000,
	POLICY_AGE_MAX_S = 31557600,
	POLICY_RENEW_MS = 43200000, /* so long before its end */
};

/* `done` is called once, perhaps within this function, with the policy (borrowed). */
typedef void (*policy_done)(void *ctx, uint8_t mode, struct ipc_strs mx);
void policy_ask(struct queue *q, struct str domain, policy_done done, void *ctx);
/* `ctx` is not interested any more. */
void policy_forget(struct queue *q, const void *ctx);
/* Ends what takes too long; once a second. */
void policy_check(struct queue *q);
void policy_free(struct queue *q);

/* Counts a result for the day's report about `domain` (RFC 8460). */
void policy_tls_result(struct queue *q, struct str domain, const struct ipc_tls_result *result);

#endif
