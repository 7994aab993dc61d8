/* store_object.h: EMAILID and THREADID. */
#include "store/object.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/num.h"
#include "mail/base_subject.h"
#include "mail/summary.h"
#include "seal/body.h"
#include "store/store_object.h"
#include "store/store_private.h"

static const char tables[] =
    "CREATE TABLE objects ("
    " message INTEGER PRIMARY KEY, email_id BLOB NOT NULL, thread_id BLOB NOT NULL);"
    "CREATE INDEX objects_email ON objects (email_id);"
    "CREATE INDEX objects_thread ON objects (thread_id);"
    "CREATE TABLE thread_keys (key INTEGER PRIMARY KEY, thread_id BLOB NOT NULL);"
    "CREATE TRIGGER objects_gone AFTER DELETE ON messages"
    " BEGIN DELETE FROM objects WHERE message = old.id; END;";

/*
 * The content key is made once, stands in the record's sealed header, and is nobody else's: what is
 * derived from it names the message for good and tells nothing about it.
 */
static void make_email_id(const struct object_source *source, uint8_t ret_id[static OBJECT_ID_LEN])
{
	uint8_t derived[CIPHER_KEY_LEN];

	for (size_t i = 0; i < OBJECT_TIME_LEN; i++)
		ret_id[i] = (uint8_t)(source->received_ms >> 8 * (OBJECT_TIME_LEN - 1 - i));
	cipher_derive(source->content_key, "email id", STR(""), derived);
	memcpy(ret_id + OBJECT_TIME_LEN, derived, OBJECT_ID_LEN - OBJECT_TIME_LEN);
	cipher_wipe(derived, sizeof(derived));
}

/* The base subject without white space and case (RFC 8621 §3). */
static void write_thread_subject(struct str subject, struct buf *out)
{
	struct buf space CLEANUP(buf_done) = BUF_MAX(SUMMARY_SUBJECT_MAX);
	bool is_reply;
	struct str base = base_subject(subject, &space, &is_reply);

	for (size_t i = 0; i < base.len; i++)
		if ((unsigned char)base.p[i] > ' ')
			buf_add_c(out, ascii_lower(base.p[i]));
}

/* An identifier counts together with the subject: a reply under a new subject is a new thread. */
struct thread_keys {
	int64_t v[THREAD_REFERENCES_MAX + 1];
	bool known[THREAD_REFERENCES_MAX + 1]; /* has a thread already, and keeps it */
	size_t n;
	struct buf subject;
};

static void add_key(struct thread_keys *keys, struct str id)
{
	const struct str parts[] = {id, STR_INIT("\n"), buf_str(&keys->subject)};
	uint8_t sum[CIPHER_CHECKSUM_LEN];

	if (id.len == 0 || keys->n == ARRAY_LEN(keys->v))
		return;
	cipher_checksum(parts, ARRAY_LEN(parts), sum);
	keys->v[keys->n++] = (int64_t)num_get64(sum);
}

static size_t count_lines(struct str text)
{
	size_t n = 0;

	while (text.len > 0) {
		str_cut(&text, '\n');
		n++;
	}
	return n;
}

static void make_keys(const struct object_source *source, struct thread_keys *keys)
{
	struct str rest = source->references;
	size_t n = count_lines(rest);

	write_thread_subject(source->subject, &keys->subject);
	add_key(keys, source->message_id);
	for (size_t i = 0; i < n; i++) {
		struct str id = str_cut(&rest, '\n');
		if (i < THREAD_REFERENCES_MAX / 2 || n - i <= THREAD_REFERENCES_MAX / 2)
			add_key(keys, id);
	}
}

/* The oldest thread that one of the keys names replaces `id`: ids of earlier threads are lower. */
static int find_thread(struct db *db, struct thread_keys *keys, uint8_t *id)
{
	bool found = false;

	for (size_t i = 0; i < keys->n; i++) {
		sqlite3_stmt *stmt;
		int error = db_get(db, DB_THREAD_GET, &stmt);
		if (error)
			return error;
		db_bind(stmt, keys->v[i]);
		int row = db_step(db, stmt);
		if (row < 0)
			return row;
		keys->known[i] = row > 0;
		struct str known = row > 0 ? db_column_str(stmt, 0) : STR("");
		if (known.len == OBJECT_ID_LEN &&
		    (!found || memcmp(known.p, id, OBJECT_ID_LEN) < 0)) {
			memcpy(id, known.p, OBJECT_ID_LEN);
			found = true;
		}
		sqlite3_reset(stmt);
	}
	return 0;
}

static int keep_thread(struct db *db, const struct thread_keys *keys, struct str id)
{
	int error = 0;

	for (size_t i = 0; !error && i < keys->n; i++) {
		sqlite3_stmt *stmt;
		if (keys->known[i])
			continue;
		error = db_get(db, DB_THREAD_ADD, &stmt);
		if (error)
			break;
		db_bind(stmt, keys->v[i]);
		db_bind_blob(stmt, 2, id);
		error = db_finish(db, stmt);
	}
	return error;
}

