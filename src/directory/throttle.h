/*
 * directory/throttle.h: slows guessing down, per network and per account, and locks nobody out.
 *
 * Each failure fills a bucket of the peer's network (/32 of IPv4, /64 of IPv6) and one of the
 * account; both leak, `failures` in THROTTLE_WINDOW_MS. While a bucket is full its next sign-ins
 * are refused unseen. The account's bucket does not count for networks from which that account was
 * signed in to before: so strangers that guess at an account do not keep its owner out. The same
 * wrong password tried again and again from one network (a phone that was not told of the new one)
 * counts once, and needs no Argon2id again: throttle_was_wrong knows the last THROTTLE_SEEN of each
 * network. One more than that, in turn, and each counts anew. What other networks tried is not
 * told.
 *
 * It remembers no password: failures are known by a keyed hash of the caller's.
 *
 * Limits: THROTTLE_ENTRIES_MAX buckets and as many known networks; where they are all taken, the
 * one of its row that was used least recently goes.
 */
#ifndef DIRECTORY_THROTTLE_H
#define DIRECTORY_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { THROTTLE_WINDOW_MS = 600 * 1000, THROTTLE_ENTRIES_MAX = 8192, THROTTLE_SEEN = 4 };

struct throttle;

MUST_USE int throttle_new(uint64_t failures, struct throttle **ret_throttle);
void throttle_free(struct throttle *throttle);

/* A network, from "192.0.2.1" or "2001:db8::1". What is neither is one network of its own. */
struct network {
	uint64_t bits;
	bool is_v6;
};

struct network network_of(struct str peer);

/* May somebody at `network` try to sign in to `account` (0: one that does not exist) now? */
bool throttle_permits(struct throttle *throttle, struct network network, uint64_t account);

/*
 * `credential`: a keyed hash of the name as it was given, the password, and the account's slot
 * where there is an account: so a password that becomes right is another credential.
 */
void throttle_failed(
    struct throttle *throttle, struct network network, uint64_t account, uint64_t credential);

/* Is it among the last that failed from this network? */
bool throttle_was_wrong(struct throttle *throttle, struct network network, uint64_t credential);

/* A number for the network, never 0: for works_open. */
uint64_t throttle_origin(const struct throttle *throttle, struct network network);

void throttle_succeeded(struct throttle *throttle, struct network network, uint64_t account);

#endif
