/* Reading a letterbox: in order with letterbox_reader_…, single records with letterbox_read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"
#include "store/io.h"
#include "store/letterbox_private.h"

/* RESYNC_BYTES_MAX: of records that turn out wrong, within one segment, while a right one is looked
 * for: as many as four segments have. Each may say that it is long, and they may overlap. */
enum { WINDOW_LEN = 256 << 10, RESYNC_BYTES_MAX = 4 * SEGMENT_LEN_MAX };

struct letterbox_reader {
	struct letterbox *letterbox;
	struct letterbox_damage_report report;
	struct letterbox_place at;
	struct letterbox_place end;

	int fd;              /* of at.segment, or -1 */
	uint64_t limit;      /* how far at.segment may be read */
	uint64_t resync_len; /* bytes looked through in vain in this segment */
	int sync_error;      /* of segments left behind */
	bool checks_holes;
	struct buf window;
	uint64_t window_at;
};

int letterbox_reader_new(struct letterbox *l, struct letterbox_place from,
    struct letterbox_damage_report report, struct letterbox_reader **ret_reader)
{
	struct letterbox_place end;
	int error = letterbox_committed(l, &end);
	if (error)
		return error;
	struct letterbox_reader *r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	*r = (struct letterbox_reader){.letterbox = l,
	    .report = report,
	    .at = from,
	    .end = end,
	    .fd = -1,
	    .window = BUF_MAX((size_t)RECORD_LEN_MAX + WINDOW_LEN)};
	*ret_reader = r;
	return 0;
}

void letterbox_reader_free(struct letterbox_reader **reader)
{
	struct letterbox_reader *r = *reader;
	*reader = NULL;
	if (!r)
		return;
	fd_close(&r->fd);
	buf_done(&r->window);
	free(r);
}

void letterbox_reader_check_holes(struct letterbox_reader *r)
{
	r->checks_holes = true;
}

struct letterbox_place letterbox_reader_place(const struct letterbox_reader *r)
{
	return r->at;
}

static void report(struct letterbox_reader *r, uint64_t offset, const char *what)
{
	if (r->report.fn)
		r->report.fn(r->report.ctx, (struct letterbox_place){r->at.segment, offset}, what);
}

/* `len` bytes from `offset` of the segment, fewer at its limit; borrowed from the window. */
static int look(struct letterbox_reader *r, uint64_t offset, size_t len, struct str *ret_bytes)
{
	len = (size_t)(len < r->limit - offset ? len : r->limit - offset);
	bool inside = offset >= r->window_at && offset + len <= r->window_at + r->window.len;
	if (!inside) {
		uint64_t left = r->limit - offset;
		size_t want = num_max(len, left < WINDOW_LEN ? (size_t)left : WINDOW_LEN);
		buf_clear(&r->window);
		char *room = buf_reserve(&r->window, want);
		if (!room)
			return -EFBIG;
		int error = fd_pread_all(r->fd, room, want, (off_t)offset);
		if (error)
			return error == -ENODATA ? -EIO : error;
		buf_commit(&r->window, want);
		r->window_at = offset;
	}
	*ret_bytes = str_of(r->window.p + (offset - r->window_at), len);
	return 0;
}

int letterbox_reader_sync(struct letterbox_reader *r)
{
	int error = r->sync_error;
	if (!error && r->fd >= 0)
		error = io_fdatasync(r->fd);
	return error;
}

static void next_segment(struct letterbox_reader *r)
{
	if (r->fd >= 0 && r->sync_error == 0)
		r->sync_error = io_fdatasync(r->fd);
	fd_close(&r->fd);
	r->resync_len = 0;
	r->at = (struct letterbox_place){r->at.segment + 1, 0};
}

/* Opens the segment of `at`. 1: it can be read from there, 0: there is nothing in it. */
static int enter_segment(struct letterbox_reader *r)
{
	uint64_t len;
	int error = letterbox_open_segment(r->letterbox, r->at.segment, false, &r->fd, &len);
	if (error)
		return error == -ENOENT ? 0 : error;
	r->limit = r->at.segment == r->end.segment ? r->end.offset : len;
	buf_clear(&r->window);
	r->window_at = 0;
	if (r->limit < SEGMENT_HEADER_LEN)
		return 0;
	if (r->at.offset >= SEGMENT_HEADER_LEN)
		return 1;
	struct str header;
	error = look(r, 0, SEGMENT_HEADER_LEN, &header);
	if (error)
		return error;
	error = segment_check_header(header, r->letterbox->account_id, r->at.segment);
	if (error == -EPROTONOSUPPORT) {
		fd_close(&r->fd);
		return error;
	}
	if (error)
		report(r, 0, "segment header is damaged");
	r->at.offset = SEGMENT_HEADER_LEN;
	return 1;
}

