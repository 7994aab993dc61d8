#include "store/ingest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "mail/line_end.h"
#include "mail/preview.h"
#include "mail/summary.h"
#include "seal/blob.h"
#include "store/io.h"
#include "store/metadata.h"
#include "store/order.h"
#include "store/object.h"
#include "store/replaced.h"
#include "store/segment.h"
#include "store/store_ingest.h"
#include "store/store_message.h"

enum { INBOX_ID = 1, REFERENCES_LEN_MAX = 64 << 10, WITNESS_BITS_OFF_MAX = 8 };

struct ingest {
	struct store *store;
	struct ingest_own *own;
	struct letterbox_reader *reader;
	uint64_t modseq; /* one for all that this transaction brings; 0: nothing yet */
	struct store_box box;
	bool has_box;
	size_t n_taken;
	uint64_t group; /* the MULTIAPPEND whose records come now, all of them being there */
	uint16_t group_left;
	bool amid_group; /* this record is one of a group, and not its first */
};

/* What a record says, opened. */
struct opened {
	struct metadata metadata;
	struct record_frame frame;
	struct body body;
};

/* A message that is being taken in: its bytes, and what was made of them. */
struct incoming {
	struct store_body
	    *large; /* what `bytes` are read from, unless they are in the store's buffer */
	struct mail_source bytes;
	struct summary summary;
	struct buf references, preview;
	size_t line_ends_missing;
};

/*
 * Errors that mean this record is damaged; others are the machine's and end the transaction.
 * -EPROTONOSUPPORT is neither: a later version wrote it, and will read it.
 */
static bool is_damage(int error)
{
	return error == -EBADMSG || error == -EACCES || error == -ENODATA || error == -EFBIG ||
	       error == -EINVAL;
}

/* Opens the sealed header; what its metadata says is borrowed from `text`. */
static int open_header(struct store *s, const struct letterbox_record *record, struct buf *text,
    struct opened *ret_opened)
{
	struct opened o = {.frame = record->frame};
	int error = record_open_checked(
	    &s->keys, &s->opened_with, record->bytes, &record->frame, text, &o.body);
	if (error)
		return error;
	/* What a later version says differently is a message all the same. */
	if (metadata_decode(buf_str(text), &o.metadata) < 0)
		o.metadata = (struct metadata){.kind = METADATA_DELIVERED};
	*ret_opened = o;
	return 0;
}

static int open_blob(struct store *s, const struct body *body, struct buf *out)
{
	char name[BLOB_NAME_LEN + 1];
	blob_name(body->blob_id, name);
	int fd CLEANUP(fd_close) = -1;
	int error = io_open(s->blobs_fd, name, O_RDONLY, 0, &fd);
	if (!error)
		error = blob_open(fd, body, out);
	if (error == -ENOENT || is_damage(error)) {
		char path[STORE_FILE_NAME_MAX];
		snprintf(path, sizeof(path), "blobs/%s", name);
		store_report(s, path, 0, error == -ENOENT ? "blob is missing" : "does not open");
		return -EBADMSG;
	}
	return error;
}

/* Given: incoming_done. A large one is not read yet. */
static int open_message(struct store *s, const struct letterbox_record *record,
    const struct body *body, struct incoming *m)
{
	int error;
	if (body->in_blob && body->plain_len > STORE_BODY_WHOLE_MAX) {
		error = store_body_of_blob(s, body, &m->large);
		if (!error)
			m->bytes = store_body_source(m->large);
		return error;
	}
	buf_clear(&s->bytes);
	error = body->in_blob
	            ? open_blob(s, body, &s->bytes)
	            : record_open_body_checked(record->bytes, &record->frame, body, &s->bytes);
	m->bytes = mail_source_of(buf_str(&s->bytes));
	return error;
}

static void incoming_done(struct incoming *m)
{
	store_body_close(m->large);
	buf_done(&m->references);
	buf_done(&m->preview);
}

