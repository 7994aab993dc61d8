/* What a damaged database says about threads: THREADIDs that clients know stay what they are. */
#include "store/object.h"
#include "store/salvage.h"

struct keeping {
	struct store *store;
	int (*fn)(void *ctx, struct letterbox_place place, struct str thread_id);
	void *ctx;
};

static int on_thread(void *ctx, sqlite3_stmt *row)
{
	struct keeping *k = ctx;
	struct letterbox_place place = {db_column_u32(row, 0), db_column_u64(row, 1)};
	struct str id = db_column_str(row, 2);

	return id.len == OBJECT_ID_LEN ? k->fn(k->ctx, place, id) : 0;
}

static int on_key(void *ctx, sqlite3_stmt *row)
{
	struct keeping *k = ctx;
	struct db *db = &k->store->db;
	struct str id = db_column_str(row, 1);
	sqlite3_stmt *stmt;

	if (id.len != OBJECT_ID_LEN)
		return 0;
	int error = db_get(db, DB_THREAD_PUT, &stmt);
	if (error)
		return error;
	db_bind(stmt, sqlite3_column_int64(row, 0));
	db_bind_blob(stmt, 2, id);
	return db_finish(db, stmt);
}

#define THREADS                                                                                    \
	"SELECT m.segment, m.offset, o.thread_id FROM objects o CROSS JOIN messages m ON m.id = "  \
	"o.message ORDER BY o.message"
#define KEYS "SELECT key, thread_id FROM thread_keys ORDER BY key"

/* From both ends towards a damaged page: what is read twice is written twice, with the same end. */
int salvage_threads(struct salvage *old, struct store *s,
    int (*fn)(void *ctx, struct letterbox_place place, struct str thread_id), void *ctx)
{
	struct keeping k = {s, fn, ctx};
	bool damaged = false;
	int error = salvage_each(old, THREADS, on_thread, &k, &damaged);

	if (!error && damaged)
		error = salvage_each(old, THREADS " DESC", on_thread, &k, &damaged);
	if (!error)
		error = salvage_each(old, KEYS, on_key, &k, &damaged);
	if (!error && damaged)
		error = salvage_each(old, KEYS " DESC", on_key, &k, &damaged);
	return error;
}
