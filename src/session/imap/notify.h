/*
 * session/imap/notify.h: what the client wants to hear of without asking (NOTIFY, RFC 5465).
 *
 * It keeps what was asked for and how the account's mailboxes stood when the client was last told.
 * When something changed, the two states are compared and the differences told: nothing is noted
 * while it happens, so nothing can be missed or grow. The client's own changes are told too.
 *
 * Before the first NOTIFY there is nothing of this, and the selected mailbox is told as RFC 9051
 * has it.
 *
 * Limits: NOTIFY_ARENA_MAX bytes for what was asked, NOTIFY_STATE_MAX for the mailboxes. More is
 * NO [LIMIT], or, later, [NOTIFICATIONOVERFLOW]: then nothing is told any more (§5.8).
 */
#ifndef SESSION_IMAP_NOTIFY_H
#define SESSION_IMAP_NOTIFY_H

#include "session/imap/imap_session.h"

enum { NOTIFY_ARENA_MAX = 256 << 10, NOTIFY_STATE_MAX = 4 << 20 };

struct imap_notify_watch;

/* What is told of the selected mailbox. */
enum imap_notify_selected {
	NOTIFY_AS_EVER, /* no NOTIFY yet */
	NOTIFY_NOTHING,
	NOTIFY_DELAYED, /* EXPUNGE only when a command allows it */
	NOTIFY_AT_ONCE,
};
enum imap_notify_selected imap_notify_selected(const struct imap_session *s);
/* Whether flags that others change are told. */
bool imap_notify_flags(const struct imap_session *s);
/* The items to be fetched of new messages; NULL: none. */
const struct imap_fetch_items *imap_notify_items(const struct imap_session *s);

/* Whether changes are to be told while no command is under way. */
bool imap_notify_listens(const struct imap_session *s);

/* Tells what is different outside the selected mailbox since the last time. */
void imap_notify_tell(struct imap_session *s);

/* Whether annotations of a mailbox (empty: of the account) are watched. */
bool imap_notify_metadata(const struct imap_session *s, struct str mailbox);

void imap_notify_free(struct imap_notify_watch *w);

#endif
