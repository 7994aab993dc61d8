/*
 * seal/sealed_db.h: opening a sealed database (internal to seal/; the public part is in
 * seal/vfs.h).
 *
 * SQLite has no argument for a key, so sealed_db_open leaves it here for the time of one
 * sqlite3_open_v2, whose xOpen takes it.
 */
#ifndef SEAL_SEALED_DB_H
#define SEAL_SEALED_DB_H

#include "seal/secret.h"

#define VFS_SQLITE_NAME "sealed"

/* The key of the database being opened, borrowed; NULL when it was not opened by sealed_db_open. */
const struct secret *sealed_db_take_key(void);

/* Makes the sealed_db_open under way fail with `error`. */
void sealed_db_refuse(int error);

#endif
