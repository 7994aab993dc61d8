/*
 * directory/database_dkim.h: the keys of DKIM of each domain in directory.db: what is public of
 * them, and the private halves as the keyholder wrapped them.
 *
 * A key is new (made, and not used until its record is in the DNS), active (what is sent is signed
 * with it) or old (used no more; its record stays until no mail is on its way that it signed).
 *
 * Errors as in directory/database.h.
 */
#ifndef DIRECTORY_DATABASE_DKIM_H
#define DIRECTORY_DATABASE_DKIM_H

#include "directory/database.h"

enum { DATABASE_DKIM_KEYS_MAX = 12 }; /* of a domain */

enum dkim_state { DKIM_NEW, DKIM_ACTIVE, DKIM_OLD };

struct dkim_row {
	struct str domain, selector;
	uint8_t algorithm; /* enum dkim_algorithm */
	enum dkim_state state;
	struct str public_key, sealed;
	uint64_t created_at;
};

/* `created_at` is set here. -ENOSPC: the domain has DATABASE_DKIM_KEYS_MAX; -EEXIST: the selector
 * is in use, or there is no such domain. */
MUST_USE int database_dkim_add(struct database *db, const struct dkim_row *row);

/* All of a domain, by state and selector; in the arena. */
MUST_USE int database_dkim_keys(struct database *db, struct str domain, struct arena *a,
    struct dkim_row **ret_rows, size_t *ret_n);

/* At most `max` of all domains behind this one, by domain and selector; in the arena. */
MUST_USE int database_dkim_after(struct database *db, struct str domain, struct str selector,
    size_t max, struct arena *a, struct dkim_row **ret_rows, size_t *ret_n);

/* A domain without a key of that algorithm that is new or active: 0, or -ENOENT where every one has
 * its key. */
MUST_USE int database_dkim_missing(
    struct database *db, uint8_t algorithm, struct arena *a, struct str *ret_domain);

/* New keys become active, and what they replace becomes old. -ENOENT: there are no new ones. */
MUST_USE int database_dkim_switch(struct database *db, struct str domain);

/* Removes the old ones. -ENOENT: there are none. */
MUST_USE int database_dkim_retire(struct database *db, struct str domain);

#endif
