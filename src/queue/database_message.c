#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "queue/database_private.h"
#include "store/blob_file.h"
#include "store/io.h"

enum { TOLD_DELAY = 1, TOLD_BY = 2, READ_LEN = 64 << 10 };

static uint64_t len_of(const struct str *parts, size_t n)
{
	uint64_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	return len;
}

/* The file is durable with its name before the row is committed that names it. */
static int add_file(
    struct queue_db *db, const struct str *parts, size_t n_parts, struct body *ret_body)
{
	enum { FILE_MODE = 0600 };
	if (db->n_added == QUEUE_FILES_MAX)
		return -EAGAIN;
	int error = blob_file_write(db->folder_fd, FILE_MODE, parts, n_parts, ret_body);
	if (error)
		return error;
	db->added[db->n_added++] = *ret_body;
	return io_fsync(db->folder_fd);
}

int queue_db_bind_message(sqlite3_stmt *s, int from, const struct queued_message *m, uint64_t size)
{
	const struct ipc_outgoing *mail = &m->mail;
	uint64_t told = (m->delay_told ? TOLD_DELAY : 0u) | (m->by_told ? TOLD_BY : 0u);
	int n = from - 1;
	queue_db_bind_u64(s, ++n, m->account);
	queue_db_bind_u64(s, ++n, m->origin);
	queue_db_bind_u64(s, ++n, m->connection);
	queue_db_bind(s, ++n, m->peer);
	queue_db_bind(s, ++n, m->user);
	queue_db_bind(s, ++n, mail->reverse_path);
	queue_db_bind(s, ++n, mail->envelope_id);
	queue_db_bind_u64(s, ++n, mail->ret);
	queue_db_bind_u64(s, ++n, mail->body);
	queue_db_bind_u64(s, ++n, mail->smtputf8);
	queue_db_bind_u64(s, ++n, mail->require_tls);
	queue_db_bind_u64(s, ++n, m->tls_optional);
	queue_db_bind_u64(s, ++n, mail->by_mode);
	queue_db_bind_u64(s, ++n, mail->by_trace);
	queue_db_bind_u64(s, ++n, mail->deliver_by);
	queue_db_bind_u64(s, ++n, m->received_at);
	queue_db_bind_u64(s, ++n, m->hold_until);
	queue_db_bind_u64(s, ++n, m->expires_at);
	queue_db_bind_u64(s, ++n, m->look_at);
	queue_db_bind_u64(s, ++n, told);
	queue_db_bind_u64(s, ++n, size);
	return n + 1;
}

static int add_content(
    struct queue_db *db, uint64_t id, const struct str *parts, size_t n_parts, uint64_t len)
{
	struct buf all CLEANUP(buf_done) = BUF_MAX(QUEUE_FILE_MIN);
	for (size_t i = 0; i < n_parts; i++)
		buf_add(&all, parts[i]);
	assert(!buf_failed(&all) && all.len == len);
	sqlite3_stmt *s = db->statements[CONTENT_ADD];
	queue_db_bind_u64(s, 1, id);
	sqlite3_bind_blob(s, 2, all.p ? all.p : "", (int)all.len, SQLITE_STATIC);
	return queue_db_run(s);
}

static int name_file(struct queue_db *db, uint64_t id, const struct body *body)
{
	sqlite3_stmt *s = db->statements[FILE_ADD];
	sqlite3_bind_blob(s, 1, body->blob_id, BODY_BLOB_ID_LEN, SQLITE_STATIC);
	queue_db_bind_u64(s, 2, id);
	return queue_db_run(s);
}

int queue_db_add(struct queue_db *db, const struct queued_message *m, const struct str *parts,
    size_t n_parts, uint64_t *ret_id)
{
	uint64_t len = len_of(parts, n_parts);
	bool in_file = len > QUEUE_FILE_MIN;
	struct body body CLEANUP(body_wipe) = {0};
	uint8_t encoded[BODY_ENCODED_LEN];
	uint64_t id = 0;
	int error = in_file ? add_file(db, parts, n_parts, &body) : 0;
	if (!error)
		error = queue_db_take_id(db, &id);
	if (error)
		return error;
	sqlite3_stmt *s = db->statements[MESSAGE_ADD];
	queue_db_bind_u64(s, 1, id);
	int place = queue_db_bind_message(s, 2, m, len);
	if (in_file) {
		body_encode(&body, encoded);
		sqlite3_bind_blob(s, place, encoded, sizeof(encoded), SQLITE_STATIC);
	}
	error = queue_db_run(s);
	if (error)
		return error;
	error = in_file ? name_file(db, id, &body) : add_content(db, id, parts, n_parts, len);
	if (error)
		return error;
	queue_db_count_message(db, m->account, true);
	*ret_id = id;
	return 0;
}

