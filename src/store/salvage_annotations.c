/* What a damaged database says that no letterbox holds: annotations. */
#include "store/salvage.h"
#include "store/store_annotation.h"

struct keeping {
	struct salvage *old;
	struct store *store;
};

static int on_annotation(void *ctx, sqlite3_stmt *row)
{
	struct keeping *k = ctx;
	struct db *db = &k->store->db;
	uint64_t old_id = db_column_u64(row, 0);
	uint64_t id = old_id > 0 ? salvage_mailbox(k->old, old_id) : 0;
	struct str entry = db_column_str(row, 1), value = db_column_str(row, 2);
	sqlite3_stmt *stmt;

	if ((old_id > 0 && id == 0) || entry.len > STORE_ANNOTATION_NAME_MAX ||
	    value.len > STORE_ANNOTATION_LEN_MAX)
		return 0;
	int error = db_get(db, DB_ANNOTATION_PUT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)id, 0, 0);
	db_bind_str(stmt, 4, entry);
	db_bind_blob(stmt, 5, value);
	return db_finish(db, stmt);
}

#define ANNOTATIONS                                                                                \
	"SELECT mailbox, entry, value FROM annotations WHERE value IS NOT NULL ORDER BY mailbox"

int salvage_annotations(struct salvage *old, struct store *s)
{
	struct keeping k = {old, s};
	bool damaged = false;
	int error = salvage_each(old, ANNOTATIONS ", entry", on_annotation, &k, &damaged);

	if (!error && damaged)
		error =
		    salvage_each(old, ANNOTATIONS " DESC, entry DESC", on_annotation, &k, &damaged);
	return error;
}
