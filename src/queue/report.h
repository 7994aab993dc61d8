/*
 * queue/report.h: TLS reports (RFC 8460): what couriers saw of a domain's TLS in a day goes to whom
 * the domain names in DNS, once, in the first hours of the next day; by mail, or through the
 * fetcher. What cannot be sent is not tried again; what nobody wants is forgotten.
 *
 * One report is under way at a time, of at most REPORT_ROWS_MAX kinds of result.
 */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include "queue/state.h"

enum { REPORT_ROWS_MAX = 1000, REPORT_SPREAD_MS = 4 * 3600000 };

void report_init(struct queue *q);
/* Begins the next report that is due, if none is under way; now and then. */
void report_check(struct queue *q, uint64_t now);
void report_free(struct queue *q);

#endif
