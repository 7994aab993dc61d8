/* session/imap/commands.h: the handlers of the table in commands.c; each stands in cmd_<name>.c. */
#ifndef SESSION_IMAP_COMMANDS_H
#define SESSION_IMAP_COMMANDS_H

#include "session/imap/imap_session.h"

#define IMAP_CMD(name)                                                                             \
	struct imap_result imap_cmd_##name(struct imap_session *s, const struct imap_command *c)

IMAP_CMD(capability);
IMAP_CMD(noop); /* and CHECK */
IMAP_CMD(logout);
IMAP_CMD(id);
IMAP_CMD(enable);
IMAP_CMD(select); /* and EXAMINE */
IMAP_CMD(create);
IMAP_CMD(delete);
IMAP_CMD(rename);
IMAP_CMD(subscribe); /* and UNSUBSCRIBE */
IMAP_CMD(list);      /* and LSUB */
IMAP_CMD(namespace);
IMAP_CMD(status);
IMAP_CMD(append);
IMAP_CMD(idle);
IMAP_CMD(close); /* and UNSELECT */
IMAP_CMD(expunge);
IMAP_CMD(search);
IMAP_CMD(sort);
IMAP_CMD(esearch);
IMAP_CMD(thread);
IMAP_CMD(fetch);
IMAP_CMD(store);
IMAP_CMD(copy); /* and MOVE */
IMAP_CMD(notify);
IMAP_CMD(setacl); /* and DELETEACL */
IMAP_CMD(getacl);
IMAP_CMD(listrights);
IMAP_CMD(myrights);
IMAP_CMD(compress);
IMAP_CMD(replace);
IMAP_CMD(getquota);
IMAP_CMD(getquotaroot);
IMAP_CMD(setquota);
IMAP_CMD(getmetadata);
IMAP_CMD(setmetadata);
IMAP_CMD(unauthenticate);

/* cmd_status.c, for LIST RETURN (STATUS …): "* STATUS name (…)" */
void imap_status_write(
    struct imap_session *s, const struct store_mailbox *mailbox, unsigned items, struct buf *out);
/* cmd_metadata.c, for LIST RETURN (METADATA …) (RFC 9590); 0 or the store's error. */
MUST_USE int imap_metadata_write(struct imap_session *s, const struct store_mailbox *mailbox,
    const struct imap_metadata *asked, uint64_t *ret_longest);
/* "(F…)", the MAILBOXID (RFC 8474 §4); a letter in front as §8.1 advises. */
void imap_mailbox_id_write(const struct store_mailbox *mailbox, struct buf *out);
/* "\Sent", … of a special use; empty for none. */
struct str imap_special_use_name(enum store_special_use use);
/* cmd_fetch.c, for NOTIFY: these items and the UIDs of the messages from position `first` on. */
MUST_USE int imap_fetch_new(
    struct imap_session *s, const struct imap_fetch_items *items, size_t first);
/* cmd_unauthenticate.c: behind the tagged OK, all of it sent: the rest goes back to the gate. */
MUST_USE int imap_give_back(struct imap_session *s);
/* cmd_expunge.c, for CLOSE */
MUST_USE int imap_expunge_all(struct imap_session *s);

#endif
