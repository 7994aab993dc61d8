#include <errno.h>

#include "mail/date.h"
#include "session/imap/change.h"
#include "session/imap/commands.h"
#include "session/imap/fetch_derived.h"
#include "session/imap/fetch_narrow.h"
#include "session/imap/fetch_section.h"
#include "session/imap/message_limit.h"
#include "store/store_change.h"

struct fetching {
	struct imap_session *s;
	const struct imap_command *c;
	const struct imap_fetch_items *items;
	unsigned columns; /* of the scan */
	bool scans;       /* something is asked that stands in the database's rows */
	bool reads;       /* something is asked that stands in the message … */
	unsigned effort;  /* … which each of these items may go through from its beginning */
	bool marks;       /* reading sets \Seen */
	bool has_uid, add_uid, add_modseq, has_modseq, has_flags;
	const uint32_t *marked; /* positions that \Seen was set on by this command, ascending */
	size_t n_marked;
	struct fetch_message message;
	struct arena message_arena;
	size_t n_missing, n_damaged, n_unknown;
};

static void look_at_item(struct fetching *f, const struct imap_fetch_item *item)
{
	switch (item->kind) {
	case FETCH_UID:
		f->has_uid = true;
		f->add_uid = false;
		break;
	case FETCH_FLAGS:
		f->has_flags = true;
		break;
	case FETCH_MODSEQ:
		f->has_modseq = true;
		f->add_modseq = false;
		imap_enable_condstore(f->s);
		break;
	case FETCH_ENVELOPE:
		f->columns |= STORE_COLUMN_ENVELOPE;
		f->scans = true;
		break;
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		f->columns |= STORE_COLUMN_STRUCTURE;
		f->scans = true;
		break;
	case FETCH_PREVIEW:
		f->reads = true; /* where none is kept */
		f->effort += EFFORT_MESSAGE;
		f->scans = true;
		break;
	case FETCH_EMAILID:
	case FETCH_THREADID: /* the scan's snapshot makes looking up cheap */
		f->scans = true;
		break;
	case FETCH_INTERNALDATE:
	case FETCH_SAVEDATE:
		f->columns |= STORE_COLUMN_DATES;
		f->scans = true;
		break;
	case FETCH_RFC822_SIZE:
		f->columns |= STORE_COLUMN_SIZE;
		f->scans = true;
		break;
	default:
		f->reads = true;
		f->effort += EFFORT_MESSAGE;
		f->marks |= !item->peek;
		break;
	}
}

static void plan(struct fetching *f)
{
	f->add_uid = f->c->uid;
	f->add_modseq = f->c->fetch.has_changed_since;
	if (f->add_modseq)
		imap_enable_condstore(f->s);
	for (size_t i = 0; i < f->items->n; i++)
		look_at_item(f, &f->items->v[i]);
	f->marks &= !f->s->read_only;
}

static void write_date(struct str label, struct date date, struct buf *out)
{
	buf_add(out, label);
	buf_add(out, STR(" \""));
	(void)date_format_internal(date, out);
	buf_add_c(out, '"');
}

static void write_flags(struct fetching *f, const struct store_entry *e, struct buf *out)
{
	buf_add(out, STR("FLAGS "));
	imap_flags_write(f->s, e->flags, out);
}

static void write_number(struct str label, uint64_t number, struct str after, struct buf *out)
{
	buf_add(out, label);
	buf_add_u64(out, number);
	buf_add(out, after);
}

