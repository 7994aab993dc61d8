/*
 * queue/database.h: queue.db: the messages that wait, their recipients, where these are, and what
 * is known of the destinations.
 *
 * A million messages cost nothing at the start: what is due is found by index. A message's bytes
 * stand in the database up to QUEUE_FILE_MIN, and above that in a sealed file of their own beside
 * it, which is there before the row that names it and goes after it.
 *
 * Everything is done within a transaction, which the caller begins and commits; a commit is durable
 * when it says so. Times are milliseconds since 1970. Errors: -EBADMSG damaged, -ENOSPC, -errno;
 * after one the transaction is rolled back (queue_db_rollback).
 */
#ifndef QUEUE_DATABASE_H
#define QUEUE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "ipc/outgoing.h"
#include "seal/body.h"

enum { QUEUE_FILE_MIN = 256 << 10, QUEUE_TEXT_MAX = 2048 };

/* Where local recipients wait: no domain has this name. */
#define QUEUE_LOCAL "local"

struct queue_db;

enum queue_origin { ORIGIN_SUBMITTED, ORIGIN_FORWARDED, ORIGIN_NOTICE };

struct queued_message {
	uint64_t id;
	uint64_t account; /* who submitted it; 0: nobody who is signed in */
	uint8_t origin;   /* enum queue_origin */
	uint64_t connection;
	struct str peer;
	struct str user; /* the address signed in with; of a notice: the one that it is from */
	struct ipc_outgoing mail;
	bool tls_optional;
	uint64_t received_at, hold_until, expires_at, look_at;
	bool delay_told, by_told;
	uint64_t size;
	bool in_file;
	struct body body; /* in_file: how the file is opened */
};

/*
 * Nothing stands still for ever. Between two rounds (queue/test_states.h looks after each round of
 * each test):
 *   waiting  its destination is due (`due_at`) no later than its own time, or than until when the
 *            destination is left alone; the message's age is looked at (`look_at`) meanwhile
 *   active   a carriage has it (queue/carriage.h), and exactly one who says what became of it: a
 *            question with a time-out, a courier or a channel to delivery with theirs, the wait for
 *            such a channel, or the next round; after a start none is active
 *   held     the operator releases or removes it; where processes of ours ended over it
 * (`crashes`), it grows old as what waits does over     when the last of a message is, the message
 * goes
 */
enum recipient_state {
	RECIPIENT_WAITING,
	RECIPIENT_ACTIVE,
	RECIPIENT_HELD,
	/* from here on it is over; such rows stay until their message goes */
	RECIPIENT_DELIVERED,
	RECIPIENT_RELAYED,
	RECIPIENT_EXPANDED, /* an alias: others came in its place */
	RECIPIENT_FAILED,
	N_RECIPIENT_STATES
};

struct queued_recipient {
	uint64_t id, message, destination;
	struct str address, original;
	struct str via;    /* the alias that led to it, or empty */
	struct str sender; /* the reverse-path for this one, where it is not the message's */
	uint8_t notify, state;
	uint64_t hops; /* aliases on the way */
	uint64_t attempts, tried_at, next_at;
	uint64_t crashes; /* processes of ours that ended over it, since its last attempt */
	uint64_t code;
	struct str status, mta, text; /* of the last attempt */
	struct str domain;            /* the destination's name */
};

struct queued_destination {
	uint64_t id;
	struct str name;
	uint64_t blocked_until, failures;
	struct str reason;
	uint64_t due_at; /* 0: nothing waits for it */
};

/*
 * Opens the database in the working folder and makes it when it is not there. What was under way
 * when the server ended waits again; files that no message names are removed. -ENOKEY: its key is
 * not the one that was written; -EPROTONOSUPPORT: of a later version.
 */
MUST_USE int queue_db_open(struct queue_db **ret_db);
void queue_db_close(struct queue_db *db);

/* `durable` false: what is lost with the power can be done again. */
MUST_USE int queue_db_begin(struct queue_db *db, bool durable);
/* Rolls back when it fails. */
MUST_USE int queue_db_commit(struct queue_db *db);
void queue_db_rollback(struct queue_db *db);

/* --- messages (database_message.c) --- */

/* Adds a message, the concatenation of `parts`, as `m` says but for id, size and body. */
MUST_USE int queue_db_add(struct queue_db *db, const struct queued_message *m,
    const struct str *parts, size_t n_parts, uint64_t *ret_id);
/* -ENOENT. Texts in `a`. */
MUST_USE int queue_db_get(
    struct queue_db *db, uint64_t id, struct arena *a, struct queued_message *ret_m);
/* The message's bytes as a sealed memory file (given). */
MUST_USE int queue_db_content(struct queue_db *db, const struct queued_message *m, int *ret_fd);
/* The folder with its files: borrowed. */
int queue_db_folder(const struct queue_db *db);
/* Writes look_at, what was told, hold_until and expires_at. */
MUST_USE int queue_db_set_look(struct queue_db *db, const struct queued_message *m);
/* Removes it with its recipients. */
MUST_USE int queue_db_remove(struct queue_db *db, uint64_t id);
/* Messages whose time to be looked at has come; at most `max`. */
MUST_USE int queue_db_to_look_at(
    struct queue_db *db, uint64_t now, uint64_t *ret_ids, size_t max, size_t *ret_n);
