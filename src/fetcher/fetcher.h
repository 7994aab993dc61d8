/*
 * fetcher/fetcher.h: the role that speaks HTTPS: it fetches MTA-STS policies (RFC 8461 §3.3) and
 * posts TLS reports (RFC 8460 §5.4).
 *
 * It takes IPC_FETCH_POLICY and IPC_POST_REPORT from the queue and answers each with IPC_POLICY or
 * IPC_POSTED. For each it forks a process that speaks with that one web server (fetch.h) and ends:
 * what a server sends reaches no other fetch. The parent sees only the answer as a message.
 *
 * Names are not looked up here: addresses come with the question. Those that mail may not go to
 * (dns/address_policy.h) are refused, unless outbound.allow_private.
 *
 * Limits: FETCHES_MAX at once, FETCHES_WAITING_MAX that wait for their turn; beyond that a question
 * is answered as failed at once.
 */
#ifndef FETCHER_FETCHER_H
#define FETCHER_FETCHER_H

#include "sandbox/role.h"

enum { FETCHES_MAX = 32, FETCHES_WAITING_MAX = 1024 };

int fetcher_main(struct role_start *start);

#endif
