/* session/imap/notify_watch.h: what notify.c and cmd_notify.c share. */
#ifndef SESSION_IMAP_NOTIFY_WATCH_H
#define SESSION_IMAP_NOTIFY_WATCH_H

#include "session/imap/imap_session.h"

/* A mailbox as the client was told of it. */
struct notify_box {
	uint64_t id;
	struct str name;
	bool subscribed, was_subscribed;
	bool no_access; /* it may be seen, but not read */
	uint32_t uidvalidity, uidnext, n_messages;
	uint64_t highest_modseq;
};

struct notify_state {
	struct arena arena;
	struct notify_box *v; /* by id */
	size_t n;
};

struct imap_notify_watch {
	struct arena arena;
	struct imap_event_group *groups; /* names in kept form; NULL: nothing is watched */
	struct notify_state state;
};

/* The mailboxes that the user may see, as they are now (given: arena_done of its arena). 0, -E2BIG
 * or the store's error. */
MUST_USE int notify_state_make(struct imap_session *s, struct notify_state *ret_state);

/* The events that are watched of a mailbox that is not selected. */
unsigned notify_events_of(const struct imap_notify_watch *w, const struct notify_box *box);

/* What NOTIFY SET STATUS tells of it (RFC 5465 §3.1). */
void notify_status(struct imap_session *s, const struct notify_box *box, unsigned events);
/* "* LIST (\NoAccess) "/" name" */
void notify_no_access(struct imap_session *s, const struct notify_box *box);

#endif
