#include "store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "seal/cipher.h"
#include "store/object.h"
#include "store/store_mailbox.h"

/*
 * Version 1. `entries` is the only table with a row per message and mailbox, and it is clustered by
 * (mailbox, uid), so that opening a mailbox reads few pages; `envelopes` holds nothing else, so
 * that a scan over them reads nothing else.
 */
static const char version_1[] =
    "CREATE TABLE state ("
    " id INTEGER PRIMARY KEY CHECK (id = 1), segment INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " rebuild_segment INTEGER NOT NULL, rebuild_offset INTEGER NOT NULL,"
    " next_modseq INTEGER NOT NULL, next_message INTEGER NOT NULL, next_mailbox INTEGER NOT NULL,"
    " next_uidvalidity INTEGER NOT NULL, keyword_generation INTEGER NOT NULL,"
    " swept_at INTEGER NOT NULL);"
    "CREATE TABLE keywords (bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);"
    "CREATE TABLE mailboxes ("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, object_id TEXT NOT NULL,"
    " use INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL DEFAULT 1,"
    " highest_modseq INTEGER NOT NULL, first_recent INTEGER NOT NULL DEFAULT 1,"
    " n_messages INTEGER NOT NULL DEFAULT 0, n_unseen INTEGER NOT NULL DEFAULT 0,"
    " n_deleted INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,"
    " expunged_since INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE subscriptions (name TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE messages ("
    " id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " length INTEGER NOT NULL, received_ms INTEGER NOT NULL, has_sent INTEGER NOT NULL,"
    " sent_at INTEGER NOT NULL, sent_zone INTEGER NOT NULL, body BLOB NOT NULL,"
    " subject TEXT NOT NULL, message_id TEXT NOT NULL, refs TEXT NOT NULL,"
    " reverse_path TEXT NOT NULL, recipient TEXT NOT NULL, blob TEXT NOT NULL,"
    " body_text TEXT NOT NULL, bodystructure TEXT NOT NULL);"
    "CREATE INDEX messages_blob ON messages (blob) WHERE blob <> '';"
    "CREATE TABLE envelopes (id INTEGER PRIMARY KEY, envelope TEXT NOT NULL);"
    "CREATE TABLE entries ("
    " mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, message INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, modseq INTEGER NOT NULL, saved_at INTEGER NOT NULL,"
    " size INTEGER NOT NULL, internal_at INTEGER NOT NULL, internal_zone INTEGER NOT NULL,"
    " PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;"
    "CREATE INDEX entries_modseq ON entries (mailbox, modseq);"
    "CREATE INDEX entries_message ON entries (message);"
    "CREATE TABLE expunged ("
    " mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " PRIMARY KEY (mailbox, modseq, uid)) WITHOUT ROWID;"
    "CREATE TABLE dead ("
    " segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
    " blob TEXT NOT NULL, PRIMARY KEY (segment, offset)) WITHOUT ROWID;";

static const struct {
	const char *name;
	enum store_special_use use;
} default_mailboxes[] = {
    {"INBOX", STORE_NO_USE},
    {"Drafts", STORE_DRAFTS},
    {"Sent", STORE_SENT},
    {"Junk", STORE_JUNK},
    {"Trash", STORE_TRASH},
    {"Archive", STORE_ARCHIVE},
};

static int run_sql(struct db *db, const char *sql)
{
	return db_error(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

void schema_object_id(char ret_id[static STORE_OBJECT_ID_LEN + 1])
{
	uint8_t random[STORE_OBJECT_ID_LEN / 2];
	cipher_random(random, sizeof(random));
	struct buf hex CLEANUP(buf_done) = BUF_MAX(STORE_OBJECT_ID_LEN);
	hex_encode(str_of(random, sizeof(random)), &hex);
	memcpy(ret_id, hex.p, STORE_OBJECT_ID_LEN);
	ret_id[STORE_OBJECT_ID_LEN] = '\0';
}

static int add_default_mailboxes(struct db *db, uint32_t uidvalidity)
{
	for (size_t i = 0; i < ARRAY_LEN(default_mailboxes); i++) {
		sqlite3_stmt *stmt;
		int error = db_get(db, DB_MAILBOX_ADD, &stmt);
		if (error)
			return error;
		char object_id[STORE_OBJECT_ID_LEN + 1];
		schema_object_id(object_id);
		db_bind(stmt, (int64_t)i + 1, uidvalidity + i, default_mailboxes[i].use, 1);
		db_bind_str(stmt, 5, str_of_cstr(default_mailboxes[i].name));
		db_bind_str(stmt, 6, str_of_cstr(object_id));
		error = db_finish(db, stmt);
		if (error)
			return error;
		error = db_get(db, DB_SUBSCRIBE, &stmt);
		if (error)
			return error;
		db_bind_str(stmt, 1, str_of_cstr(default_mailboxes[i].name));
		error = db_finish(db, stmt);
		if (error)
			return error;
	}
	return 0;
}

static int make_version_1(struct db *db, struct letterbox_place end)
{
	int error = run_sql(db, version_1);
	if (error)
		return error;
	/* A later database of the same account starts above what this one gave out. */
	uint32_t uidvalidity = (uint32_t)clock_wall();
	char sql[256];
	snprintf(sql, sizeof(sql),
	    "INSERT INTO state VALUES (1, 1, 0, %u, %llu, 2, 1, %zu, %u, 0, 0)", end.segment,
	    (unsigned long long)end.offset, ARRAY_LEN(default_mailboxes) + 1,
	    (unsigned)(uidvalidity + ARRAY_LEN(default_mailboxes)));
	error = run_sql(db, sql);
	if (error)
		return error;
	return add_default_mailboxes(db, uidvalidity);
}

/* Version 2 can tell when the letterbox is not the one that was taken in. */
static int make_version_2(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db, "ALTER TABLE state ADD COLUMN witness INTEGER NOT NULL DEFAULT 0;"
	                   "ALTER TABLE state ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;");
}

/* Version 3 remembers when every byte was looked at. */
static int make_version_3(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db, "ALTER TABLE state ADD COLUMN checked_at INTEGER NOT NULL DEFAULT 0;"
	                   "ALTER TABLE state ADD COLUMN check_place INTEGER NOT NULL DEFAULT 0;");
}

