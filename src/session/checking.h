/*
 * session/checking.h: the slow check of the account (store/store_check.h), beside a connection that
 * nobody waits for.
 *
 * Once a day one of the account's sessions goes through every byte of it, a slice at a time: at
 * most 2 MiB a second, in turns of about a millisecond. What is damaged goes the way of all damage,
 * to the ledger. A session that does not stay idle long enough leaves the rest to the next one.
 *
 * Time is clock_ms(). The store is borrowed; checking_done comes before its end.
 */
#ifndef SESSION_CHECKING_H
#define SESSION_CHECKING_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store_check.h"

enum {
	CHECKING_AFTER_MS = 60000,  /* of a session's life, and as much again by chance */
	CHECKING_ASK_MS = 3600000,  /* between two looks whether it is due */
	CHECKING_AGAIN_MS = 600000, /* after a failure */
	CHECKING_SLICE_LEN = 256 << 10,
	CHECKING_PAUSE_MS = 125, /* between two slices */
};

struct checking {
	struct store_check *check; /* NULL: none under way */
	uint64_t next_ms;          /* when checking_step has something to do */
};

void checking_init(struct checking *c);
void checking_done(struct checking *c);

/* One slice, or a look whether it is time; sets `next_ms`. False when nothing is under way. */
bool checking_step(struct checking *c, struct store *s);

#endif