/* Switches to another mailbox's row. */
static int use_box(struct ingest *in, uint64_t id)
{
	if (in->has_box && in->box.id == id)
		return 0;
	if (in->has_box) {
		int error = store_box_save(in->store, &in->box);
		if (error)
			return error;
		in->has_box = false;
	}
	int error = store_box_load(in->store, id, &in->box);
	in->has_box = error == 0;
	return error;
}

/* Where a record came from before this database was made, its mailbox counts by name. */
static int target_by_name(struct ingest *in, struct str name, uint64_t *ret_id)
{
	struct buf spelled CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX);
	if (store_mailbox_name(name, &spelled) < 0)
		return -ENOENT;
	int error = store_box_find(in->store, buf_str(&spelled), ret_id);
	if (error == -ENOENT)
		error = store_box_create(in->store, buf_str(&spelled), STORE_NO_USE, ret_id);
	return error == -E2BIG ? -ENOENT : error;
}

static int choose_box(struct ingest *in, const struct metadata *m, struct letterbox_place place)
{
	const struct db_state *state = &in->store->db.state;
	struct letterbox_place made = {state->rebuild_segment, state->rebuild_offset};
	uint64_t id = INBOX_ID;
	int error = 0;
	if (m->kind == METADATA_APPENDED) {
		id = m->mailbox_id;
		if (letterbox_place_cmp(place, made) < 0)
			error = target_by_name(in, m->mailbox, &id);
	}
	if (!error)
		error = use_box(in, id);
	return error == -ENOENT ? use_box(in, INBOX_ID) : error;
}

static void join_references(const struct summary *summary, struct buf *out)
{
	for (size_t i = 0; i < summary->n_references; i++) {
		if (out->len + summary->references[i].len + 1 > out->max)
			return;
		buf_add(out, summary->references[i]);
		buf_add_c(out, '\n');
	}
}

/* RFC 5256 §3: References or, where there is none, the first of In-Reply-To. */
static int insert_order(
    struct store *s, const struct summary *summary, const struct store_placement *placement)
{
	struct order_source source = {.message = placement->message,
	    .sent_at = summary->has_date ? summary->date.epoch_s : placement->internal_at,
	    .subject = summary->subject,
	    .envelope = summary->envelope,
	    .message_id = summary->message_id,
	    .references = summary->references,
	    .n_references = summary->n_in_references};
	if (source.n_references == 0 && summary->in_reply_to_id.len > 0) {
		source.references = &summary->in_reply_to_id;
		source.n_references = 1;
	}
	return order_add(s, &source);
}

static int insert_message(struct ingest *in, const struct letterbox_record *record,
    const struct opened *o, const struct incoming *m, uint32_t id)
{
	const struct summary *summary = &m->summary;
	struct db *db = &in->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_MESSAGE_ADD, &stmt);
	if (error)
		return error;
	uint8_t body[BODY_ENCODED_LEN];
	body_encode(&o->body, body);
	char blob[BLOB_NAME_LEN + 1] = "";
	if (o->body.in_blob)
		blob_name(o->body.blob_id, blob);
	db_bind(stmt, id, record->place.segment, (int64_t)record->place.offset, o->frame.total_len,
	    (int64_t)o->frame.time_ms, summary->has_date, summary->date.epoch_s,
	    summary->date.zone_minutes);
	db_bind_blob(stmt, 9, str_of(body, sizeof(body)));
	db_bind_str(stmt, 10, summary->subject);
	db_bind_str(stmt, 11, summary->message_id);
	db_bind_str(stmt, 12, buf_str(&m->references));
	db_bind_str(stmt, 13, summary->body);
	db_bind_str(stmt, 14, summary->bodystructure);
	db_bind_str(stmt, 15, o->metadata.reverse_path);
	db_bind_str(stmt, 16, o->metadata.recipient);
	db_bind_str(stmt, 17, str_of_cstr(blob));
	error = db_finish(db, stmt);
	cipher_wipe(body, sizeof(body));
	if (!error)
		error = db_get(db, DB_ENVELOPE_ADD, &stmt);
	if (error)
		return error;
	db_bind(stmt, id);
	db_bind_str(stmt, 2, summary->envelope);
	return db_finish(db, stmt);
}

