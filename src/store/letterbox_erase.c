/*
 * Holes in a letterbox. A hole's header and trailer are written over the first and last bytes of
 * what died, and are durable before the bytes between them are freed: so at every moment whoever
 * walks the segment finds a record or a hole.
 */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "store/io.h"
#include "store/letterbox_private.h"

enum { ZEROS_LEN = 4096 };

struct span {
	uint64_t from, to;
};

/* What stands at `offset` and how long it is: a record, a hole, or nothing of ours (-EBADMSG). */
static int frame_at(int fd, uint64_t offset, uint64_t limit, bool *ret_hole, uint32_t *ret_len)
{
	char header[RECORD_HEADER_LEN];
	if (limit - offset < sizeof(header))
		return -EBADMSG;
	int error = fd_pread_all(fd, header, sizeof(header), (off_t)offset);
	if (error)
		return error;
	struct str bytes = str_of(header, sizeof(header));
	struct record_frame frame;
	uint32_t len;
	bool hole = segment_check_hole(bytes, &len) == 0;
	if (!hole && record_check_header(bytes, &frame) < 0)
		return -EBADMSG;
	if (!hole)
		len = frame.total_len;
	if (len > limit - offset)
		return -EBADMSG;
	*ret_hole = hole;
	*ret_len = len;
	return 0;
}

/* Extends a span over a hole that ends where it begins, and over holes that follow it. */
static int swallow_neighbours(int fd, uint64_t limit, struct span *span)
{
	bool hole = false;
	uint32_t len = 0;
	uint8_t trailer[SEGMENT_HOLE_TRAILER_LEN];
	if (span->from >= SEGMENT_HEADER_LEN + SEGMENT_HOLE_LEN_MIN) {
		int error = fd_pread_all(
		    fd, trailer, sizeof(trailer), (off_t)(span->from - sizeof(trailer)));
		if (error)
			return error;
		uint32_t before;
		if (segment_check_hole_trailer(trailer, &before) == 0 &&
		    before <= span->from - SEGMENT_HEADER_LEN &&
		    frame_at(fd, span->from - before, limit, &hole, &len) == 0 && hole &&
		    len == before)
			span->from -= before;
	}
	while (span->to < limit) {
		int error = frame_at(fd, span->to, limit, &hole, &len);
		if (error == -EBADMSG || (!error && !hole))
			break;
		if (error)
			return error;
		span->to += len;
	}
	return 0;
}

static int mark_hole(int fd, const struct span *span)
{
	uint8_t header[SEGMENT_HOLE_HEADER_LEN], trailer[SEGMENT_HOLE_TRAILER_LEN];
	segment_encode_hole((uint32_t)(span->to - span->from), header, trailer);
	int error = io_pwrite(fd, str_of(header, sizeof(header)), span->from);
	if (!error)
		error = io_pwrite(fd, str_of(trailer, sizeof(trailer)), span->to - sizeof(trailer));
	return error;
}

/* Frees what is between header and trailer, or overwrites it where blocks cannot be freed. */
static int clear_hole(int fd, const struct span *span)
{
	uint64_t from = span->from + SEGMENT_HOLE_HEADER_LEN;
	uint64_t to = span->to - SEGMENT_HOLE_TRAILER_LEN;
	if (from == to)
		return 0;
	int error = io_punch(fd, from, to - from);
	if (error != -EOPNOTSUPP && error != -ENOSYS)
		return error;
	static const char zeros[ZEROS_LEN];
	for (error = 0; !error && from < to; from += ZEROS_LEN) {
		uint64_t len = to - from < ZEROS_LEN ? to - from : ZEROS_LEN;
		error = io_pwrite(fd, str_of(zeros, (size_t)len), from);
	}
	return error;
}

/* The next span of dead records that stand side by side, from `*i` on. False: there is none. */
static bool next_span(int fd, uint64_t limit, const struct letterbox_dead *dead, size_t n_dead,
    size_t *i, struct span *ret_span)
{
	struct span span = {0};
	for (; *i < n_dead; ++*i) {
		const struct letterbox_dead *d = &dead[*i];
		bool hole;
		uint32_t len;
		if (span.to != 0 && d->place.offset != span.to)
			break;
		if (d->place.offset >= limit ||
		    frame_at(fd, d->place.offset, limit, &hole, &len) < 0 || hole || len != d->len)
			continue;
		if (span.to == 0)
			span.from = d->place.offset;
		span.to = d->place.offset + len;
	}
	*ret_span = span;
	return span.to != 0;
}

static int erase_spans(
    int fd, uint64_t limit, const struct letterbox_dead *dead, size_t n_dead, bool *ret_all_dead)
{
	struct span span;
	int error = 0;
	for (size_t i = 0; !error && next_span(fd, limit, dead, n_dead, &i, &span);)
		error = mark_hole(fd, &span);
	if (!error)
		error = io_fdatasync(fd);
	/* Now they are holes: found again by their places, merged, and cleared. */
	for (size_t i = 0; !error && i < n_dead; i++) {
		bool hole = false;
		uint32_t len;
		if (dead[i].place.offset >= limit ||
		    frame_at(fd, dead[i].place.offset, limit, &hole, &len) < 0 || !hole)
			continue;
		span = (struct span){dead[i].place.offset, dead[i].place.offset + len};
		error = swallow_neighbours(fd, limit, &span);
		if (!error)
			error = mark_hole(fd, &span);
		if (!error)
			error = clear_hole(fd, &span);
		*ret_all_dead = span.from == SEGMENT_HEADER_LEN && span.to == limit;
	}
	return error;
}

static int erase_locked(struct letterbox *l, const struct letterbox_dead *dead, size_t n_dead)
{
	uint32_t segment = dead[0].place.segment;
	int fd CLEANUP(fd_close) = -1;
	uint64_t len;
	int error = letterbox_open_segment(l, segment, true, &fd, &len);
	if (error)
		return error == -ENOENT ? 0 : error;
	bool all_dead = false;
	error = erase_spans(fd, len, dead, n_dead, &all_dead);
	if (error || !all_dead || segment == l->last)
		return error;
	char name[SEGMENT_NAME_LEN + 1];
	segment_name(segment, name);
	return io_unlink(l->folder_fd, name, false);
}

int letterbox_erase(
    struct letterbox *l, const struct letterbox_dead *dead, size_t n_dead, int wait_ms)
{
	int error = letterbox_lock(l, wait_ms);
	if (error)
		return error;
	error = erase_locked(l, dead, n_dead);
	letterbox_unlock(l);
	return error;
}
