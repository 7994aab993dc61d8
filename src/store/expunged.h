/*
 * store/expunged.h: the record of what was expunged does not grow without end. Private to
 * src/store.
 *
 * A mailbox keeps the UIDs of its last expunged messages, with the MODSEQ of their going, for views
 * of other sessions and for QRESYNC; `expunged_since` of the mailbox says from where on they are
 * all there. Who asks further back is told everything that is not there (RFC 7162 §3.2.6).
 */
#ifndef STORE_EXPUNGED_H
#define STORE_EXPUNGED_H

#include "store/store_private.h"

enum {
	EXPUNGED_MAX = 50000,       /* UIDs of a mailbox, when it was looked at */
	EXPUNGED_KEPT = 25000,      /* the latest stay, at most */
	EXPUNGED_LOOK_AFTER = 1000, /* that many more in a session */
};

/*
 * After `n` messages of the mailbox were expunged, in the same transaction and before the box is
 * saved: looks now and then whether there are too many.
 */
MUST_USE int expunged_trim(struct store *s, struct store_box *box, size_t n);

/* Looks at all mailboxes, in a transaction of its own. */
MUST_USE int expunged_trim_all(struct store *s);

#endif