/* Version 4 knows how much longer a message is with every line ended by CRLF; few are. */
static int make_version_4(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db,
	    "ALTER TABLE messages ADD COLUMN line_ends INTEGER NOT NULL DEFAULT 0;"
	    "CREATE INDEX messages_line_ends ON messages (line_ends) WHERE line_ends "
	    "<> 0;");
}

/*
 * Version 5 keeps what SORT and THREAD compare by. Messages that are there already get their rows
 * when somebody first asks for an order: `orders_due` says which are still to be done.
 */
static int make_version_5(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db,
	    "CREATE TABLE orders ("
	    " id INTEGER PRIMARY KEY, sent_at INTEGER NOT NULL, is_reply INTEGER NOT NULL,"
	    " subject BLOB NOT NULL, sender BLOB NOT NULL, recipient BLOB NOT NULL,"
	    " copied BLOB NOT NULL, sender_shown BLOB NOT NULL, recipient_shown BLOB NOT NULL,"
	    " ids BLOB NOT NULL);"
	    "CREATE TABLE orders_due (next INTEGER NOT NULL, end INTEGER NOT NULL);"
	    "INSERT INTO orders_due SELECT 0, next_message FROM state WHERE next_message > 1;");
}

/*
 * Version 6 gives messages and threads names that outlive UIDs (RFC 8474), those that are there
 * already too, and keeps what a message begins with.
 */
static int make_version_6(struct db *db, struct letterbox_place end UNUSED)
{
	int error = object_make_tables(db);
	return error ? error
	             : run_sql(db, "CREATE TABLE previews ("
	                           " message INTEGER PRIMARY KEY, preview TEXT NOT NULL);"
	                           "CREATE TRIGGER previews_gone AFTER DELETE ON messages"
	                           " BEGIN DELETE FROM previews WHERE message = old.id; END;");
}

/* Version 7 has access control lists (store_rights.h). */
static int make_version_7(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db, "CREATE TABLE rights ("
	                   " mailbox INTEGER NOT NULL, identifier TEXT NOT NULL,"
	                   " rights INTEGER NOT NULL,"
	                   " PRIMARY KEY (mailbox, identifier)) WITHOUT ROWID;");
}

/* Version 8 has the word index (store/search_index.h). */
static int make_version_8(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db,
	    "CREATE TABLE search_state ("
	    " id INTEGER PRIMARY KEY CHECK (id = 1), indexed INTEGER NOT NULL,"
	    " owner INTEGER NOT NULL, until_ms INTEGER NOT NULL, next_segment INTEGER NOT NULL,"
	    " pruned_ms INTEGER NOT NULL);"
	    "INSERT INTO search_state VALUES (1, 0, 0, 0, 1, 0);"
	    "CREATE TABLE search_segments ("
	    " id INTEGER PRIMARY KEY, state INTEGER NOT NULL, level INTEGER NOT NULL,"
	    " first INTEGER NOT NULL, last INTEGER NOT NULL, n_messages INTEGER NOT NULL);"
	    "CREATE TABLE search_pages ("
	    " id INTEGER PRIMARY KEY, words BLOB NOT NULL, postings BLOB NOT NULL);"
	    "CREATE TABLE search_left_out (message INTEGER PRIMARY KEY);");
}

/* Version 9 keeps annotations (RFC 5464). One without value was removed. */
static int make_version_9(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db,
	    "CREATE TABLE annotations ("
	    " mailbox INTEGER NOT NULL, entry TEXT NOT NULL, value BLOB, modseq INTEGER NOT NULL,"
	    " changed_at INTEGER NOT NULL, PRIMARY KEY (mailbox, entry)) WITHOUT ROWID;"
	    "CREATE INDEX annotations_modseq ON annotations (modseq);"
	    "CREATE TRIGGER annotations_gone AFTER DELETE ON mailboxes"
	    " BEGIN DELETE FROM annotations WHERE mailbox = old.id; END;");
}

