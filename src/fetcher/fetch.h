/*
 * fetcher/fetch.h: the process of one fetch: it asks one web server, reads what comes, sends one
 * message to its parent, and ends.
 *
 * It holds nothing but a connection, the certificates of authorities, and what it was told to ask.
 */
#ifndef FETCHER_FETCH_H
#define FETCHER_FETCH_H

#include "fetcher/web.h"
#include "ipc/outgoing.h"

enum { FETCH_REPORT_MAX = 10 << 20 }; /* bytes of a report that is posted */

/* Fetches and reads a policy; the answer goes out on `channel` as IPC_POLICY. The process's status.
 */
int fetch_policy(const struct web *web, bool allow_private, const struct ipc_fetch_policy *question,
    int channel);

/* Posts a report; IPC_POSTED. */
int fetch_post(
    const struct web *web, bool allow_private, const struct ipc_post_report *question, int channel);

#endif
