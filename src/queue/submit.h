/*
 * queue/submit.h: submitters: each a channel, over which one SMTP dialogue after the other brings
 * messages.
 *
 * Who somebody is came with the channel, from the directory (an account) or from gatekeeper-smtp
 * (somebody who is not signed in: they may name only addresses that take mail here; queue/forward.h
 * says what becomes of it). A message goes through a scribe, and is answered when it is durable.
 * Whatever partner is missing, dies or does not answer on that way: SUBMIT_TEMPORARY, and nothing
 * is kept. Of a submitter that goes away before its answer nothing is kept.
 *
 * A submitter that asks before its last question is answered has broken the rules.
 */
#ifndef QUEUE_SUBMIT_H
#define QUEUE_SUBMIT_H

#include "queue/state.h"

enum { SUBMIT_RECIPIENTS_MAX = 1000, SUBMIT_STEP_TIMEOUT_MS = 60000 };

/* What the directory and gatekeeper-smtp send. */
int submit_on_submitter(struct loop_entry *from, void *msg, void *ctx);
int submit_on_gate(struct loop_entry *from, void *msg, void *ctx);

/* Gives up what takes a scribe too long, and scribes that wait too long; once a second. */
void submit_check(struct queue *q);

/* Forgets all submitters; at the end. */
void submit_free(struct queue *q);

#endif
