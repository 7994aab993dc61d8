/*
 * store/rebuild.h: a damaged mailbox.db is set aside and made anew. Private to src/store.
 *
 * The new one takes the whole letterbox in again. From the old one comes what can still be read:
 * folders, subscriptions, keywords, and in which folders with which flags a message was. What
 * cannot be read there any more is where its record says: INBOX, or where it was appended to. All
 * mailboxes get new UIDVALIDITYs. The old files stay, under names with `damaged`.
 */
#ifndef STORE_REBUILD_H
#define STORE_REBUILD_H

#include "store/store_private.h"

enum { REBUILD_NAME_MAX = 48 };

/* Renames the database and its log away; the folder is locked exclusively. Where it went: */
MUST_USE int rebuild_set_aside(struct store *s, char ret_name[static REBUILD_NAME_MAX]);

/*
 * Takes the letterbox into the new, empty database, and brings over what the old one, `name`, still
 * says. When this fails half-way the next opening begins anew.
 */
MUST_USE int rebuild_fill(struct store *s, const char *name, const struct secret *key);

#endif