/*
 * What stands at `offset`: 1 a record whose bytes are whole and right, 0 nothing of ours, -EBADMSG
 * a record of known length that is damaged, -EUCLEAN a hole (both with the length in the frame),
 * -EPROTONOSUPPORT a record of a later version.
 */
static int examine(struct letterbox_reader *r, uint64_t offset, struct record_frame *ret_frame,
    struct str *ret_bytes)
{
	struct str bytes;
	int error = look(r, offset, RECORD_HEADER_LEN, &bytes);
	if (error)
		return error;
	uint32_t hole_len;
	if (segment_check_hole(bytes, &hole_len) == 0 && hole_len <= r->limit - offset) {
		ret_frame->total_len = hole_len;
		return -EUCLEAN;
	}
	struct record_frame frame;
	error = record_check_header(bytes, &frame);
	if (error == -EPROTONOSUPPORT)
		return error;
	if (error || frame.total_len > r->limit - offset)
		return 0;
	error = look(r, offset, frame.total_len, &bytes);
	if (error)
		return error;
	*ret_frame = frame;
	*ret_bytes = bytes;
	return record_check_frame(bytes, &frame) < 0 ? -EBADMSG : 1;
}

/*
 * Finds the next record or hole behind damage; the limit where there is none, or where so much was
 * looked through that somebody must have made it to keep us busy.
 */
static int resynchronise(struct letterbox_reader *r, uint64_t *ret_offset)
{
	uint64_t offset = r->at.offset + 1;
	for (; offset + SEGMENT_HOLE_LEN_MIN <= r->limit; offset++) {
		struct record_frame frame;
		struct str bytes;
		int found = examine(r, offset, &frame, &bytes);
		if (found == 1 || found == -EUCLEAN || found == -EPROTONOSUPPORT) {
			*ret_offset = offset;
			return 0;
		}
		if (found < 0 && found != -EBADMSG)
			return found;
		if (found == -EBADMSG)
			r->resync_len += frame.total_len;
		if (r->resync_len > RESYNC_BYTES_MAX)
			break;
	}
	*ret_offset = r->limit;
	return 0;
}

/* True in `*ret_torn` when the limit is not where some record or hole once ended. */
static int tail_is_torn(struct letterbox_reader *r, bool *ret_torn)
{
	uint8_t trailer[RECORD_TRAILER_LEN];
	int error =
	    fd_pread_all(r->fd, trailer, sizeof(trailer), (off_t)(r->limit - sizeof(trailer)));
	if (error)
		return error;
	uint32_t len;
	*ret_torn = record_check_trailer(trailer, &len) < 0 &&
	            segment_check_hole_trailer(trailer, &len) < 0;
	return 0;
}

/*
 * At bytes that are no record. 1: went on behind them; 0: they are the torn end of the last
 * segment, where reading is taken up again when there is a next one.
 */
static int step_over_damage(struct letterbox_reader *r)
{
	uint64_t next = r->limit;
	bool torn = false;
	int error = resynchronise(r, &next);
	if (!error && next == r->limit)
		error = tail_is_torn(r, &torn);
	if (error)
		return error;
	if (!torn) {
		report(r, r->at.offset, "no whole record where one should be");
		r->at.offset = next;
		return 1;
	}
	if (r->at.segment == r->end.segment)
		return 0;
	next_segment(r);
	return 1;
}

static bool is_zero(struct str s)
{
	return s.len == 0 || (s.p[0] == '\0' && memcmp(s.p, s.p + 1, s.len - 1) == 0);
}