static int read_body(sqlite3_stmt *s, int column, struct queued_message *m)
{
	m->in_file = sqlite3_column_type(s, column) != SQLITE_NULL;
	if (!m->in_file)
		return 0;
	const void *p = sqlite3_column_blob(s, column);
	return body_decode(str_of(p, (size_t)sqlite3_column_bytes(s, column)), &m->body);
}

static int read_message(sqlite3_stmt *s, struct arena *a, struct queued_message *m)
{
	struct ipc_outgoing *mail = &m->mail;
	int n = -1;
	m->account = queue_db_u64(s, ++n);
	m->origin = (uint8_t)queue_db_u64(s, ++n);
	m->connection = queue_db_u64(s, ++n);
	if (!queue_db_text(s, ++n, a, &m->peer) || !queue_db_text(s, ++n, a, &m->user) ||
	    !queue_db_text(s, ++n, a, &mail->reverse_path) ||
	    !queue_db_text(s, ++n, a, &mail->envelope_id))
		return -ENOMEM;
	mail->ret = (uint8_t)queue_db_u64(s, ++n);
	mail->body = (uint8_t)queue_db_u64(s, ++n);
	mail->smtputf8 = (uint8_t)queue_db_u64(s, ++n);
	mail->require_tls = (uint8_t)queue_db_u64(s, ++n);
	m->tls_optional = queue_db_u64(s, ++n) != 0;
	mail->by_mode = (uint8_t)queue_db_u64(s, ++n);
	mail->by_trace = (uint8_t)queue_db_u64(s, ++n);
	mail->deliver_by = queue_db_u64(s, ++n);
	m->received_at = queue_db_u64(s, ++n);
	m->hold_until = queue_db_u64(s, ++n);
	m->expires_at = queue_db_u64(s, ++n);
	m->look_at = queue_db_u64(s, ++n);
	uint64_t told = queue_db_u64(s, ++n);
	m->delay_told = (told & TOLD_DELAY) != 0;
	m->by_told = (told & TOLD_BY) != 0;
	m->size = queue_db_u64(s, ++n);
	return read_body(s, ++n, m);
}

int queue_db_get(struct queue_db *db, uint64_t id, struct arena *a, struct queued_message *ret_m)
{
	struct queued_message m = {.id = id};
	sqlite3_stmt *s = db->statements[MESSAGE_GET];
	queue_db_bind_u64(s, 1, id);
	int result = queue_db_step(s);
	int error = result < 0 ? result : result == 0 ? -ENOENT : read_message(s, a, &m);
	queue_db_end(s);
	if (!error)
		*ret_m = m;
	return error;
}

/* --- content --- */

static int copy_from_database(struct queue_db *db, const struct queued_message *m, int to)
{
	sqlite3_stmt *s = db->statements[CONTENT_GET];
	queue_db_bind_u64(s, 1, m->id);
	int result = queue_db_step(s);
	int error = result < 0 ? result : result == 0 ? -EBADMSG : 0;
	if (!error) {
		const void *p = sqlite3_column_blob(s, 0);
		size_t len = (size_t)sqlite3_column_bytes(s, 0);
		error = len == m->size ? fd_write_all(to, str_of(p, len)) : -EBADMSG;
	}
	queue_db_end(s);
	return error;
}

static int copy_pieces(struct blob_reader *reader, int to)
{
	char *piece = malloc(READ_LEN);
	size_t got = 1;
	int error = 0;
	if (!piece)
		abort();
	while (!error && got > 0) {
		error = blob_reader_read(reader, piece, READ_LEN, &got);
		if (!error)
			error = fd_write_all(to, str_of(piece, got));
	}
	free(piece);
	return error;
}

static int copy_from_file(struct queue_db *db, const struct queued_message *m, int to)
{
	char name[BLOB_NAME_LEN + 1];
	struct blob_reader *reader = NULL;
	int fd CLEANUP(fd_close) = -1;
	blob_name(m->body.blob_id, name);
	int error = io_open(db->folder_fd, name, O_RDONLY, 0, &fd);
	if (!error)
		error = blob_reader_new(fd, &m->body, &reader);
	if (!error)
		error = copy_pieces(reader, to);
	blob_reader_free(&reader);
	return error == -ENOENT ? -EBADMSG : error;
}

