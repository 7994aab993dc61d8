/*
 * Fresh messages: one row for message, recipients and bytes. Where all goes well the row is written
 * once and removed; no index is touched, and none of the other tables.
 */
#include <assert.h>
#include <errno.h>

#include "base/num.h"
#include "queue/database_private.h"

enum { RECIPIENT_FIXED_LEN = 5, RECIPIENTS_LEN_MAX = 1 << 20 };

/* recipients = 1*( notify (1 byte) address-length (2) original-length (2) address original ) */
static int encode_recipients(const struct queued_recipient *v, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t fixed[RECIPIENT_FIXED_LEN] = {v[i].notify};
		if (v[i].address.len > UINT16_MAX || v[i].original.len > UINT16_MAX)
			return -EMSGSIZE;
		num_put16(fixed + 1, (uint16_t)v[i].address.len);
		num_put16(fixed + 3, (uint16_t)v[i].original.len);
		buf_add(out, str_of(fixed, sizeof(fixed)));
		buf_add(out, v[i].address);
		buf_add(out, v[i].original);
	}
	return buf_failed(out) ? -EMSGSIZE : 0;
}

static bool cut_recipient(struct str *rest, struct queued_recipient *ret_r)
{
	if (rest->len < RECIPIENT_FIXED_LEN)
		return false;
	size_t address_len = num_get16(rest->p + 1), original_len = num_get16(rest->p + 3);
	struct queued_recipient r = {.notify = (uint8_t)rest->p[0]};
	*rest = str_from(*rest, RECIPIENT_FIXED_LEN);
	if (rest->len < address_len + original_len)
		return false;
	r.address = str_first(*rest, address_len);
	r.original = str_first(str_from(*rest, address_len), original_len);
	*rest = str_from(*rest, address_len + original_len);
	*ret_r = r;
	return true;
}

static int add_row(struct queue_db *db, uint64_t id, const struct queued_message *m,
    struct str domain, struct str recipients, struct str bytes)
{
	sqlite3_stmt *s = db->statements[FRESH_ADD];
	queue_db_bind_u64(s, 1, id);
	int place = queue_db_bind_message(s, 2, m, bytes.len);
	queue_db_bind(s, place++, domain);
	sqlite3_bind_blob(s, place++, recipients.p, (int)recipients.len, SQLITE_STATIC);
	sqlite3_bind_blob(s, place, bytes.p ? bytes.p : "", (int)bytes.len, SQLITE_STATIC);
	return queue_db_run(s);
}

int queue_db_fresh_add(struct queue_db *db, const struct queued_message *m, struct str domain,
    const struct queued_recipient *v, size_t n, const struct str *parts, size_t n_parts,
    uint64_t *ret_id)
{
	struct buf recipients CLEANUP(buf_done) = BUF_MAX(RECIPIENTS_LEN_MAX);
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(QUEUE_FRESH_MAX);
	uint64_t id = 0;
	int error = encode_recipients(v, n, &recipients);
	for (size_t i = 0; i < n_parts; i++)
		buf_add(&bytes, parts[i]);
	assert(!buf_failed(&bytes));
	if (!error)
		error = queue_db_take_id(db, &id);
	if (!error)
		error = add_row(db, id, m, domain, buf_str(&recipients), buf_str(&bytes));
	if (error)
		return error;
	queue_db_count_message(db, m->account, true);
	*ret_id = id;
	return 0;
}

int queue_db_fresh_end(struct queue_db *db, uint64_t id, uint64_t account)
{
	sqlite3_stmt *s = db->statements[FRESH_END];
	queue_db_bind_u64(s, 1, id);
	int error = queue_db_run(s);
	if (!error)
		queue_db_count_message(db, account, false);
	return error;
}

/* --- filing --- */

static int run_for(struct queue_db *db, enum statement which, uint64_t id)
{
	sqlite3_stmt *s = db->statements[which];
	queue_db_bind_u64(s, 1, id);
	return queue_db_run(s);
}

static int file_recipients(struct queue_db *db, uint64_t id, struct str domain, struct str rest,
    uint8_t state, uint64_t next_at, uint64_t *ret_first)
{
	int error = 0;
	for (size_t n = 0; rest.len > 0 && !error; n++) {
		struct queued_recipient r;
		if (!cut_recipient(&rest, &r))
			return -EBADMSG;
		r.message = id;
		r.state = state;
		r.next_at = next_at;
		error = queue_db_add_recipient(db, &r, domain);
		uint64_t number = (uint64_t)sqlite3_last_insert_rowid(db->handle);
		if (n == 0)
			*ret_first = number;
		assert(error || number == *ret_first + n);
	}
	return error;
}

int queue_db_file(struct queue_db *db, uint64_t id, uint8_t state, uint64_t *ret_first)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(RECIPIENTS_LEN_MAX + 4096);
	struct str domain, recipients;
	sqlite3_stmt *s = db->statements[FRESH_GET];
	queue_db_bind_u64(s, 1, id);
	int result = queue_db_step(s);
	int error = result < 0 ? result : result == 0 ? -ENOENT : 0;
	uint64_t received_at = error ? 0 : queue_db_u64(s, 2);
	if (!error && (!queue_db_text(s, 0, &a, &domain) || !queue_db_text(s, 1, &a, &recipients)))
		error = -ENOMEM;
	queue_db_end(s);
	uint64_t destination = 0;
	if (!error)
		error = run_for(db, FRESH_TO_MESSAGE, id);
	if (!error)
		error = run_for(db, FRESH_TO_CONTENT, id);
	/* Known before the first recipient: the numbers of rows that are added follow each other.
	 */
	if (!error)
		error = queue_db_destination_of(db, domain, &destination);
	if (!error)
		error = file_recipients(db, id, domain, recipients, state, received_at, ret_first);
	return error ? error : run_for(db, FRESH_END, id);
}

int queue_db_file_all(struct queue_db *db)
{
	for (;;) {
		uint64_t id = 0, first = 0;
		int error = queue_db_number(db->statements[FRESH_FIRST], &id);
		if (error || id == 0)
			return error;
		error = queue_db_file(db, id, RECIPIENT_WAITING, &first);
		if (error)
			return error;
	}
}
