/*
 * store/rebuild.h: a damaged mailbox.db is set aside and made anew. Private to src/store.
 *
 * The new one starts empty and takes the whole letterbox in again; from the old one comes what can
 * still be read: folders, subscriptions, and which message lay where with which flags.
 */
#ifndef STORE_REBUILD_H
#define STORE_REBUILD_H

#include "store/store_private.h"

/* Renames the database and its log away; the folder is locked exclusively. */
MUST_USE int rebuild_database(struct store *s, const struct secret *key);
/* Takes the letterbox in, and brings over what the old database still says. */
MUST_USE int rebuild_finish(struct store *s, const struct secret *key);

#endif
