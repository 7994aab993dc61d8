#include "store/salvage.h"

#include <errno.h>
#include <stdlib.h>

#include "seal/vfs.h"

struct box {
	uint64_t old_id, new_id;
};

struct salvage {
	sqlite3 *db;
	struct box *boxes;
	size_t n_boxes;
	uint32_t uidvalidity; /* the highest */
	uint64_t bits[64];    /* what each old flag bit is now; 0: nothing */
};

struct salvage *salvage_open(const char *name, const struct secret *key)
{
	struct salvage *old = calloc(1, sizeof(*old));
	if (!old)
		abort();
	if (sealed_db_open(name, key, 0, &old->db) < 0) {
		free(old);
		return NULL;
	}
	return old;
}

void salvage_close(struct salvage *old)
{
	sqlite3_close_v2(old->db);
	free(old->boxes);
	free(old);
}

int salvage_each(struct salvage *old, const char *sql, int (*fn)(void *ctx, sqlite3_stmt *row),
    void *ctx, bool *ret_damaged)
{
	sqlite3_stmt *stmt = NULL;
	int result = sqlite3_prepare_v2(old->db, sql, -1, &stmt, NULL);
	int error = 0;
	while (result == SQLITE_OK && !error && (result = sqlite3_step(stmt)) == SQLITE_ROW) {
		error = fn(ctx, stmt);
		result = SQLITE_OK;
	}
	*ret_damaged = result != SQLITE_DONE;
	sqlite3_finalize(stmt);
	return error;
}

struct making {
	struct salvage *old;
	struct store *store;
};

static int make_mailbox(void *ctx, sqlite3_stmt *row)
{
	struct making *m = ctx;
	struct buf name CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX);
	uint64_t id = 0;
	if (store_mailbox_name(db_column_str(row, 1), &name) < 0)
		return 0;
	int error = store_box_find(m->store, buf_str(&name), &id);
	if (error == -ENOENT) {
		uint32_t use = db_column_u32(row, 2);
		error = store_box_create(
		    m->store, buf_str(&name), use < STORE_N_USES ? use : STORE_NO_USE, &id);
		if (error == -EEXIST)
			error = store_box_create(m->store, buf_str(&name), STORE_NO_USE, &id);
	}
	if (error)
		return error == -E2BIG ? 0 : error;
	struct box *larger =
	    reallocarray(m->old->boxes, m->old->n_boxes + 1, sizeof(*m->old->boxes));
	if (!larger)
		abort();
	larger[m->old->n_boxes++] = (struct box){db_column_u64(row, 0), id};
	m->old->boxes = larger;
	uint32_t uidvalidity = db_column_u32(row, 3);
	if (uidvalidity > m->old->uidvalidity)
		m->old->uidvalidity = uidvalidity;
	return 0;
}

static int make_subscription(void *ctx, sqlite3_stmt *row)
{
	struct making *m = ctx;
	struct buf name CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX);
	sqlite3_stmt *stmt;
	if (store_mailbox_name(db_column_str(row, 0), &name) < 0)
		return 0;
	int error = db_get(&m->store->db, DB_SUBSCRIBE, &stmt);
	if (error)
		return error;
	db_bind_str(stmt, 1, buf_str(&name));
	return db_finish(&m->store->db, stmt);
}

static int make_keyword(void *ctx, sqlite3_stmt *row)
{
	struct making *m = ctx;
	uint64_t index = db_column_u64(row, 0), bit = 0;
	struct buf name CLEANUP(buf_done) = BUF_MAX(STORE_KEYWORD_LEN_MAX + 1);
	buf_add(&name, db_column_str(row, 1));
	buf_add_c(&name, ' ');
	if (index >= STORE_KEYWORDS_MAX || buf_failed(&name))
		return 0;
	int error = store_keywords_of_names(m->store, buf_str(&name), &bit);
	m->old->bits[STORE_KEYWORD_FIRST + index] = bit;
	return error;
}

int salvage_mailboxes(struct salvage *old, struct store *s)
{
	struct making m = {old, s};
	bool damaged;
	for (size_t i = 0; i < STORE_KEYWORD_FIRST; i++)
		old->bits[i] = ((uint64_t)1 << i) & STORE_SYSTEM_FLAGS;
	int error = salvage_each(
	    old, "SELECT id, name, use, uidvalidity FROM mailboxes", make_mailbox, &m, &damaged);
	if (!error)
		error = salvage_each(
		    old, "SELECT name FROM subscriptions", make_subscription, &m, &damaged);
	if (!error)
		error =
		    salvage_each(old, "SELECT bit, name FROM keywords", make_keyword, &m, &damaged);
	return error;
}

uint64_t salvage_mailbox(const struct salvage *old, uint64_t old_id)
{
	for (size_t i = 0; i < old->n_boxes; i++)
		if (old->boxes[i].old_id == old_id)
			return old->boxes[i].new_id;
	return 0;
}

uint32_t salvage_uidvalidity(const struct salvage *old)
{
	return old->uidvalidity;
}

struct going {
	struct salvage *old;
	int (*fn)(void *ctx, const struct salvaged *entry);
	void *ctx;
	bool backwards;
	uint64_t last_mailbox; /* how far the way forwards came */
	uint32_t last_uid;
};

static uint64_t map_flags(const struct salvage *old, uint64_t flags)
{
	uint64_t mapped = 0;
	for (size_t i = 0; i < ARRAY_LEN(old->bits); i++) {
		if (flags & (uint64_t)1 << i)
			mapped |= old->bits[i];
	}
	return mapped & STORE_FLAGS_MASK;
}

static int on_entry(void *ctx, sqlite3_stmt *row)
{
	struct going *g = ctx;
	uint64_t mailbox = db_column_u64(row, 0);
	uint32_t uid = db_column_u32(row, 1);
	if (g->backwards &&
	    (mailbox < g->last_mailbox || (mailbox == g->last_mailbox && uid <= g->last_uid)))
		return 0;
	if (!g->backwards) {
		g->last_mailbox = mailbox;
		g->last_uid = uid;
	}
	struct salvaged entry = {.mailbox = salvage_mailbox(g->old, mailbox),
	    .uid = uid,
	    .flags = map_flags(g->old, db_column_u64(row, 2)),
	    .place = {db_column_u32(row, 3), db_column_u64(row, 4)}};
	return entry.mailbox > 0 ? g->fn(g->ctx, &entry) : 0;
}

#define ENTRIES                                                                                    \
	"SELECT n.mailbox, n.uid, n.flags, m.segment, m.offset FROM entries n CROSS JOIN "         \
	"messages m ON m.id = n.message "

int salvage_entries(
    struct salvage *old, int (*fn)(void *ctx, const struct salvaged *entry), void *ctx)
{
	struct going g = {.old = old, .fn = fn, .ctx = ctx};
	bool damaged = false;
	int error = salvage_each(old, ENTRIES "ORDER BY n.mailbox, n.uid", on_entry, &g, &damaged);
	if (error || !damaged)
		return error;
	g.backwards = true;
	return salvage_each(
	    old, ENTRIES "ORDER BY n.mailbox DESC, n.uid DESC", on_entry, &g, &damaged);
}