int object_add(struct db *db, uint32_t message, const struct object_source *source)
{
	uint8_t email_id[OBJECT_ID_LEN], thread_id[OBJECT_ID_LEN];
	struct thread_keys keys = {.subject = BUF_MAX(2 * SUMMARY_SUBJECT_MAX)};
	sqlite3_stmt *stmt;

	make_email_id(source, email_id);
	memcpy(thread_id, email_id, sizeof(thread_id)); /* its first message founds a thread */
	make_keys(source, &keys);
	buf_done(&keys.subject);
	int error = find_thread(db, &keys, thread_id);
	if (!error)
		error = keep_thread(db, &keys, str_of(thread_id, sizeof(thread_id)));
	if (!error)
		error = db_get(db, source->preview ? DB_OBJECT_ADD_WHOLE : DB_OBJECT_ADD, &stmt);
	if (error)
		return error;
	db_bind(stmt, message);
	db_bind_blob(stmt, 2, str_of(email_id, sizeof(email_id)));
	db_bind_blob(stmt, 3, str_of(thread_id, sizeof(thread_id)));
	if (source->preview)
		db_bind_str(stmt, 4, *source->preview);
	return db_finish(db, stmt);
}

/* A row of `messages` gets its ids. One whose key does not decode is damaged: it goes without. */
static int fill_row(struct db *db, sqlite3_stmt *row)
{
	struct body body;

	if (body_decode(db_column_str(row, 2), &body) < 0)
		return 0;
	const struct object_source source = {.received_ms = db_column_u64(row, 1),
	    .content_key = body.content_key,
	    .subject = db_column_str(row, 3),
	    .message_id = db_column_str(row, 4),
	    .references = db_column_str(row, 5)};
	int error = object_add(db, db_column_u32(row, 0), &source);
	body_wipe(&body);
	return error;
}

int object_make_tables(struct db *db)
{
	sqlite3_stmt *stmt = NULL;
	int error = db_error(db, sqlite3_exec(db->handle, tables, NULL, NULL, NULL));
	if (error)
		return error;
	int result = sqlite3_prepare_v2(db->handle,
	    "SELECT id, received_ms, body, subject, message_id, refs FROM messages ORDER BY id", -1,
	    &stmt, NULL);
	while (!error && result == SQLITE_OK && (result = sqlite3_step(stmt)) == SQLITE_ROW) {
		error = fill_row(db, stmt);
		result = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return error ? error : db_error(db, result);
}

static void write_id(char prefix, struct str id, char *to)
{
	struct buf hex CLEANUP(buf_done) = BUF_MAX(2 * OBJECT_ID_LEN);

	static_assert(STORE_OBJECT_TEXT_LEN == 1 + 2 * OBJECT_ID_LEN, "a letter and the digits");
	hex_encode(str_first(id, OBJECT_ID_LEN), &hex);
	to[0] = prefix;
	memcpy(to + 1, hex.p, hex.len);
	to[1 + hex.len] = '\0';
}

int store_object_ids(struct store *s, uint32_t message, struct store_object_ids *ret_ids)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_OBJECT_GET, &stmt);
	if (error)
		return store_note_error(s, error);
	db_bind(stmt, message);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? store_note_error(s, row) : -ENOENT;
	write_id('M', db_column_str(stmt, 0), ret_ids->email);
	write_id('T', db_column_str(stmt, 1), ret_ids->thread);
	sqlite3_reset(stmt);
	return 0;
}

/* RFC 8474 §7: ids are case sensitive, and ours have small letters. */
static bool read_id(struct str id, struct buf *out)
{
	for (size_t i = 1; i < id.len; i++)
		if (id.p[i] != ascii_lower(id.p[i]))
			return false;
	return id.len == STORE_OBJECT_TEXT_LEN && (id.p[0] == 'M' || id.p[0] == 'T') &&
	       hex_decode(str_from(id, 1), out);
}

static int list_messages(struct store *s, enum db_statement which, struct str id, struct arena *a,
    const uint32_t **ret_messages, size_t *ret_n)
{
	uint32_t *list = NULL;
	size_t n = 0, cap = 0;
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, which, &stmt);
	int row = 0;
	if (error)
		return error;
	db_bind_blob(stmt, 1, id);
	while (!error && (row = db_step(&s->db, stmt)) > 0) {
		if (n == cap) {
			cap = cap > 0 ? 2 * cap : 16;
			uint32_t *larger = ARENA_NEW_ARRAY(a, uint32_t, cap);
			error = larger ? 0 : -E2BIG;
			if (error)
				break;
			if (n > 0)
				memcpy(larger, list, n * sizeof(*list));
			list = larger;
		}
		list[n++] = db_column_u32(stmt, 0);
	}
	sqlite3_reset(stmt);
	*ret_messages = list;
	*ret_n = n;
	return error ? error : row;
}

int store_object_find(
    struct store *s, struct str id, struct arena *a, const uint32_t **ret_messages, size_t *ret_n)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(OBJECT_ID_LEN);
	const uint32_t *messages = NULL;
	size_t n = 0;

	if (read_id(id, &bytes)) {
		enum db_statement which = id.p[0] == 'M' ? DB_OBJECT_BY_EMAIL : DB_OBJECT_BY_THREAD;
		int error = list_messages(s, which, buf_str(&bytes), a, &messages, &n);
		if (error)
			return store_note_error(s, error);
	}
	*ret_messages = messages;
	*ret_n = n;
	return 0;
}