/* What is kept of a message beside its row. */
static int add_derived(
    struct store *s, const struct opened *o, const struct incoming *m, uint32_t id)
{
	const struct str preview = buf_str(&m->preview);
	const struct object_source source = {.received_ms = o->frame.time_ms,
	    .content_key = o->body.content_key,
	    .subject = m->summary.subject,
	    .message_id = m->summary.message_id,
	    .references = buf_str(&m->references),
	    .preview = &preview};
	int error = object_add(&s->db, id, &source);
	return error ? error : store_note_line_ends(s, id, m->line_ends_missing);
}

static int summarise(struct store *s, struct incoming *m)
{
	arena_clear(&s->parsed);
	int error = summary_make(&m->bytes, &s->parsed, &m->summary);
	if (error == -E2BIG) {
		struct mail_source nothing = mail_source_of(STR(""));
		arena_clear(&s->parsed);
		error = summary_make(&nothing, &s->parsed, &m->summary);
	}
	return error;
}

static int count_line_ends(struct incoming *m)
{
	struct line_ends ends = {0};
	struct str piece;
	int error = 0;
	for (uint64_t at = 0; !error && at < m->bytes.len; at += piece.len) {
		error = mail_source_look(&m->bytes, at, &piece);
		if (!error)
			line_ends_add(&ends, piece);
	}
	m->line_ends_missing = line_ends_missing(&ends);
	return error;
}

/* Reads the message, from one end to the other, before anything of it is written. */
static int read_message(struct store *s, struct incoming *m)
{
	m->references = BUF_MAX(REFERENCES_LEN_MAX);
	m->preview = BUF_MAX(PREVIEW_LEN_MAX);
	int error = summarise(s, m);
	if (!error)
		error = preview_write(&m->bytes, m->summary.root, &m->preview);
	if (!error)
		error = count_line_ends(m);
	if (!error)
		join_references(&m->summary, &m->references);
	return error;
}

/* A message of the group that whoever takes in has just appended. */
static void note_own(struct ingest *in, const struct metadata *m, uint32_t uid)
{
	if (!in->own || m->kind != METADATA_APPENDED || m->group != in->own->group ||
	    m->group_index >= in->own->n || in->box.id != in->own->mailbox)
		return;
	in->own->uids[m->group_index] = uid;
	in->own->n_found++;
}

static int place_message(struct ingest *in, const struct letterbox_record *record,
    const struct opened *o, const struct incoming *m)
{
	struct store *s = in->store;
	int error = choose_box(in, &o->metadata, record->place);
	if (error)
		return error;
	if (s->db.state.next_message == UINT32_MAX)
		return -E2BIG;
	if (in->modseq == 0)
		in->modseq = store_next_modseq(s);
	struct store_placement p = {.message = s->db.state.next_message++,
	    .size = m->bytes.len,
	    .internal_at = (int64_t)(o->frame.time_ms / 1000)};
	if (o->metadata.kind == METADATA_APPENDED) {
		error = store_keywords_of_names(s, o->metadata.keywords, &p.flags);
		p.flags |= o->metadata.system_flags & STORE_SYSTEM_FLAGS;
		p.internal_at = o->metadata.internal_at;
		p.internal_zone = o->metadata.internal_zone;
	}
	if (!error)
		error = insert_message(in, record, o, m, p.message);
	if (!error)
		error = insert_order(s, &m->summary, &p);
	if (!error)
		error = add_derived(s, o, m, p.message);
	uint32_t uid = 0;
	if (!error)
		error = store_box_add(s, &in->box, &p, in->modseq, &uid);
	if (error)
		return error;
	in->n_taken++;
	note_own(in, &o->metadata, uid);
	return 0;
}

