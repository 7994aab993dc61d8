/*
 * directory/resolve.h: who gets the mail for an address.
 *
 * In this order: an account of that name; an alias (its targets, through further aliases); the same
 * without the tag of user+tag; for postmaster, which every domain must have (RFC 5321 §4.5.1), and
 * for abuse, which gets what postmaster gets, the domain's first account, or where it has none the
 * server's, which `init` made. "postmaster" without a domain means the first domain's. Aliases that
 * lead in circles are followed once.
 *
 * An alias may lead out of the house too, to addresses of other servers; which domains are ours is
 * looked at each time.
 *
 * What bounces from there comes back to an address that was made for that (mail/srs.h), and leads
 * to whoever sent the message.
 *
 * Answers are cached, but for those that lead out; `resolver_changed` forgets them all. Limits:
 * RESOLVE_ACCOUNTS_MAX accounts, RESOLVE_OUTSIDE_MAX addresses outside, RESOLVE_ALIASES_MAX aliases
 * on the way; an alias that leads to more is answered RCPT_TEMPORARY.
 */
#ifndef DIRECTORY_RESOLVE_H
#define DIRECTORY_RESOLVE_H

#include "directory/database.h"
#include "ipc/messages.h"
#include "ipc/outgoing.h"

enum {
	RESOLVE_ACCOUNTS_MAX = IPC_RECIPIENTS_MAX,
	RESOLVE_OUTSIDE_MAX = OUTGOING_OUTSIDE_MAX,
	RESOLVE_ALIASES_MAX = 1000
};

struct resolver;

/* `db` is borrowed for the resolver's life. */
MUST_USE int resolver_new(struct database *db, struct resolver **ret_resolver);
void resolver_free(struct resolver *resolver);

struct resolved {
	enum rcpt_result result;
	const uint64_t *accounts; /* borrowed until the next call */
	size_t n_accounts;
	const struct str *outside; /* the same: "local@domain" */
	size_t n_outside;
	int error; /* why, for RCPT_TEMPORARY: -errno */
};

struct resolved resolver_resolve(struct resolver *resolver, struct str address);

/* Something in the directory changed. */
void resolver_changed(struct resolver *resolver);

#endif
