/*
 * resolver/resolver.h: the role that asks the DNS for the others.
 *
 * It takes IPC_DNS from the queue and from askers (couriers, whose channels dispatcher sends with
 * IPC_ASKER), and answers each with IPC_DNS_ANSWER: what there is, whether that is proven by DNSSEC
 * (secure), not signed (insecure) or signed wrongly (bogus), and for how long it holds. Answers
 * come in any order; the request number of the question is the answer's.
 *
 * It may open sockets of UDP and TCP and nothing else. It holds no file and no key, sees no mail,
 * and learns which domains are written to.
 *
 * Limits: RESOLVER_ASKER_MAX questions of one asker at once (more is against the rules),
 * RESOLVER_QUEUE_MAX of the queue and RESOLVER_QUESTIONS_MAX in all (more are answered DNS_FAILED),
 * RESOLVER_SECONDS for an answer: then DNS_FAILED. What a server that does not answer holds up
 * is the questions about its own domains.
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "sandbox/role.h"

enum {
	RESOLVER_ASKER_MAX = 64,
	RESOLVER_QUEUE_MAX = 1024,
	RESOLVER_QUESTIONS_MAX = 2048,
	RESOLVER_SECONDS = 30,
};

int resolver_main(struct role_start *start);

#endif