/*
 * What the message replaces goes in the same transaction: also when this is the next session's,
 * after a crash behind the letterbox's sync. UIDs of a database that was made anew are others.
 */
static int remove_replaced(
    struct ingest *in, const struct metadata *m, struct letterbox_place place)
{
	const struct db_state *state = &in->store->db.state;
	struct letterbox_place made = {state->rebuild_segment, state->rebuild_offset};
	if (m->kind != METADATA_APPENDED || m->replaced_mailbox == 0 ||
	    letterbox_place_cmp(place, made) < 0)
		return 0;
	if (!replaced_is_proven(in->store, m)) {
		store_report_record(
		    in->store, place, "a message is to go that its owner did not replace");
		return 0;
	}
	int error = use_box(in, m->replaced_mailbox);
	if (!error && in->box.uidvalidity == m->replaced_validity)
		error =
		    store_box_remove(in->store, &in->box, (uint32_t)m->replaced_uid, in->modseq);
	return error == -ENOENT ? 0 : error;
}

enum group_state { GROUP_WHOLE, GROUP_BROKEN, GROUP_UNFINISHED };

/* Whether all records of a group stand behind the first one, at whose end the reader is. */
static int examine_group(
    struct ingest *in, const struct metadata *first, enum group_state *ret_state)
{
	struct letterbox_reader *ahead CLEANUP(letterbox_reader_free) = NULL;
	int error = letterbox_reader_new(in->store->letterbox, letterbox_reader_place(in->reader),
	    (struct letterbox_damage_report){0}, &ahead);
	if (error)
		return error;
	for (uint16_t index = 1; index < first->group_n; index++) {
		struct letterbox_record record;
		int found = letterbox_reader_next(ahead, &record);
		if (found <= 0) {
			*ret_state = GROUP_UNFINISHED;
			return found;
		}
		struct buf text CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
		struct opened o = {0};
		error = open_header(in->store, &record, &text, &o);
		body_wipe(&o.body);
		if (error && !is_damage(error))
			return error;
		if (error || o.metadata.kind != METADATA_APPENDED ||
		    o.metadata.group != first->group || o.metadata.group_index != index) {
			*ret_state = GROUP_BROKEN;
			return 0;
		}
	}
	*ret_state = GROUP_WHOLE;
	return 0;
}

/* 1: take this record in; 0: step over it; -EAGAIN: its group is not all there, come back later. */
static int check_group(struct ingest *in, const struct metadata *m)
{
	in->amid_group = m->kind == METADATA_APPENDED && m->group_n > 1 && m->group_index > 0;
	if (m->kind != METADATA_APPENDED || m->group_n <= 1) {
		in->group_left = 0;
		return 1;
	}
	if (m->group_index > 0) {
		if (in->group_left == 0 || m->group != in->group)
			return 0;
		in->group_left--;
		return 1;
	}
	enum group_state state = GROUP_BROKEN;
	int error = examine_group(in, m, &state);
	if (error)
		return error;
	in->group = m->group;
	in->group_left = state == GROUP_WHOLE ? m->group_n - 1 : 0;
	if (state == GROUP_UNFINISHED)
		return -EAGAIN;
	return state == GROUP_WHOLE;
}

static int take_record(struct ingest *in, const struct letterbox_record *record)
{
	struct store *s = in->store;
	struct buf text CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
	struct incoming m CLEANUP(incoming_done) = {0};
	struct opened o = {0};
	int error = open_header(s, record, &text, &o);
	if (!error) {
		int wanted = check_group(in, &o.metadata);
		if (wanted <= 0)
			return wanted;
		error = open_message(s, record, &o.body, &m);
	}
	if (!error)
		error = read_message(s, &m);
	if (is_damage(error)) {
		store_report_record(s, record->place, "record does not open");
		s->db.state.skipped = 1;
		error = 0;
	} else if (!error) {
		error = place_message(in, record, &o, &m);
		if (!error)
			error = remove_replaced(in, &o.metadata, record->place);
	}
	body_wipe(&o.body);
	return error;
}

