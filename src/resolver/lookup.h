/*
 * resolver/lookup.h: questions to the DNS, answered and validated by libunbound.
 *
 * It begins at the root (or asks the forwarder of the configuration), validates from the trust
 * anchor downwards, and remembers answers within LOOKUP_CACHE_BYTES each of records and messages.
 * libunbound is loaded by this role alone: no other has its code.
 *
 * It does not retry, bound the number of questions or know who asks: that is resolver.c's.
 */
#ifndef RESOLVER_LOOKUP_H
#define RESOLVER_LOOKUP_H

#include "dns/name.h"
#include "ipc/loop.h"
#include "ipc/outgoing.h"
#include "sandbox/role.h"

enum { LOOKUP_CACHE_BYTES = 16 << 20 };

struct lookup;

/* Reads trust anchor and hints, and readies everything that needs files. Given: lookup_free.
 * -errno after an error line in the log. */
MUST_USE int lookup_new(
    const struct role_start *start, struct loop *loop, struct lookup **ret_lookup);
void lookup_free(struct lookup *l);

/*
 * Asks. `fn` is called once, in some cases before this returns: with `answer` (its `request` is 0),
 * borrowed for the time of the call. That can take minutes where servers do not answer.
 */
void lookup_ask(struct lookup *l, const struct dns_name *name, uint16_t type,
    void (*fn)(void *ctx, const struct ipc_dns_answer *answer), void *ctx);

#endif
