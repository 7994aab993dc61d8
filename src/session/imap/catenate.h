/*
 * session/imap/catenate.h: a message made of pieces: texts of the command and parts of messages
 * that are there (CATENATE, RFC 4469).
 */
#ifndef SESSION_IMAP_CATENATE_H
#define SESSION_IMAP_CATENATE_H

#include "session/imap/imap_session.h"

/*
 * Writes the message to `out`. False: `*ret_result` is NO with [BADURL …] for the first URL that
 * names nothing here, [TOOBIG], or the store's error; BAD for a text with NUL that is no literal8.
 */
MUST_USE bool imap_catenate(struct imap_session *s, const struct imap_append_message *m,
    struct store_spool *out, struct imap_result *ret_result);

#endif
