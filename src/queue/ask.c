#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/state.h"

uint64_t queue_request(struct queue *q)
{
	return ++q->last_request;
}

static struct question **bucket_of(struct queue *q, uint64_t request)
{
	return &q->questions[request % QUEUE_QUESTION_BUCKETS];
}

int queue_ask(struct queue *q, struct loop_entry *partner, uint16_t type, const void *msg,
    uint64_t request, uint16_t answer, void (*answered)(const void *answer, void *ctx), void *ctx)
{
	if (!partner)
		return -EPIPE;
	if (q->n_questions == QUEUE_QUESTIONS_MAX)
		return -EAGAIN;
	struct question *question = calloc(1, sizeof(*question));
	if (!question)
		abort();
	struct question **at = bucket_of(q, request);
	*question = (struct question){.next = *at,
	    .request = request,
	    .partner = partner,
	    .answer = answer,
	    .until = clock_ms() + QUEUE_QUESTION_TIMEOUT_MS,
	    .answered = answered,
	    .ctx = ctx};
	*at = question;
	q->n_questions++;
	/* When it cannot be sent, the partner's end is on its way, and with it NULL for an answer;
	 * but what is too long for it is never answered. */
	if (loop_send(partner, type, msg) != -EMSGSIZE)
		return 0;
	*at = question->next;
	q->n_questions--;
	free(question);
	return -EMSGSIZE;
}

void queue_forget(struct queue *q, const void *ctx)
{
	for (size_t i = 0; q->n_questions > 0 && i < QUEUE_QUESTION_BUCKETS; i++)
		for (struct question *at = q->questions[i]; at; at = at->next)
			if (at->ctx == ctx)
				at->answered = NULL;
}

static void finish(struct queue *q, struct question **at, const void *answer)
{
	struct question *question = *at;
	*at = question->next;
	q->n_questions--;
	if (question->answered)
		question->answered(answer, question->ctx);
	free(question);
}

int queue_take_answer(
    struct queue *q, const struct loop_entry *from, uint16_t type, const void *msg)
{
	uint64_t request;
	memcpy(&request, msg, sizeof(request));
	for (struct question **at = bucket_of(q, request); *at; at = &(*at)->next) {
		if ((*at)->request != request || (*at)->partner != from)
			continue;
		if ((*at)->answer != type)
			return -EPROTO;
		finish(q, at, msg);
		return 0;
	}
	/* It took too long, and was given up. */
	return request <= q->last_request ? 0 : -EPROTO;
}

/* Finishes one question without an answer: of `partner`, or (NULL) whose time is over. */
static bool fail_one(struct queue *q, const struct loop_entry *partner, uint64_t now)
{
	for (size_t i = 0; q->n_questions > 0 && i < QUEUE_QUESTION_BUCKETS; i++)
		for (struct question **at = &q->questions[i]; *at; at = &(*at)->next)
			if (partner ? (*at)->partner == partner : now >= (*at)->until) {
				finish(q, at, NULL);
				return true;
			}
	return false;
}

void queue_fail_questions(struct queue *q, const struct loop_entry *partner)
{
	while (fail_one(q, partner, 0))
		;
}

void queue_check_questions(struct queue *q)
{
	while (fail_one(q, NULL, clock_ms()))
		;
}

void queue_drop_questions(struct queue *q)
{
	for (size_t i = 0; i < QUEUE_QUESTION_BUCKETS; i++)
		while (q->questions[i]) {
			struct question *question = q->questions[i];
			q->questions[i] = question->next;
			free(question);
		}
	q->n_questions = 0;
}
