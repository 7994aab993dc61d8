/*
 * seal/sealed_schema.h: what the server's own sealed databases (directory.db, queue.db) have in
 * common: the results of SQLite as -errno, their versions, and their statements.
 */
#ifndef SEAL_SEALED_SCHEMA_H
#define SEAL_SEALED_SCHEMA_H

#include <stddef.h>

#include "base/attr.h"

struct sqlite3;
struct sqlite3_stmt;

/* 0 for SQLITE_OK and SQLITE_DONE; -EBADMSG damaged, -EEXIST a constraint, -EAGAIN others are at
 * it, -ENOSPC, -ENOMEM, else -EIO. */
int sealed_db_result(int code);

/*
 * Brings a new or older database to version `n`: steps[v] leads from version v to the next and sets
 * user_version. All of it or nothing. -EPROTONOSUPPORT: it is of a later version; and as above.
 */
MUST_USE int sealed_db_upgrade(struct sqlite3 *db, const char *const *steps, size_t n);

/* Prepares `n` statements for long use; those that were made are finalized by the caller. */
MUST_USE int sealed_db_prepare(
    struct sqlite3 *db, const char *const *texts, size_t n, struct sqlite3_stmt **ret_statements);

#endif