/* -EBADMSG when there is anything in a hole but zeros, or its trailer is not its header's. */
static int look_into_hole(struct letterbox_reader *r, uint32_t hole_len)
{
	uint64_t at = r->at.offset + SEGMENT_HOLE_HEADER_LEN;
	uint64_t end = r->at.offset + hole_len - SEGMENT_HOLE_TRAILER_LEN;
	struct str bytes;
	for (; at < end; at += bytes.len) {
		size_t len = end - at < WINDOW_LEN ? (size_t)(end - at) : WINDOW_LEN;
		int error = look(r, at, len, &bytes);
		if (error)
			return error;
		if (!is_zero(bytes))
			return -EBADMSG;
	}
	int error = look(r, end, SEGMENT_HOLE_TRAILER_LEN, &bytes);
	if (error)
		return error;
	uint32_t len;
	bool right = bytes.len == SEGMENT_HOLE_TRAILER_LEN &&
	             segment_check_hole_trailer((const uint8_t *)bytes.p, &len) == 0 &&
	             len == hole_len;
	return right ? 0 : -EBADMSG;
}

/* Somebody may just be making it: what was read wrong is read again when nobody holds the lock. */
static int check_hole(struct letterbox_reader *r, uint32_t hole_len)
{
	struct letterbox_place end;
	int error = look_into_hole(r, hole_len);
	if (error != -EBADMSG)
		return error;
	error = letterbox_committed(r->letterbox, &end);
	if (error)
		return error;
	buf_clear(&r->window);
	struct str bytes;
	error = look(r, r->at.offset, SEGMENT_HOLE_HEADER_LEN, &bytes);
	uint32_t now_len = 0;
	if (!error && (segment_check_hole(bytes, &now_len) < 0 || now_len != hole_len))
		return 0; /* it became part of another */
	if (!error)
		error = look_into_hole(r, hole_len);
	if (error == -EBADMSG)
		report(r, r->at.offset, "a hole has bytes in it");
	return error == -EBADMSG ? 0 : error;
}

/* 1: there is something to read at `at`; 0: the end; skips what was read and what is empty. */
static int find_bytes(struct letterbox_reader *r)
{
	for (;;) {
		int entered = 1;
		if (r->fd < 0)
			entered = enter_segment(r);
		if (entered < 0)
			return entered;
		if (entered && r->at.offset < r->limit)
			return 1;
		if (r->at.segment >= r->end.segment)
			return 0;
		next_segment(r);
	}
}

int letterbox_reader_next(struct letterbox_reader *r, struct letterbox_record *ret_record)
{
	for (;;) {
		int error = find_bytes(r);
		if (error <= 0)
			return error;
		struct letterbox_record record = {.place = r->at};
		int found = examine(r, r->at.offset, &record.frame, &record.bytes);
		if (found == 0) {
			found = step_over_damage(r);
			if (found <= 0)
				return found;
			continue;
		}
		if (found < 0 && found != -EBADMSG && found != -EUCLEAN)
			return found;
		if (found == -EBADMSG)
			report(r, r->at.offset, "record is damaged");
		if (found == -EUCLEAN && r->checks_holes) {
			error = check_hole(r, record.frame.total_len);
			if (error)
				return error;
		}
		r->at.offset += record.frame.total_len;
		if (found == 1) {
			*ret_record = record;
			return 1;
		}
	}
}

/* Opens the segment for letterbox_read. -EUCLEAN: open, but its header is damaged. */
static int open_for_read(struct letterbox *l, uint32_t segment, struct letterbox_open **ret_open)
{
	int error = letterbox_keep_open(l, segment, ret_open, NULL);
	struct letterbox_open *o = *ret_open;
	if (error || o->header_seen)
		return error;
	char header[SEGMENT_HEADER_LEN];
	error = fd_pread_all(o->fd, header, sizeof(header), 0);
	if (error)
		return error;
	o->header_seen = true;
	return segment_check_header(str_of(header, sizeof(header)), l->account_id, segment) < 0
	           ? -EUCLEAN
	           : 0;
}

int letterbox_read(struct letterbox *l, struct letterbox_place place, uint32_t len, struct buf *out)
{
	struct letterbox_open *open = NULL;
	int opened = open_for_read(l, place.segment, &open);
	if (opened == -ENOENT)
		return -ENODATA;
	if (opened < 0 && opened != -EUCLEAN)
		return opened;
	char *room = buf_reserve(out, len);
	if (!room)
		return -EFBIG;
	int error = fd_pread_all(open->fd, room, len, (off_t)place.offset);
	if (error)
		return error;
	uint32_t hole_len;
	if (segment_check_hole(str_of(room, len), &hole_len) == 0)
		return -ENOENT;
	buf_commit(out, len);
	return opened;
}
