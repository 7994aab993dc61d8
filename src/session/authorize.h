/*
 * session/authorize.h: who may do what with a mailbox. Every access of every protocol asks here.
 *
 * A session holds the key of one account, and the kernel keeps it in that account's folder; within
 * it the access control lists decide (store/store_rights.h, RFC 4314):
 *
 * - The owner of the account has all rights to a mailbox whose list does not name them, and else
 *   what it grants them. They always may see a mailbox and change its list: nobody can lock
 *   themselves out for good.
 * - Anybody else has what the list grants their address and "anyone" together; nothing where it
 *   names neither.
 */
#ifndef SESSION_AUTHORIZE_H
#define SESSION_AUTHORIZE_H

#include <stdbool.h>

#include "base/buf.h"
#include "store/store_rights.h"

/* What the owner has whatever the list says. */
enum { AUTHORIZE_OWNER_ALWAYS = STORE_RIGHT_LOOKUP | STORE_RIGHT_ADMINISTER };

#define AUTHORIZE_ANYONE STR_INIT("anyone")

struct subject {
	struct str user; /* the address in its one spelling (authorize_spell); borrowed */
	bool is_owner;   /* of the account that this session has open */
};

/* 0 when `subject` has all of `rights` (STORE_RIGHT_…) to the mailbox; -EACCES when not. */
MUST_USE int authorize_mailbox(
    struct store *s, const struct subject *subject, unsigned rights, uint64_t mailbox);

/* All rights that the subject has. */
MUST_USE int authorize_rights(
    struct store *s, const struct subject *subject, uint64_t mailbox, unsigned *ret_rights);

/*
 * Appends the one spelling of an identifier: case folded. False where it is empty, too long, no
 * UTF-8, has a control character, or begins with '-' (negative rights, which nobody is given here:
 * RFC 4314 §2).
 */
MUST_USE bool authorize_spell(struct str identifier, struct buf *out);

#endif
