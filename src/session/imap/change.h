/*
 * session/imap/change.h: changing many messages, a part at a time (store/store_change.h).
 *
 * Each part is a transaction; between two of them other clients get the lock, and the time that the
 * command may take is looked at (session/imap/effort.h). So what STORE, MOVE and EXPUNGE do is done
 * message by message, as they may (RFC 6851 §3.3); COPY is done whole or not at all (RFC 9051
 * §6.4.7) and is not among these.
 *
 * With an error, what was done before it is done, and stands in the result.
 */
#ifndef SESSION_IMAP_CHANGE_H
#define SESSION_IMAP_CHANGE_H

#include "session/imap/imap_session.h"
#include "store/store_change.h"

enum { CHANGE_FLAGS_AT_ONCE = 50000, CHANGE_MOVES_AT_ONCE = 5000 };

MUST_USE int change_flags(struct imap_session *s, struct store_uids uids,
    const struct store_flag_change *change, struct store_flag_result *ret_result);

MUST_USE int change_move(struct imap_session *s, struct store_uids uids, uint64_t target,
    uint64_t permitted, struct store_copy_result *ret_result);

/* Those of `uids` (NULL: of the mailbox) that have \Deleted. */
MUST_USE int change_expunge(
    struct imap_session *s, const struct store_uids *uids, size_t *ret_n_removed);

#endif