static void on_letterbox_damage(void *ctx, struct letterbox_place place, const char *what)
{
	struct store *s = ctx;
	s->db.state.skipped = 1;
	store_report_record(s, place, what);
}

/*
 * At a record of a later version, as after a downgrade: everything stays where it is, and what
 * comes behind it waits with it. Not in the middle of a group, which is taken in as a whole.
 */
static int hold_back(struct ingest *in, struct letterbox_place place)
{
	struct store *s = in->store;
	if (!s->held_back)
		store_report_record(s, place, "of a later version: it and what follows must wait");
	s->held_back = true;
	return in->own || in->amid_group ? -EPROTONOSUPPORT : 0;
}

/* The last bytes of a record are the checksum over all of it. */
static uint64_t witness_of(struct str record)
{
	return num_get64((const uint8_t *)record.p + record.len - sizeof(uint64_t));
}

/* Reads on from the state's position and moves it. 1: more may be there. */
static int take_batch(struct ingest *in, size_t max)
{
	struct db_state *state = &in->store->db.state;
	for (size_t n = 0; n < max || in->group_left > 0; n++) {
		struct letterbox_record record;
		int found = letterbox_reader_next(in->reader, &record);
		int error = found > 0 ? take_record(in, &record) : found;
		if (error == -EPROTONOSUPPORT)
			return hold_back(
			    in, found > 0 ? record.place : letterbox_reader_place(in->reader));
		if (error)
			return error == -EAGAIN ? 0 : error;
		struct letterbox_place place = letterbox_reader_place(in->reader);
		if (found > 0)
			state->witness = witness_of(record.bytes);
		else if (place.segment != state->segment || place.offset != state->offset)
			state->witness = 0;
		state->segment = place.segment;
		state->offset = place.offset;
		if (found == 0)
			return 0;
	}
	return 1;
}

int ingest_pending(
    struct store *s, size_t max, struct ingest_own *own, size_t *ret_n_taken, bool *ret_more)
{
	assert(s->db.in_transaction);
	struct ingest in = {.store = s, .own = own};
	struct letterbox_reader *reader CLEANUP(letterbox_reader_free) = NULL;
	int error = letterbox_reader_new(s->letterbox,
	    (struct letterbox_place){s->db.state.segment, s->db.state.offset},
	    (struct letterbox_damage_report){on_letterbox_damage, s}, &reader);
	if (error)
		return error;
	in.reader = reader;
	int more = take_batch(&in, max);
	error = more < 0 ? more : 0;
	/* What a killed worker left may not be durable yet; the position must not be ahead of it.
	 */
	if (!error && in.n_taken > 0)
		error = letterbox_reader_sync(reader);
	if (!error && in.has_box)
		error = store_box_save(s, &in.box);
	if (error)
		return error;
	*ret_n_taken = in.n_taken;
	*ret_more = more > 0;
	return 0;
}

/*
 * What stands before the position: the end of the record that was taken in last, or of the hole
 * that was made of it, or the inside of a larger one; else this is another letterbox. A few bits
 * that fell over do not make it another.
 */
static bool is_foreign(const uint8_t *trailer, uint64_t witness)
{
	static const uint8_t zeros[RECORD_TRAILER_LEN];
	uint64_t sum = witness_of(str_of(trailer, RECORD_TRAILER_LEN));
	uint32_t len;
	if (record_check_trailer(trailer, &len) == 0)
		return __builtin_popcountll(sum ^ witness) > WITNESS_BITS_OFF_MAX;
	return sum != witness && segment_check_hole_trailer(trailer, &len) < 0 &&
	       memcmp(trailer, zeros, sizeof(zeros)) != 0;
}

