/*
 * session/imap/fetch_derived.h: items of FETCH that the server made of a message: EMAILID and
 * THREADID (RFC 8474 §5), PREVIEW (RFC 8970).
 */
#ifndef SESSION_IMAP_FETCH_DERIVED_H
#define SESSION_IMAP_FETCH_DERIVED_H

#include "session/imap/fetch_section.h"

/*
 * Writes `label data` for an item of kind FETCH_EMAILID, FETCH_THREADID or FETCH_PREVIEW. Errors as
 * those of fetch_section_write.
 */
MUST_USE int fetch_derived_write(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out);

#endif