/*
 * Version 10 notes what changed as runs of UIDs (store/changed.h). It takes the place of an index,
 * which cost two pages more for every flag, and as much again for each message of many.
 */
static int make_version_10(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db,
	    "CREATE TABLE changes ("
	    " mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, first INTEGER NOT NULL,"
	    " last INTEGER NOT NULL, PRIMARY KEY (mailbox, modseq, first)) WITHOUT ROWID;"
	    "INSERT INTO changes SELECT id, highest_modseq, 0, 0 FROM mailboxes;"
	    "CREATE TRIGGER changes_gone AFTER DELETE ON mailboxes"
	    " BEGIN DELETE FROM changes WHERE mailbox = old.id; END;"
	    "DROP INDEX entries_modseq;");
}

/* Version 11 keeps previews beside the ids: each table that a new message touches costs a page. */
static int make_version_11(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db,
	    "ALTER TABLE objects ADD COLUMN preview TEXT;"
	    "UPDATE objects SET preview = (SELECT p.preview FROM previews p WHERE p.message = "
	    "objects.message);"
	    "DROP TRIGGER previews_gone;"
	    "DROP TABLE previews;");
}

/* Version 12 keeps the lists of large mailboxes as one value each (store/entry_code.h). */
static int make_version_12(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db, "CREATE TABLE lists ("
	                   " mailbox INTEGER PRIMARY KEY, uidvalidity INTEGER NOT NULL,"
	                   " modseq INTEGER NOT NULL, uidnext INTEGER NOT NULL,"
	                   " entries BLOB NOT NULL);"
	                   "CREATE TRIGGER lists_gone AFTER DELETE ON mailboxes"
	                   " BEGIN DELETE FROM lists WHERE mailbox = old.id; END;");
}

/*
 * Version 13 has the headers of parts in the word index, which is made anew: its segments are dead
 * (search_index.h), and are taken out bit by bit as others that are.
 */
static int make_version_13(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db, "UPDATE search_segments SET state = 2;"
	                   "DELETE FROM search_left_out;"
	                   "UPDATE search_state SET indexed = 0, owner = 0, until_ms = 0;");
}

/* Version 14 keeps the order of large mailboxes' messages (store/store_ranks.h). */
static int make_version_14(struct db *db, struct letterbox_place end UNUSED)
{
	return run_sql(db,
	    "CREATE TABLE ranked ("
	    " mailbox INTEGER NOT NULL, sort_key INTEGER NOT NULL, uidvalidity INTEGER NOT NULL,"
	    " uidnext INTEGER NOT NULL, PRIMARY KEY (mailbox, sort_key)) WITHOUT ROWID;"
	    "CREATE TABLE ranks ("
	    " mailbox INTEGER NOT NULL, sort_key INTEGER NOT NULL, first INTEGER NOT NULL,"
	    " ranks BLOB NOT NULL, PRIMARY KEY (mailbox, sort_key, first)) WITHOUT ROWID;"
	    "CREATE TRIGGER ranks_gone AFTER DELETE ON mailboxes"
	    " BEGIN DELETE FROM ranked WHERE mailbox = old.id;"
	    " DELETE FROM ranks WHERE mailbox = old.id; END;");
}

/* The step to version n + 1 stands at n. */
static int (*const steps[SCHEMA_VERSION])(struct db *db, struct letterbox_place end) = {
    make_version_1,
    make_version_2,
    make_version_3,
    make_version_4,
    make_version_5,
    make_version_6,
    make_version_7,
    make_version_8,
    make_version_9,
    make_version_10,
    make_version_11,
    make_version_12,
    make_version_13,
    make_version_14,
};

static int get_version(struct db *db, int *ret_version)
{
	sqlite3_stmt *stmt = NULL;
	int result = sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &stmt, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_step(stmt);
	int error = db_error(db, result);
	if (!error)
		*ret_version = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return error;
}

/* One step, unless another process took it meanwhile. */
static int step_up(struct db *db, int from, struct letterbox_place end)
{
	int error = run_sql(db, "BEGIN IMMEDIATE");
	if (error)
		return error;
	int version = -1;
	error = get_version(db, &version);
	if (!error && version == from) {
		char sql[64];
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", from + 1);
		error = steps[from](db, end);
		if (!error)
			error = run_sql(db, sql);
	}
	if (!error)
		error = run_sql(db, "COMMIT");
	if (error)
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return error;
}

int schema_upgrade(struct db *db, struct letterbox_place end)
{
	for (;;) {
		int version = -1;
		int error = get_version(db, &version);
		if (error)
			return error;
		if (version > SCHEMA_VERSION)
			return -EPROTONOSUPPORT;
		if (version < 0) {
			db->damaged = true;
			return -EBADMSG;
		}
		if (version == SCHEMA_VERSION)
			return 0;
		error = step_up(db, version, end);
		if (error)
			return error;
	}
}
