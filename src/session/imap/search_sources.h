/*
 * session/imap/search_sources.h: which mailboxes the source options of ESEARCH name (RFC 7377
 * §2.2).
 *
 * Each mailbox counts once, in the order of LIST. Mailboxes that are not there, or that the user
 * may not read (or, where they were not named, not see), are left out (RFC 7377 §2.2, §5). Only
 * INBOX gets deliveries (RFC 5465 §6.3).
 */
#ifndef SESSION_IMAP_SEARCH_SOURCES_H
#define SESSION_IMAP_SEARCH_SOURCES_H

#include "imap/mailbox_filter.h"
#include "session/imap/imap_session.h"

struct search_sources {
	struct store_mailbox *v; /* in the session's arena */
	size_t n;
};

/* `filters` NULL: the selected one. False: `*ret_result` says why. */
MUST_USE bool search_sources_find(struct imap_session *s, const struct imap_mailbox_filter *filters,
    struct search_sources *ret_sources, struct imap_result *ret_result);

#endif
