/*
 * session/imap/catenate.h: a message made of pieces: texts of the command and parts of messages
 * that are there (CATENATE, RFC 4469).
 */
#ifndef SESSION_IMAP_CATENATE_H
#define SESSION_IMAP_CATENATE_H

#include "session/imap/imap_session.h"

/*
 * Appends the message to `out`, whose ceiling is that of a message. False: `*ret_result` is NO with
 * [BADURL …] for the first URL that names nothing here, [TOOBIG], or the store's error.
 */
MUST_USE bool imap_catenate(struct imap_session *s, const struct imap_append_message *m,
    struct buf *out, struct imap_result *ret_result);

#endif
