/*
 * queue/state.h: what the queue's files share: its one struct, the questions it has open, and what
 * waits for the end of a round.
 */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/loop.h"
#include "ipc/messages.h"
#include "ipc/outgoing.h"
#include "queue/database.h"
#include "sandbox/role.h"

enum {
	QUEUE_PEER_TEXT_MAX = 64,
	QUEUE_DELIVERY_MAX = 64,     /* workers of delivery */
	QUEUE_QUESTIONS_MAX = 16384, /* open at all partners together */
	QUEUE_QUESTION_BUCKETS = 1024,
	QUEUE_QUESTION_TIMEOUT_MS = 30000,
	QUEUE_TICK_MS = 1000,
	QUEUE_RETRY_WRITE_MS = 1000, /* after a transaction that failed */
	QUEUE_ACCEPTS_MAX = 512,     /* messages taken in one transaction */
};

/* --- a message that is to be durable --- */

struct accept {
	struct accept *next;
	struct queued_message m;
	const struct queued_recipient *recipients; /* `domain` says where to */
	size_t n_recipients;
	struct str parts[2];
	size_t n_parts;
	/* Called at the end of the round, once: 0 and its number, or -errno. */
	void (*done)(int error, uint64_t id, void *ctx);
	void *ctx;
};

/* --- a question to a partner --- */

struct question {
	struct question *next;
	uint64_t request;
	const struct loop_entry *partner;
	uint16_t answer; /* its type */
	uint64_t until;  /* clock_ms */
	void (*answered)(const void *answer, void *ctx);
	void *ctx;
};

struct carriages;
struct submitter;
struct lookup;
struct connection;
struct reporting;

struct queue {
	struct loop *loop;
	const struct config *config;
	struct queue_db *db;
	/* NULL while they are started anew */
	struct loop_entry *ledger, *directory, *keyholder, *scribes, *dispatcher, *resolver,
	    *fetcher;
	struct loop_entry *delivery[QUEUE_DELIVERY_MAX];
	struct question *questions[QUEUE_QUESTION_BUCKETS];
	size_t n_questions;
	uint64_t last_request;
	uint64_t n_dispatchers; /* so far */
	struct accept *accepts, **last_accept;
	size_t n_accepts;
	struct carriages *carriages;
	struct submitter *submitters;
	size_t n_submitters;
	size_t n_scribes;            /* that submitters have */
	size_t n_forward_scribes;    /* of mail that is forwarded (forward.h) */
	struct lookup *lookups;      /* policies being asked about */
	struct reporting *reporting; /* the TLS report under way */
	uint64_t report_after_ms;    /* into a day: when those of the day before go out */
	uint64_t put_off_day;        /* up to here reports were put off; the rest has its turn */
	char put_off_domain[DNS_NAME_MAX + 1];
	struct connection *connections; /* of the command line */
	size_t n_connections;
	uint64_t tick_at, forget_at, forget_cursor;
	bool gathers;         /* what came may wait a moment for more (round.c) */
	uint64_t brought_at;  /* clock_ms: the oldest of what is not written yet; 0: nothing */
	uint64_t write_after; /* clock_ms before which nothing is written, after a failure */
	uint64_t look_after;  /* clock_wall_ms of the next look at ages */
	uint64_t due_at;      /* clock_wall_ms: something may be due; 0: look */
	bool is_draining;
	bool is_over;
};

/* Writes to the ledger and, as an alarm, to the log. */
void queue_alarm(struct queue *q, enum ledger_kind kind, const char *peer, const char *detail);
/* An error of the database or of a file, in the log; damage is an alarm. */
void queue_report(struct queue *q, const char *what, int error);

/* --- the process (queue.c); its tests call these too --- */

/* Opens the database in the working folder and makes the loop, with the channel (taken) over which
 * partners come. */
MUST_USE int queue_prepare(struct queue *q, const struct config *config, int supervisor);
/* One round of the loop and what it brought. */
MUST_USE int queue_once(struct queue *q);
void queue_done(struct queue *q);

/* --- questions (ask.c) --- */

/* A number for the next question; the first field of each question and answer. */
uint64_t queue_request(struct queue *q);
/*
 * Asks `partner`: `answered` is called once, not within this function, with the answer (borrowed),
 * or NULL where none came: the partner is gone, or took too long. -EPIPE: there is no partner;
 * -EAGAIN: too many questions; -EMSGSIZE: it has a field that is too long.
 */
MUST_USE int queue_ask(struct queue *q, struct loop_entry *partner, uint16_t type, const void *msg,
    uint64_t request, uint16_t answer, void (*answered)(const void *answer, void *ctx), void *ctx);
/* Forgets the questions of `ctx`; their answers are dropped when they come. */
void queue_forget(struct queue *q, const void *ctx);
/* Takes an answer from a partner: the message begins with the number of its question. */
int queue_take_answer(
    struct queue *q, const struct loop_entry *from, uint16_t type, const void *msg);
/* The partner is gone. */
void queue_fail_questions(struct queue *q, const struct loop_entry *partner);
void queue_check_questions(struct queue *q);
/* Forgets all; at the end. */
void queue_drop_questions(struct queue *q);

/* --- a round (round.c) --- */

/* Takes a message in at the end of this round. False: too many already. */
bool queue_accept(struct queue *q, struct accept *a);
/* What `done` of an accept would be told is of no interest any more. */
void queue_cancel_accept(struct queue *q, struct accept *a);
/* Writes what the loop brought, and answers. */
void queue_round(struct queue *q);
/* Until when the loop may wait, in milliseconds. */
int queue_wait_ms(const struct queue *q);
/* Where the address' mail goes: its domain as it is kept. False: it has none. */
MUST_USE bool queue_domain_of(struct str address, struct arena *a, struct str *ret_domain);

#endif
