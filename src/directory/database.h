/*
 * directory/database.h: directory.db: domains, accounts with their slots, aliases.
 *
 * The database is sealed under the server's key (the file server.key beside it), so that no address
 * stands in a file in the clear. docs/formats.md has the schema. Names are stored canonical
 * (directory/name.h); statements are prepared once.
 *
 * An account is made and removed in two steps, so that there is never an account without its
 * folder: `database_account_reserve` burns an id and keeps the address, invisible to everybody;
 * when the folder is there, `database_account_activate` stores the slots and makes it visible. To
 * remove, `database_account_retire` forgets the slots at once; when the folder is gone,
 * `database_account_erase` forgets the row. What a crash leaves in between is listed by
 * `database_unfinished`. Ids are never used twice.
 *
 * It does not speak to anybody, and decides nothing about rights. Each change is one transaction,
 * durable when the function returns.
 *
 * Errors: -ENOENT not there, -EEXIST there already, -EBUSY something still refers to it, -EBADMSG
 * damaged, -ENOKEY server.key is damaged, -EPROTONOSUPPORT made by a newer version, other -errno of
 * the machine.
 */
#ifndef DIRECTORY_DATABASE_H
#define DIRECTORY_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "directory/name.h"
#include "seal/cipher.h"
#include "seal/slot.h"

#define DATABASE_FILE "directory.db"
#define DATABASE_KEY  "server.key"

enum { DATABASE_TARGETS_MAX = 100, DATABASE_GRANTS_MAX = 100 };

struct database;

/*
 * Opens directory.db in the working folder with the key in server.key. `create`: makes the database
 * (and not the key) where it is not there.
 */
MUST_USE int database_open(bool create, struct database **ret_database);
void database_close(struct database *db);

/* The key of the addresses under which mail is forwarded (mail/srs.h): SECRET_LEN bytes, borrowed,
 * derived from server.key. */
const uint8_t *database_srs_key(const struct database *db);

/* Makes server.key in the working folder: 0, or -EEXIST. */
MUST_USE int database_make_key(void);
/* 0, or -ENOKEY when server.key is damaged. */
MUST_USE int database_check_key(void);

/*
 * Checks every byte of the database and of its log, `n` pages at a time from `first` (1) on, as
 * sealed_db_check_pages does; damage is told to seal_vfs_on_damage.
 */
MUST_USE int database_check(struct database *db, uint32_t first, uint32_t n, uint32_t *ret_n_pages);

/* The organisation's recovery key (its public half). */
MUST_USE int database_set_recovery(
    struct database *db, const uint8_t recovery_public[static CIPHER_PUBLIC_LEN]);
MUST_USE int database_recovery(
    struct database *db, uint8_t ret_recovery_public[static CIPHER_PUBLIC_LEN]);

/* True (1) when an account (of any state) or alias has the name, or 0; -errno. */
MUST_USE int database_name_in_use(struct database *db, const struct name *name);

/* --- domains --- */

struct domain_row {
	struct str name;
	uint64_t n_accounts, n_aliases, created_at;
};

MUST_USE int database_domain_add(struct database *db, struct str name);
MUST_USE int database_domain_remove(struct database *db, struct str name);
/* 0 or -ENOENT. */
MUST_USE int database_domain_find(struct database *db, struct str name);
/* The only domain, when there is just one: copied to the arena. -ENOENT otherwise. */
MUST_USE int database_domain_only(struct database *db, struct arena *a, struct str *ret_name);

/* --- accounts --- */

enum account_state { ACCOUNT_RESERVED, ACCOUNT_ACTIVE, ACCOUNT_RETIRED };

struct account_row {
	uint64_t id;
	enum account_state state;
	struct name name;
	uint64_t quota_bytes, created_at;
};

/* Only active accounts are found; -ENOENT for others. Names in rows lie in the arena. */
MUST_USE int database_account_find(
    struct database *db, const struct name *name, struct arena *a, struct account_row *ret_row);
