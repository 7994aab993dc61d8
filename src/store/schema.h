/*
 * store/schema.h: the tables of mailbox.db, by version. Private to src/store.
 *
 * PRAGMA user_version says which version a database has. `schema_upgrade` runs the steps from there
 * to SCHEMA_VERSION in one transaction each. docs/formats.md describes the tables.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/db.h"
#include "store/letterbox.h"
#include "store/store_mailbox.h"

enum { SCHEMA_VERSION = 14 };

/*
 * Brings the database to SCHEMA_VERSION; a new one gets the default mailboxes and notes `end`, the
 * letterbox's end, as what it is rebuilt from. -EPROTONOSUPPORT: of a later version.
 */
MUST_USE int schema_upgrade(struct db *db, struct letterbox_place end);

/* A fresh id for a mailbox (RFC 8474), NUL-terminated. */
void schema_object_id(char ret_id[static STORE_OBJECT_ID_LEN + 1]);

#endif
