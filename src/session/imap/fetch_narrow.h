/*
 * session/imap/fetch_narrow.h: the modifiers of FETCH that say which of the messages are meant:
 * PARTIAL (RFC 9394 §3.3), CHANGEDSINCE and VANISHED (RFC 7162 §3.1.4.1, §3.2.6).
 */
#ifndef SESSION_IMAP_FETCH_NARROW_H
#define SESSION_IMAP_FETCH_NARROW_H

#include "session/imap/imap_session.h"

/*
 * What the modifiers leave of the messages that the command names, in the arena; VANISHED (EARLIER)
 * is sent where it is asked. False: `*ret_result` says why.
 */
MUST_USE bool fetch_positions(struct imap_session *s, const struct imap_command *c,
    struct imap_positions *ret_positions, struct imap_result *ret_result);

/* Those of `positions` with a MODSEQ above `modseq`, in the arena. False at its ceiling. */
MUST_USE bool fetch_changed_since(
    struct imap_session *s, uint64_t modseq, struct imap_positions *positions);

#endif