/* The name of an active account: 0 or -ENOENT. */
MUST_USE int database_account_name(
    struct database *db, uint64_t account, struct arena *a, struct name *ret_name);
/* The id alone, for lookups. */
MUST_USE int database_account_id(
    struct database *db, const struct name *name, uint64_t *ret_account);
/* The first account of the domain, or, where that is empty, of the server: who gets postmaster's
 * mail when nobody else was named. */
MUST_USE int database_account_first(struct database *db, struct str domain, uint64_t *ret_account);

/* -ENOENT: no such domain; -EEXIST: an account or an alias has this name. */
MUST_USE int database_account_reserve(
    struct database *db, const struct name *name, uint64_t quota_bytes, uint64_t *ret_account);
MUST_USE int database_account_activate(struct database *db, uint64_t account,
    const uint8_t password[static SLOT_LEN], const uint8_t recovery[static SLOT_LEN]);
/* -EBUSY: an alias points to it. What it was granted, and who was granted its address, goes. */
MUST_USE int database_account_retire(struct database *db, uint64_t account);
MUST_USE int database_account_erase(struct database *db, uint64_t account);

/* An account that is reserved or retired, behind `after`: 0, or -ENOENT where there is none. */
MUST_USE int database_unfinished(struct database *db, uint64_t after, uint64_t *ret_account);

/* The account's slot of `kind`. */
MUST_USE int database_slot(
    struct database *db, uint64_t account, enum slot_kind kind, uint8_t ret_slot[static SLOT_LEN]);
MUST_USE int database_slot_replace(struct database *db, uint64_t account, enum slot_kind kind,
    const uint8_t slot[static SLOT_LEN]);

/* --- aliases --- */

/* -ENOENT: no such domain; -EEXIST: an account or an alias has this name. */
MUST_USE int database_alias_add(
    struct database *db, const struct name *name, const struct name *targets, size_t n_targets);
/* -EBUSY: another alias points to it. Who was granted its address has it no more. */
MUST_USE int database_alias_remove(struct database *db, const struct name *name);
/* The targets, in the arena: 0 or -ENOENT. */
MUST_USE int database_alias_targets(struct database *db, const struct name *name, struct arena *a,
    struct name **ret_targets, size_t *ret_n);
/* An alias that points to `name`, for saying why it cannot be removed: 0 or -ENOENT. */
MUST_USE int database_alias_of(
    struct database *db, const struct name *name, struct arena *a, struct name *ret_alias);

/* --- sending as an address that is somebody else's --- */

enum { GRANT_SEND_AS = 1, GRANT_SEND_ON_BEHALF = 2 };

struct grant_row {
	struct name name;
	unsigned rights; /* GRANT_ bits */
};

/* What `account` was granted on `name`, an account's or alias's: GRANT_ bits, 0 for nothing. */
MUST_USE int database_granted(
    struct database *db, const struct name *name, uint64_t account, unsigned *ret_rights);
/*
 * Sets what it has: 0 takes the grant away. -ENOENT: no account or alias has this name; -E2BIG: the
 * account would have more than DATABASE_GRANTS_MAX.
 */
MUST_USE int database_grant(
    struct database *db, const struct name *name, uint64_t account, unsigned rights);
/* All that the account was granted, in the arena. */
MUST_USE int database_grants(struct database *db, uint64_t account, struct arena *a,
    struct grant_row **ret_rows, size_t *ret_n);

/* --- lists, sorted by domain and name --- */

/*
 * At most `max` rows that sort behind `after` (empty: from the start), in the arena. Lists are read
 * piece by piece: the next piece begins behind the last row.
 */
MUST_USE int database_domains(struct database *db, struct str after, size_t max, struct arena *a,
    struct domain_row **ret_rows, size_t *ret_n);
MUST_USE int database_accounts(struct database *db, const struct name *after, size_t max,
    struct arena *a, struct account_row **ret_rows, size_t *ret_n);
MUST_USE int database_aliases(struct database *db, const struct name *after, size_t max,
    struct arena *a, struct name **ret_names, size_t *ret_n);

#endif
