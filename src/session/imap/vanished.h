/*
 * session/imap/vanished.h: which messages are gone, by UID: VANISHED (RFC 7162 §3.2.10).
 *
 * A response holds VANISHED_RANGES_MAX ranges at most; what is more goes into further ones.
 */
#ifndef SESSION_IMAP_VANISHED_H
#define SESSION_IMAP_VANISHED_H

#include "session/imap/imap_session.h"

enum { VANISHED_RANGES_MAX = 1000 };

/* "* VANISHED uids" of messages that have just been taken out of the view; ascending. */
void vanished_send(struct imap_session *s, const uint32_t *uids, size_t n);

/* What a client that was away asks about. */
struct vanished_query {
	uint64_t modseq;              /* what happened after it */
	const struct imap_set *known; /* of these UIDs, a resolved set; NULL: of all */
	uint32_t above;               /* of higher UIDs than this alone */
};

/*
 * "* VANISHED (EARLIER) uids" of what was expunged since, nothing where that is nothing; of a
 * loaded view. Where the store does not remember so far back, it is every UID that is not there
 * (RFC 7162 §3.2.6). 0 or -errno of the store.
 */
MUST_USE int vanished_send_earlier(struct imap_session *s, const struct vanished_query *query);

/* True when the client's sample of numbers and UIDs is one: both ascend and are as many. */
bool vanished_is_sample(const struct imap_resync *resync);
/*
 * The highest UID at which such a sample is right: the client knows what was expunged below it
 * (RFC 7162 §3.2.5.2). 0: none.
 */
uint32_t vanished_match(const struct store_view *v, const struct imap_resync *resync);

#endif