/* One item; `row` is there when something asks for it. */
static int write_item(struct fetching *f, const struct imap_fetch_item *item,
    const struct store_entry *e, const struct store_row *row)
{
	struct buf *out = &f->s->out.buf;

	switch (item->kind) {
	case FETCH_UID:
		write_number(STR("UID "), e->uid, STR(""), out);
		return 0;
	case FETCH_FLAGS:
		write_flags(f, e, out);
		return 0;
	case FETCH_MODSEQ:
		write_number(STR("MODSEQ ("), e->modseq, STR(")"), out);
		return 0;
	case FETCH_INTERNALDATE:
		write_date(
		    STR("INTERNALDATE"), (struct date){row->internal_at, row->internal_zone}, out);
		return 0;
	case FETCH_SAVEDATE:
		write_date(STR("SAVEDATE"), (struct date){row->saved_at, 0}, out);
		return 0;
	case FETCH_RFC822_SIZE:
		write_number(STR("RFC822.SIZE "), row->size, STR(""), out);
		return 0;
	case FETCH_ENVELOPE:
		buf_add(out, STR("ENVELOPE "));
		buf_add(out, row->envelope);
		return 0;
	case FETCH_BODY:
		buf_add(out, STR("BODY "));
		buf_add(out, row->body);
		return 0;
	case FETCH_BODYSTRUCTURE:
		buf_add(out, STR("BODYSTRUCTURE "));
		buf_add(out, row->bodystructure);
		return 0;
	case FETCH_EMAILID:
	case FETCH_THREADID:
	case FETCH_PREVIEW:
		return fetch_derived_write(&f->message, item, &f->s->out);
	default:
		return fetch_section_write(&f->message, item, &f->s->out);
	}
}

/* Positions come in rising order, and so do those marked. */
static bool was_marked(struct fetching *f, size_t at)
{
	while (f->n_marked > 0 && f->marked[0] < at) {
		f->marked++;
		f->n_marked--;
	}
	return f->n_marked > 0 && f->marked[0] == at;
}

static int write_items(
    struct fetching *f, size_t at, const struct store_entry *e, const struct store_row *row)
{
	struct buf *out = &f->s->out.buf;
	bool marked = was_marked(f, at);

	imap_fetch_open(f->s, at, e->uid, f->add_uid || (marked && f->s->condstore && !f->has_uid));
	for (size_t i = 0; i < f->items->n; i++) {
		int r = write_item(f, &f->items->v[i], e, row);
		if (r < 0)
			return r;
		buf_add_c(out, ' ');
	}
	if (marked && !f->has_flags) {
		write_flags(f, e, out);
		buf_add_c(out, ' ');
	}
	if (f->add_modseq || (marked && f->s->condstore && !f->has_modseq))
		write_number(STR("MODSEQ ("), e->modseq, STR(") "), out);
	out->len--; /* the last space */
	buf_add(out, STR(")\r\n"));
	imap_output_room(&f->s->out);
	return 0;
}

/* What cannot be read is left out whole, and told with the result. Other errors end the command. */
static int write_message(
    struct fetching *f, size_t at, const struct store_entry *e, const struct store_row *row)
{
	uint64_t mark = imap_output_mark(&f->s->out);

	f->message.id = e->message;
	int r = write_items(f, at, e, row);
	if (f->reads) {
		fetch_message_done(&f->message);
		arena_clear(&f->message_arena);
	}
	if (r == 0)
		return f->s->out.error;
	if (!imap_output_take_back(&f->s->out, mark)) {
		f->s->ending = true; /* in the middle of a literal: nothing true can follow */
		f->s->out.error = r;
		return r;
	}
	if (r == -ENOENT)
		f->n_missing++;
	else if (r == -EBADMSG)
		f->n_damaged++;
	else if (r == -EOPNOTSUPP)
		f->n_unknown++;
	else
		return r;
	return 0;
}

static int fetch_entries(struct fetching *f, size_t first, size_t end)
{
	for (size_t at = first; at < end; at++) {
		struct store_entry e = store_view_entry(f->s->view, at);
		if (f->reads)
			store_hold(f->s->store); /* until what is written goes out */
		int r = write_message(f, at, &e, NULL);
		if (r == 0)
			r = imap_effort_step(f->s, f->reads ? f->effort : EFFORT_ENTRY);
		if (r < 0)
			return r;
	}
	return 0;
}

static void close_scan(struct store_scan **scan)
{
	if (*scan != NULL)
		store_scan_close(*scan);
}

static int fetch_rows(struct fetching *f, size_t first, size_t end)
{
	struct store_scan *scan CLEANUP(close_scan) = NULL;
	struct store_row row;
	size_t n = 0;
	int r = store_scan_open(f->s->view, first, end, f->columns, &scan);

	while (r >= 0 && (r = store_scan_next(scan, &row)) > 0) {
		n++;
		int written = write_message(f, row.at, &row.entry, &row);
		if (written == 0)
			written = imap_effort_step(f->s, f->reads ? f->effort : EFFORT_ROW);
		if (written < 0)
			return written;
	}
	if (r == -EBADMSG)
		f->n_damaged++;
	else if (r < 0)
		return r;
	else
		f->n_missing += end - first - n;
	return 0;
}

