/*
 * store/store_append.h: new messages from a signed-in client (APPEND, MULTIAPPEND RFC 3502).
 *
 * Messages are gathered one by one, then stored all or none, durably. They go through the letterbox
 * like delivered ones, sealed, so that the database can be rebuilt from it; after a crash in the
 * middle they are there once or not at all. Sessions that append at the same time share the syncs
 * and the transaction; each comes back when its own messages and their UIDs are durable.
 *
 *     store_append_begin → store_append_add … → store_append_commit → store_append_free
 *
 * Limits: STORE_APPEND_MESSAGES_MAX; beyond it -E2BIG. STORE_APPEND_HERE_MAX bytes of small
 * messages are kept in memory; the others go to a file each, as large ones do.
 */
#ifndef STORE_STORE_APPEND_H
#define STORE_STORE_APPEND_H

#include "base/arena.h"
#include "store/store_change.h"
#include "store/store_spool.h"

enum {
	STORE_APPEND_MESSAGES_MAX = 1000,
	STORE_APPEND_HERE_MAX = 4 << 20,
};

struct store_append;

struct store_append_message {
	struct str bytes;          /* CRLF lines; NULs allowed (BINARY) */
	struct store_spool *spool; /* unless NULL: they are in it, and it is used up */
	uint64_t flags;            /* STORE_FLAGS_MASK */
	bool has_date;             /* else: now */
	int64_t internal_at;
	int internal_zone; /* minutes east */
};

/* Given: store_append_free. -ENOENT: there is no such mailbox. */
MUST_USE int store_append_begin(
    struct store *s, uint64_t mailbox, struct store_append **ret_append);
/* Takes a copy, or the file of a spool. -EFBIG above STORE_MESSAGE_LEN_MAX, -E2BIG, -EDQUOT,
 * -ENOSPC. */
MUST_USE int store_append_add(struct store_append *append, const struct store_append_message *m);

/*
 * The message `uid` of a mailbox goes when the one message that is appended comes, both durably or
 * neither (REPLACE, RFC 8508). Before adding: its size counts as free. -ESTALE: it is not there.
 */
MUST_USE int store_append_replace(struct store_append *append, uint64_t mailbox, uint32_t uid);

/*
 * Stores them (-EINVAL: there are none). Other new mail is taken in on the way. The UIDs, in the
 * arena, in the order of adding. -ENOENT: the mailbox was deleted meanwhile (nothing is stored).
 * -ESTALE: the one to be replaced was removed meanwhile (nothing is stored). -EINPROGRESS: they are
 * stored durably, but the database could not be brought up to date now, so they will appear; or
 * they did, but are not in this mailbox any more. After -EIO and -ENOSPC they may still appear,
 * where another record stands behind theirs already.
 */
MUST_USE int store_append_commit(struct store_append *append, struct arena *a,
    uint32_t *ret_uidvalidity, struct store_uids *ret_uids);
/* Nothing for NULL. What was not committed leaves nothing behind. */
void store_append_free(struct store_append *append);

#endif