/* -EBADMSG: the letterbox does not hold what was taken in of it, as after half a restore. */
static int check_witness(struct store *s, struct letterbox_place at, uint64_t witness)
{
	struct buf trailer CLEANUP(buf_done) = BUF_MAX(RECORD_TRAILER_LEN);
	if (witness == 0 || at.offset < SEGMENT_HEADER_LEN + RECORD_TRAILER_LEN)
		return 0;
	at.offset -= RECORD_TRAILER_LEN;
	int error = letterbox_read(s->letterbox, at, RECORD_TRAILER_LEN, &trailer);
	if (error && error != -EUCLEAN)
		return error == -ENODATA ? 0 : error;
	return is_foreign((const uint8_t *)trailer.p, witness) ? -EBADMSG : 0;
}

int ingest_is_pending(struct store *s, bool *ret_pending)
{
	struct letterbox_place end;
	int error = store_check_mark(s);
	if (!error)
		error = db_begin_read(&s->db);
	if (error)
		return error;
	struct letterbox_place at = {s->db.state.segment, s->db.state.offset};
	uint64_t witness = s->db.state.witness;
	db_end_read(&s->db);
	/* Asked for after the position, which others move on meanwhile, so it is not before it. */
	error = letterbox_committed(s->letterbox, &end);
	if (error)
		return error;
	int order = letterbox_place_cmp(at, end);
	error = order > 0 ? -EBADMSG : 0;
	if (order < 0)
		error = check_witness(s, at, witness);
	/* The letterbox is older than the database, as after half a restore: what came in since
	 * would be stepped over. */
	s->db.damaged = s->db.damaged || error == -EBADMSG;
	if (error)
		return error;
	*ret_pending = order < 0;
	return 0;
}

void ingest_queue(struct store *s)
{
	int error = letterbox_lock_folder(s->blobs_fd, LOCK_EX, LETTERBOX_READ_WAIT_MS);
	(void)error; /* who waits for too long goes on beside the queue */
}

void ingest_leave_queue(struct store *s)
{
	flock(s->blobs_fd, LOCK_UN);
}

/* One transaction, unless others meanwhile took in all that is there. */
static int ingest_batch(struct store *s, size_t *ret_n_taken, bool *ret_more)
{
	ingest_queue(s);
	int error = ingest_is_pending(s, ret_more);
	if (!error && *ret_more) {
		error = db_begin(&s->db);
		if (!error)
			error = db_end(&s->db,
			    ingest_pending(s, STORE_INGEST_BATCH, NULL, ret_n_taken, ret_more));
	}
	ingest_leave_queue(s);
	return error;
}

int store_ingest_for(struct store *s, unsigned budget_ms, size_t *ret_n_taken, bool *ret_more)
{
	uint64_t begun = clock_ms(), now = begun, took = 0;
	size_t n_taken = 0;
	bool more = false;
	int error = ingest_is_pending(s, &more);
	/* Another batch is begun where there is time for one like the last. */
	while (!error && more && (took == 0 || now - begun + took <= budget_ms)) {
		size_t n = 0;
		error = ingest_batch(s, &n, &more);
		if (!error)
			n_taken += n;
		took = num_max(clock_ms() - now, 1);
		now += took;
	}
	if (error && n_taken == 0)
		return store_note_error(s, error);
	*ret_n_taken = n_taken;
	*ret_more = more || error;
	return 0;
}

int store_ingest(struct store *s, size_t *ret_n_taken)
{
	bool more;
	return store_ingest_for(s, UINT_MAX, ret_n_taken, &more);
}

int store_ingest_waits(struct store *s, bool *ret_waits)
{
	int error = ingest_is_pending(s, ret_waits);
	return error ? store_note_error(s, error) : 0;
}
