#include "store/order.h"

#include "mail/base_subject.h"
#include "mail/casemap.h"
#include "mail/envelope_reader.h"
#include "mail/message_id.h"
#include "mail/summary.h"
#include "seal/cipher.h"
#include "store/store_order.h"

enum { IDS_LEN_MAX = (1 + STORE_ORDER_REFERENCES_MAX) * STORE_ORDER_ID_LEN };

_Static_assert((int)STORE_ORDER_ID_LEN == (int)CIPHER_CHECKSUM_LEN, "an id is a checksum");

/* The arena holds one envelope's unescaped strings at most. */
enum { FIRSTS_ARENA_MAX = 2 * SUMMARY_TEXT_MAX };

struct keys_of {
	struct buf text[N_STORE_ORDER_KEYS];
	bool is_reply;
};

static void keys_of_done(struct keys_of *keys)
{
	for (size_t i = 0; i < N_STORE_ORDER_KEYS; i++)
		buf_done(&keys->text[i]);
}

/* A key that is too long is cut; that is no failure. */
static void add_key(struct keys_of *keys, enum store_order_key which, struct str text)
{
	(void)casemap_key(text, &keys->text[which]);
}

static void add_shown(
    struct keys_of *keys, enum store_order_key which, const struct envelope_address *address)
{
	struct buf shown CLEANUP(buf_done) = BUF_MAX(STORE_ORDER_KEY_MAX);

	(void)envelope_address_display(address, &shown);
	add_key(keys, which, buf_str(&shown));
}

static void make_keys(const struct order_source *source, struct keys_of *keys)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(FIRSTS_ARENA_MAX);
	struct buf space CLEANUP(buf_done) = BUF_MAX(SUMMARY_SUBJECT_MAX);
	struct envelope_firsts firsts = {0};

	for (size_t i = 0; i < N_STORE_ORDER_KEYS; i++)
		keys->text[i] = BUF_MAX(STORE_ORDER_KEY_MAX);
	add_key(keys, STORE_ORDER_SUBJECT, base_subject(source->subject, &space, &keys->is_reply));
	if (!envelope_read_firsts(source->envelope, &a, &firsts))
		return;
	add_key(keys, STORE_ORDER_FROM, firsts.from.mailbox);
	add_key(keys, STORE_ORDER_TO, firsts.to.mailbox);
	add_key(keys, STORE_ORDER_CC, firsts.cc.mailbox);
	add_shown(keys, STORE_ORDER_DISPLAY_FROM, &firsts.from);
	add_shown(keys, STORE_ORDER_DISPLAY_TO, &firsts.to);
}

static void add_id(struct str id, struct buf *out)
{
	struct buf normal CLEANUP(buf_done) = BUF_MAX(MESSAGE_ID_LEN_MAX);
	uint8_t sum[STORE_ORDER_ID_LEN] = {0};

	if (id.len > 0) {
		(void)message_id_normalise(id, &normal);
		struct str whole = buf_str(&normal);
		cipher_checksum(&whole, 1, sum);
	}
	buf_add(out, str_of(sum, sizeof(sum)));
}

/* Of too many references those in the middle are left out: the thread's root and the parents. */
static void make_ids(const struct order_source *source, struct buf *out)
{
	size_t n = source->n_references;
	size_t n_left_out = n > STORE_ORDER_REFERENCES_MAX ? n - STORE_ORDER_REFERENCES_MAX : 0;

	add_id(source->message_id, out);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || i > n_left_out)
			add_id(source->references[i], out);
}

int order_add(struct store *s, const struct order_source *source)
{
	struct keys_of keys CLEANUP(keys_of_done) = {0};
	struct buf ids CLEANUP(buf_done) = BUF_MAX(IDS_LEN_MAX);
	sqlite3_stmt *stmt;

	int error = db_get(&s->db, DB_ORDER_ADD, &stmt);
	if (error)
		return error;
	make_keys(source, &keys);
	make_ids(source, &ids);
	db_bind(stmt, source->message, source->sent_at, keys.is_reply);
	for (int i = 0; i < N_STORE_ORDER_KEYS; i++)
		db_bind_blob(stmt, 4 + i, buf_str(&keys.text[i]));
	db_bind_blob(stmt, 4 + N_STORE_ORDER_KEYS, buf_str(&ids));
	return db_finish(&s->db, stmt);
}