int queue_db_content(struct queue_db *db, const struct queued_message *m, int *ret_fd)
{
	int fd CLEANUP(fd_close) = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	int error = m->in_file ? copy_from_file(db, m, fd) : copy_from_database(db, m, fd);
	if (!error)
		error = fd_seal(fd);
	if (!error)
		*ret_fd = fd_take(&fd);
	return error;
}

/* --- changes --- */

int queue_db_set_look(struct queue_db *db, const struct queued_message *m)
{
	sqlite3_stmt *s = db->statements[MESSAGE_LOOK];
	queue_db_bind_u64(s, 1, m->id);
	queue_db_bind_u64(s, 2, m->look_at);
	queue_db_bind_u64(s, 3, (m->delay_told ? TOLD_DELAY : 0u) | (m->by_told ? TOLD_BY : 0u));
	queue_db_bind_u64(s, 4, m->hold_until);
	queue_db_bind_u64(s, 5, m->expires_at);
	return queue_db_run(s);
}

int queue_db_remove(struct queue_db *db, uint64_t id)
{
	enum { TEXTS_MAX = 16 << 10 };
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_message m;
	int error = queue_db_get(db, id, &a, &m);
	/* Of one that is damaged the file goes at the next start. */
	if (error && error != -EBADMSG)
		return error;
	if (!error && m.in_file) {
		if (db->n_removed == QUEUE_FILES_MAX)
			return -EAGAIN;
		db->removed[db->n_removed++] = m.body;
	}
	sqlite3_stmt *s = db->statements[MESSAGE_REMOVE];
	queue_db_bind_u64(s, 1, id);
	int removed = queue_db_run(s);
	if (!removed && !error)
		queue_db_count_message(db, m.account, false);
	else if (!removed)
		queue_db_forget_counts(db);
	return removed;
}

/* --- finding --- */

int queue_db_to_look_at(
    struct queue_db *db, uint64_t now, uint64_t *ret_ids, size_t max, size_t *ret_n)
{
	sqlite3_stmt *s = db->statements[MESSAGES_TO_LOOK_AT];
	queue_db_bind_u64(s, 1, now);
	queue_db_bind_u64(s, 2, max);
	return queue_db_ids(s, ret_ids, max, ret_n);
}

/* Relays may stand between only where there are any. */
static int has_relays(struct queue_db *db)
{
	sqlite3_stmt *s = db->statements[DESTINATION_RELAYED];
	int result = queue_db_step(s);
	queue_db_end(s);
	return result;
}

static int choose_list(
    struct queue_db *db, const struct queue_db_filter *filter, enum statement *ret_which)
{
	int relays = filter->domain.len > 0 ? has_relays(db) : 0;
	if (relays < 0)
		return relays;
	if (filter->domain.len > 0)
		*ret_which = relays > 0 ? MESSAGES_OF_RELAYED_DOMAIN : MESSAGES_OF_DOMAIN;
	else if (filter->account > 0)
		*ret_which = MESSAGES_OF_ACCOUNT;
	else
		*ret_which = filter->user.len > 0 ? MESSAGES_OF_USER : MESSAGES_AFTER;
	return 0;
}

int queue_db_list(struct queue_db *db, const struct queue_db_filter *filter, uint64_t *after,
    uint64_t *ret_ids, size_t max, size_t *ret_n, bool *ret_is_last)
{
	enum statement which = MESSAGES_AFTER;
	int error = choose_list(db, filter, &which);
	if (error)
		return error;
	bool is_slow = which == MESSAGES_OF_RELAYED_DOMAIN || which == MESSAGES_OF_USER;
	uint64_t up_to = is_slow ? *after + QUEUE_LIST_SPAN : INT64_MAX;
	sqlite3_stmt *s = db->statements[which];
	queue_db_bind_u64(s, 1, *after);
	queue_db_bind_u64(s, 2, max);
	if (which == MESSAGES_OF_ACCOUNT)
		queue_db_bind_u64(s, 3, filter->account);
	else if (which != MESSAGES_AFTER)
		queue_db_bind(s, 3, filter->domain.len > 0 ? filter->domain : filter->user);
	if (is_slow)
		queue_db_bind_u64(s, 4, up_to);
	error = queue_db_ids(s, ret_ids, max, ret_n);
	if (error)
		return error;
	bool is_full = *ret_n == max;
	*after = is_full ? ret_ids[max - 1] : up_to;
	*ret_is_last = !is_full && up_to >= db->next_id - 1;
	return 0;
}

int queue_db_folder(const struct queue_db *db)
{
	return db->folder_fd;
}