/* Sets \Seen on what is about to be read, in one transaction; the entries are then new. */
static int mark_seen(struct fetching *f, const struct imap_positions *positions)
{
	const struct store_flag_change change = {.mode = STORE_FLAGS_ADD, .flags = STORE_SEEN};
	struct store_flag_result result;
	struct store_uids uids;
	uint32_t *unseen = ARENA_NEW_ARRAY(&f->s->arena, uint32_t, positions->count + 1);
	size_t n = 0;

	if (unseen == NULL)
		return -E2BIG;
	for (size_t i = 0; i < positions->n; i++) {
		for (size_t at = positions->v[i].first; at < positions->v[i].end; at++) {
			const struct store_entry e = store_view_entry(f->s->view, at);
			if ((e.flags & (STORE_SEEN | STORE_GONE)) == 0)
				unseen[n++] = e.uid;
		}
	}
	if (n == 0)
		return 0;
	uids = (struct store_uids){unseen, n};
	int r = change_flags(f->s, uids, &change, &result);
	if (result.n_changed > 0)
		imap_tell_others(f->s);
	if (r < 0)
		return r;
	f->marked = result.changed;
	f->n_marked = result.n_changed;
	return 0;
}

static struct imap_result result_of(const struct fetching *f)
{
	if (f->n_damaged > 0)
		return IMAP_RESULT_NO("CORRUPTION", "Some messages are damaged; it was reported");
	if (f->n_unknown > 0)
		return IMAP_RESULT_NO("UNKNOWN-CTE", "A part has an unknown transfer encoding");
	if (f->n_missing > 0 && !f->c->uid)
		return IMAP_RESULT_NO("EXPUNGEISSUED", "Some messages are gone");
	return IMAP_RESULT_OK("FETCH done");
}

static int fetch_all(struct fetching *f, const struct imap_positions *positions)
{
	bool marks = f->marks && (f->s->rights & STORE_RIGHT_SEEN) != 0;
	int r = marks ? mark_seen(f, positions) : 0;
	imap_effort_goal(f->s, positions->count);

	for (size_t i = 0; r == 0 && i < positions->n; i++) {
		const struct imap_position_range *range = &positions->v[i];
		r = f->scans ? fetch_rows(f, range->first, range->end)
		             : fetch_entries(f, range->first, range->end);
	}
	return r;
}

struct imap_result imap_cmd_fetch(struct imap_session *s, const struct imap_command *c)
{
	struct fetching f = {
	    .s = s, .c = c, .items = &c->fetch.items, .message_arena = ARENA_MAX(MIME_ARENA_MAX)};
	struct imap_positions positions;
	struct imap_result result;

	f.message.store = s->store;
	f.message.arena = &f.message_arena;
	if (!fetch_positions(s, c, &positions, &result))
		return result;
	/* RFC 9738 §3.1: a page has its size, or is none. */
	if (c->fetch.has_partial && imap_limit_refuses_count(s, positions.count, &result))
		return result;
	imap_limit_positions(s, &positions);
	plan(&f);
	int r = fetch_all(&f, &positions);
	fetch_message_done(&f.message);
	arena_done(&f.message_arena);
	return r < 0 ? imap_store_error(s, r) : result_of(&f);
}

int imap_fetch_new(struct imap_session *s, const struct imap_fetch_items *items, size_t first)
{
	const struct imap_command c = {.id = IMAP_FETCH, .uid = true};
	struct imap_position_range range = {first, s->view->n};
	const struct imap_positions positions = {&range, 1, s->view->n - first};
	struct fetching f = {
	    .s = s, .c = &c, .items = items, .message_arena = ARENA_MAX(MIME_ARENA_MAX)};

	f.message.store = s->store;
	f.message.arena = &f.message_arena;
	/* Between commands there is none whose time this could be, nor a tag. */
	const struct imap_effort of_command = s->effort;
	imap_effort_begin(s, STR(""));
	plan(&f);
	f.marks = false; /* nobody has read them */
	int r = fetch_all(&f, &positions);
	s->effort = of_command;
	fetch_message_done(&f.message);
	arena_done(&f.message_arena);
	return r;
}
