#include "seal/sealed_schema.h"

#include <errno.h>
#include <sqlite3.h>

int sealed_db_result(int code)
{
	if (code == SQLITE_IOERR_DATA) /* a page that does not open */
		return -EBADMSG;
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int read_version(sqlite3 *db, int *ret_version)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);

	if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
		*ret_version = sqlite3_column_int(s, 0);
		code = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return sealed_db_result(code);
}

int sealed_db_upgrade(sqlite3 *db, const char *const *steps, size_t n)
{
	int version = 0;
	int error = read_version(db, &version);

	if (error || version == (int)n)
		return error;
	if (version < 0 || version > (int)n)
		return -EPROTONOSUPPORT;
	int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (; code == SQLITE_OK && version < (int)n; version++)
		code = sqlite3_exec(db, steps[version], NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (code != SQLITE_OK && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return sealed_db_result(code);
}

int sealed_db_prepare(
    sqlite3 *db, const char *const *texts, size_t n, sqlite3_stmt **ret_statements)
{
	for (size_t i = 0; i < n; i++) {
		int code = sqlite3_prepare_v3(
		    db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &ret_statements[i], NULL);
		if (code != SQLITE_OK)
			return sealed_db_result(code);
	}
	return 0;
}
