/*
 * session/imap/message_limit.h: how many messages one command may be about (MESSAGELIMIT, RFC 9738
 * §3.1): those with the highest UIDs count, and the client is told the lowest UID that did.
 *
 * EXPUNGE, CLOSE and STATUS are never cut short. What must be done whole or not at all (COPY,
 * APPEND, SORT, THREAD) is refused.
 */
#ifndef SESSION_IMAP_MESSAGE_LIMIT_H
#define SESSION_IMAP_MESSAGE_LIMIT_H

#include "session/imap/imap_session.h"

/* Leaves the highest, in place; what is left out is told with the result. */
void imap_limit_positions(struct imap_session *s, struct imap_positions *positions);
/* The same where only messages with \Deleted count (UID EXPUNGE). */
void imap_limit_deleted(struct imap_session *s, struct imap_positions *positions);

/* True when they are too many for a command that is done whole: `*ret_result` is its refusal. */
MUST_USE bool imap_limit_refuses(
    struct imap_session *s, const struct imap_positions *positions, struct imap_result *ret_result);
/* The same for `n` messages that have no UIDs yet. */
MUST_USE bool imap_limit_refuses_count(
    struct imap_session *s, size_t n, struct imap_result *ret_result);

/*
 * A prepared search program looks at no more messages than may be: those that its numbers and UIDs
 * at the outermost level leave. False, with `whole`, where it would have to be cut: `*ret_result`
 * is the refusal; or at the arena's ceiling.
 */
MUST_USE bool imap_limit_search(struct imap_session *s, struct imap_search_key *key, bool whole,
    struct imap_result *ret_result);

/* Says with an OK, or before it, what this command left out. */
void imap_limit_tell(struct imap_session *s, struct imap_result *result);

#endif