/* --- filling in what earlier versions took in --- */

/*
 * They kept References and In-Reply-To in one list, without a repeat where the two meet. RFC 5256
 * §3 counts the first alone or, where there is none, the first of In-Reply-To: what the list ends
 * with is taken off it. Where References ended with another identifier than In-Reply-To starts
 * with, that one stays.
 */
static size_t count_references(const struct str *list, size_t n, struct str in_reply_to)
{
	size_t n_replied = 0;
	struct str id, last = {0};

	while (message_id_next(&in_reply_to, &id)) {
		if (n_replied > 0 && str_eq(id, last))
			continue;
		last = id;
		n_replied++;
	}
	if (n_replied < 2 || n < n_replied || !str_eq(list[n - 1], last))
		return n;
	return n - (n_replied - 1);
}

static int fill_one(struct store *s, sqlite3_stmt *stmt)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(FIRSTS_ARENA_MAX);
	struct str list[MESSAGE_ID_REFERENCES_MAX], refs = db_column_str(stmt, 5);
	struct envelope_firsts firsts = {0};
	size_t n = 0;

	while (refs.len > 0 && n < MESSAGE_ID_REFERENCES_MAX)
		list[n++] = str_cut(&refs, '\n');
	if (envelope_read_firsts(db_column_str(stmt, 2), &a, &firsts))
		n = count_references(list, n, firsts.in_reply_to);
	const struct order_source source = {.message = db_column_u32(stmt, 0),
	    .sent_at = sqlite3_column_int64(stmt, 1),
	    .envelope = db_column_str(stmt, 2),
	    .subject = db_column_str(stmt, 3),
	    .message_id = db_column_str(stmt, 4),
	    .references = list,
	    .n_references = n};
	return order_add(s, &source);
}

/* Which messages are still to be done: 1; 0: none. */
static int read_due(struct store *s, uint32_t *ret_next, uint32_t *ret_end)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ORDERS_DUE, &stmt);
	if (error)
		return error;
	int row = db_step(&s->db, stmt);
	if (row > 0) {
		*ret_next = db_column_u32(stmt, 0);
		*ret_end = db_column_u32(stmt, 1);
	}
	sqlite3_reset(stmt);
	return row;
}

/* A batch: 1 when more may be there. */
static int fill_batch(struct store *s)
{
	uint32_t next = 0, end = 0, n = 0;
	sqlite3_stmt *stmt;

	int row = read_due(s, &next, &end);
	if (row <= 0)
		return row;
	int error = db_get(&s->db, DB_ORDERS_UNFILLED, &stmt);
	if (error)
		return error;
	db_bind(stmt, next, end, STORE_ORDER_FILL_BATCH);
	while (!error && (row = db_step(&s->db, stmt)) > 0) {
		next = db_column_u32(stmt, 0) + 1;
		n++;
		error = fill_one(s, stmt);
	}
	sqlite3_reset(stmt);
	if (!error)
		error = row;
	if (!error && n == STORE_ORDER_FILL_BATCH)
		error = db_run(&s->db, DB_ORDERS_DUE_MOVE, next);
	else if (!error)
		error = db_run_ints(&s->db, DB_ORDERS_DUE_NONE, NULL, 0);
	return error ? error : n == STORE_ORDER_FILL_BATCH;
}

int store_order_fill(struct store *s)
{
	uint32_t next, end;
	int more = db_begin_read(&s->db);
	if (!more) {
		more = read_due(s, &next, &end);
		db_end_read(&s->db);
	}
	while (more > 0) {
		int error = db_begin(&s->db);
		if (error)
			return store_note_error(s, error);
		more = fill_batch(s);
		error = db_end(&s->db, more < 0 ? more : 0);
		if (error)
			return store_note_error(s, error);
	}
	return more < 0 ? store_note_error(s, more) : 0;
}
