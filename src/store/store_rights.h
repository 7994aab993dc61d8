/*
 * store/store_rights.h: the access control list of each mailbox (RFC 4314): who was granted what.
 *
 * It keeps the lists and knows nothing of what they mean: session/authorize.h decides by them. An
 * identifier is any text of one spelling (the caller's), unique in its list. A new mailbox has the
 * list of the one above it (RFC 4314 §4); with a mailbox its list goes.
 *
 * Limits: STORE_GRANTS_MAX identifiers of a mailbox, STORE_GRANTS_OF_ALL_MAX in the lists of all
 * mailboxes, STORE_IDENTIFIER_LEN_MAX bytes of one. What goes beyond is -E2BIG, -ENAMETOOLONG.
 */
#ifndef STORE_STORE_RIGHTS_H
#define STORE_STORE_RIGHTS_H

#include "base/arena.h"
#include "store/store.h"

/* RFC 4314 §2.1. The numbers stand in the database. */
enum store_right {
	STORE_RIGHT_LOOKUP = 1 << 0,      /* l: see it in lists */
	STORE_RIGHT_READ = 1 << 1,        /* r: select it */
	STORE_RIGHT_SEEN = 1 << 2,        /* s: change \Seen */
	STORE_RIGHT_WRITE = 1 << 3,       /* w: change other flags, but \Deleted */
	STORE_RIGHT_INSERT = 1 << 4,      /* i: put messages in */
	STORE_RIGHT_POST = 1 << 5,        /* p: send to its address */
	STORE_RIGHT_CREATE = 1 << 6,      /* k: make mailboxes below it */
	STORE_RIGHT_REMOVE = 1 << 7,      /* x: delete or rename it */
	STORE_RIGHT_DELETE = 1 << 8,      /* t: change \Deleted */
	STORE_RIGHT_EXPUNGE = 1 << 9,     /* e: remove what has \Deleted */
	STORE_RIGHT_ADMINISTER = 1 << 10, /* a: read and change this list */
	STORE_RIGHTS_ALL = (1 << 11) - 1,
};

enum {
	STORE_GRANTS_MAX = 200,
	STORE_GRANTS_OF_ALL_MAX = 50 * 1000,
	STORE_IDENTIFIER_LEN_MAX = 320,
};

struct store_grant {
	struct str identifier; /* in the caller's arena */
	unsigned rights;       /* STORE_RIGHT_… */
};

/* The list of a mailbox, by identifier. */
MUST_USE int store_rights_list(struct store *s, uint64_t mailbox, struct arena *a,
    struct store_grant **ret_grants, size_t *ret_n);

/* What one identifier was granted: -ENOENT when the list does not name it. */
MUST_USE int store_rights_get(
    struct store *s, uint64_t mailbox, struct str identifier, unsigned *ret_rights);

enum store_rights_mode { STORE_RIGHTS_SET, STORE_RIGHTS_ADD, STORE_RIGHTS_REMOVE };

/* Changes what an identifier was granted, from nothing where it was not named. -ENOENT: there is
 * no such mailbox. */
MUST_USE int store_rights_set(struct store *s, uint64_t mailbox, struct str identifier,
    enum store_rights_mode mode, unsigned rights);

/* Takes an identifier out of the list; 0 too when it was not there. */
MUST_USE int store_rights_forget(struct store *s, uint64_t mailbox, struct str identifier);

#endif
