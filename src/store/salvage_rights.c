/* What a damaged database says that no letterbox holds: who was granted what (store_rights.h). */
#include "store/salvage.h"
#include "store/store_rights.h"

struct keeping {
	struct salvage *old;
	struct store *store;
};

/* A row that is lost grants nothing to anybody: only the owner has rights without being named. */
static int on_grant(void *ctx, sqlite3_stmt *row)
{
	struct keeping *k = ctx;
	struct db *db = &k->store->db;
	uint64_t id = salvage_mailbox(k->old, db_column_u64(row, 0));
	struct str identifier = db_column_str(row, 1);
	sqlite3_stmt *stmt;

	if (id == 0 || identifier.len == 0 || identifier.len > STORE_IDENTIFIER_LEN_MAX)
		return 0;
	int error = db_get(db, DB_RIGHTS_PUT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)id, db_column_u32(row, 2) & STORE_RIGHTS_ALL);
	db_bind_str(stmt, 3, identifier);
	return db_finish(db, stmt);
}

#define GRANTS "SELECT mailbox, identifier, rights FROM rights ORDER BY mailbox"

int salvage_rights(struct salvage *old, struct store *s)
{
	struct keeping k = {old, s};
	bool damaged = false;
	int error = salvage_each(old, GRANTS ", identifier", on_grant, &k, &damaged);

	if (!error && damaged)
		error = salvage_each(old, GRANTS " DESC, identifier DESC", on_grant, &k, &damaged);
	return error;
}
