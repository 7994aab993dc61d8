/*
 * delivery/batch.h: one round of deliveries: seal, lock, append, sync, unlock.
 *
 * For each message all of its letterboxes get a record or none. Locks are taken in the order of
 * account ids, so that workers never wait for each other in a circle; they are held until the
 * records are durable, so that no session reads what may still be taken back. When a sync fails
 * nobody knows what is on the disk: then the whole batch is taken back.
 */
#ifndef DELIVERY_BATCH_H
#define DELIVERY_BATCH_H

#include "base/arena.h"
#include "delivery/accounts.h"
#include "ipc/messages.h"
#include "seal/body.h"

enum {
	BATCH_MESSAGES_MAX = 64,
	BATCH_LARGE_RECIPIENTS = 4, /* from so many recipients on … */
	BATCH_LARGE_LEN = 64 << 10, /* … a message this long is stored once for all of them */
};

/* A message to be delivered. Texts and lists in `arena`. */
struct delivery {
	struct delivery *next;
	void *ctx; /* the caller's */
	struct arena arena;
	const uint64_t *accounts; /* ascending, each once */
	const struct str *recipients;
	size_t n_accounts;
	struct str reverse_path, trace, envelope_id;
	uint8_t body_type;
	bool smtputf8;
	struct str message; /* borrowed */
	bool is_mapped;     /* the message: for its owner */

	/* The outcome. */
	enum deliver_result result;
	uint64_t at_account;
	const char *detail; /* static text */
	int error;

	/* While the batch runs. */
	struct account **open; /* n_accounts of them; NULL until it was opened */
	struct body body;
	struct buf sealed;
	bool in_blob;
	bool reserved; /* counted in its accounts' usage, for now */
};

/*
 * Delivers the first messages of the list, at most BATCH_MESSAGES_MAX and as many as their accounts
 * can be open at once, and sets their outcome. `*ret_rest` is where the next batch begins.
 */
void batch_run(struct accounts *accounts, struct delivery *first, struct delivery **ret_rest);

#endif