/*
 * Messages behind `*after`, with an open recipient at `domain` or of `account` or `user`, where
 * given: at most `max`. `*after` is then where to go on; `*ret_is_last`: there are none behind it.
 * Where no index helps, at most QUEUE_LIST_SPAN messages are looked at, and there may be none
 * among them.
 */
enum { QUEUE_LIST_SPAN = 5000 };
struct queue_db_filter {
	struct str domain;
	uint64_t account; /* 0: any */
	struct str user;  /* empty: any */
};
MUST_USE int queue_db_list(struct queue_db *db, const struct queue_db_filter *filter,
    uint64_t *after, uint64_t *ret_ids, size_t max, size_t *ret_n, bool *ret_is_last);

/* --- fresh messages (database_fresh.c) --- */

/*
 * A message that is under way from the transaction on in which it came is one row of its own until
 * it is over, or has to wait: most mail never needs more. What is said of messages and recipients
 * above and below does not see it. It has at most QUEUE_FRESH_MAX bytes, all of its recipients are
 * at one destination, and none has anything of its own but address, ORCPT and NOTIFY.
 */
enum { QUEUE_FRESH_MAX = 64 << 10 };

/* As queue_db_add, with recipients. */
MUST_USE int queue_db_fresh_add(struct queue_db *db, const struct queued_message *m,
    struct str domain, const struct queued_recipient *v, size_t n, const struct str *parts,
    size_t n_parts, uint64_t *ret_id);
/* It is over. */
MUST_USE int queue_db_fresh_end(struct queue_db *db, uint64_t id, uint64_t account);
/* It becomes a message as any other, with its recipients in `state`, in their order; their numbers
 * begin with `*ret_first` and follow each other. */
MUST_USE int queue_db_file(struct queue_db *db, uint64_t id, uint8_t state, uint64_t *ret_first);

/* --- recipients and destinations (database_recipient.c) --- */

/* Adds one that waits (or is held: `state`) from `next_at` on for `domain`. */
MUST_USE int queue_db_add_recipient(
    struct queue_db *db, const struct queued_recipient *r, struct str domain);
/* The recipients of a message behind the number `after`, at most `max`. */
MUST_USE int queue_db_recipients(struct queue_db *db, uint64_t message, uint64_t after,
    struct arena *a, struct queued_recipient *ret_v, size_t max, size_t *ret_n);
/* Is there a recipient of this address, in whatever state? 1, 0, -errno. */
MUST_USE int queue_db_has_recipient(struct queue_db *db, uint64_t message, struct str address);
/* Has the message a recipient that is not over? 1, 0, -errno. */
MUST_USE int queue_db_is_open(struct queue_db *db, uint64_t message);
/* It waits for another destination now, as far as it waited or was under way. */
MUST_USE int queue_db_move_recipient(
    struct queue_db *db, const struct queued_recipient *r, struct str destination);
/* Writes state, attempts, tried_at, next_at, code and texts. */
MUST_USE int queue_db_set_recipient(struct queue_db *db, const struct queued_recipient *r);

/* The destinations with something due, longest due first: `visit` until it gives other than 0. */
MUST_USE int queue_db_each_due(struct queue_db *db, uint64_t now,
    int (*visit)(const struct queued_destination *d, void *ctx), void *ctx);
/* When the next one is due; 0: none waits. */
MUST_USE int queue_db_next_due(struct queue_db *db, uint64_t *ret_at);
/*
 * Takes the longest due message of a destination under way, with all of its recipients there that
 * are due and have the same reverse-path: at most `max` in `ret_v` (texts in `a`). `*ret_n` 0:
 * nothing is due.
 */
MUST_USE int queue_db_claim(struct queue_db *db, uint64_t destination, uint64_t now,
    struct arena *a, struct queued_recipient *ret_v, size_t max, size_t *ret_n);
/* Says when the destination is due next, after its recipients changed. */
MUST_USE int queue_db_settle(struct queue_db *db, uint64_t destination);
/* Forgets some of the destinations that nothing waits for; `*cursor` goes round and round, from 0.
 */
MUST_USE int queue_db_forget_destinations(struct queue_db *db, uint64_t now, uint64_t *cursor);
MUST_USE int queue_db_set_destination(struct queue_db *db, const struct queued_destination *d);
/* -ENOENT */
MUST_USE int queue_db_destination(
    struct queue_db *db, uint64_t id, struct arena *a, struct queued_destination *ret_d);
/* Makes it, where it is not there. */
MUST_USE int queue_db_destination_of(struct queue_db *db, struct str name, uint64_t *ret_id);
/* -ENOENT */
MUST_USE int queue_db_destination_by_name(struct queue_db *db, struct str name, uint64_t *ret_id);

#endif
