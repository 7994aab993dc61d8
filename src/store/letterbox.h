/*
 * store/letterbox.h: an account's letterbox: segments to which records are appended.
 *
 * Appending: delivery workers and sessions, each in its own process, under an exclusive lock on the
 * folder (flock). What was appended under one lock can be taken back under that lock; it is durable
 * after `letterbox_sync`. Whoever promises durability syncs before unlocking, so nobody reads what
 * may still be taken back; or promises it only when the records were taken in, which syncs them
 * too, and takes back nothing that may have been read (APPEND, whose records share syncs so).
 *
 * Whoever gets the lock looks at the last bytes of the last segment. Where they are no whole
 * record's (a crash in the middle of a write, damage), the segment is left as it is, nothing is
 * ever cut off it, and the next one is begun.
 *
 * Reading: record by record up to the end that stood when no one held the exclusive lock. Damaged
 * stretches are reported and stepped over to the next whole record; the torn end of a segment that
 * has a successor is no damage.
 *
 * It knows no keys: what is in the records is seal/record.h's matter. Errors are -errno.
 */
#ifndef STORE_LETTERBOX_H
#define STORE_LETTERBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "seal/record.h"
#include "store/segment.h"

/* Nobody may hold the lock for longer: a stuck session must not stop deliveries to others. */
enum { LETTERBOX_WAIT_MS = 2000, LETTERBOX_READ_WAIT_MS = 10000 };

struct letterbox;

/* Between two records, or at a segment's beginning (offset 0). Places are ordered as they were
 * written. */
struct letterbox_place {
	uint32_t segment; /* from 1 */
	uint64_t offset;
};

/* The letterbox of the account whose folder `account_fd` is (borrowed); given: letterbox_close. */
MUST_USE int letterbox_open(int account_fd, uint64_t account_id, struct letterbox **ret_letterbox);
/* Unlocks, closes, sets to NULL; nothing for NULL. For CLEANUP. */
void letterbox_close(struct letterbox **letterbox);

/* Sum of what the segments and blobs take on disk. */
MUST_USE int letterbox_used(struct letterbox *l, uint64_t *ret_bytes);

/* -ETIMEDOUT when others hold the lock for `wait_ms`; -ENOENT when the account was removed. */
MUST_USE int letterbox_lock(struct letterbox *l, int wait_ms);
void letterbox_unlock(struct letterbox *l);
bool letterbox_is_locked(const struct letterbox *l);

/* Under the lock: where the next record will stand. */
struct letterbox_place letterbox_end(const struct letterbox *l);
/*
 * Under the lock: appends a record (seal/record.h) and says where it stands. After an error part of
 * it may be there: `letterbox_undo`.
 */
MUST_USE int letterbox_append(
    struct letterbox *l, struct str record, struct letterbox_place *ret_place);
/* Under the lock: takes back all that was appended under it from `place` on. */
MUST_USE int letterbox_undo(struct letterbox *l, struct letterbox_place place);
/* Starts writing to disk, so that the syncs of several letterboxes overlap. */
void letterbox_sync_begin(struct letterbox *l);
/*
 * Makes durable what was appended. After an error nothing is certain: undo it; the next lock begins
 * a new segment.
 */
MUST_USE int letterbox_sync(struct letterbox *l);
/* Under the lock, before it is given up without a sync: the name of a new segment is durable. */
MUST_USE int letterbox_sync_name(struct letterbox *l);
/*
 * After somebody else's sync: whether the kernel failed to write what we appended. It says so once
 * for each descriptor, so to us too.
 */
MUST_USE int letterbox_written(struct letterbox *l);

/* flock() of kind `how` (LOCK_EX, LOCK_SH) on any folder, waited for in a queue. -ETIMEDOUT. */
MUST_USE int letterbox_lock_folder(int fd, int how, int wait_ms);

/* The end up to which everything may be read (short shared lock; the own end under the lock). */
MUST_USE int letterbox_committed(struct letterbox *l, struct letterbox_place *ret_end);

/*
 * The bytes of one record whose place and length are known. -ENOENT: a hole is there now (it was
 * deleted). -ENODATA: the file ends before it does. -EUCLEAN: read, but the header of its segment
 * is damaged (once for each opening of the segment).
 */
MUST_USE int letterbox_read(
    struct letterbox *l, struct letterbox_place place, uint32_t len, struct buf *out);

/* Closes the segments that are kept open for reading. */
void letterbox_rest(struct letterbox *l);

/* A record that no message needs any more. */
struct letterbox_dead {
	struct letterbox_place place;
	uint32_t len;
};

/*
 * Makes holes of records: their bytes are gone from the disk. Those of one segment, in the order of
 * places. Neighbouring holes become one; a segment that has become one hole, and is not the last,
 * is removed. What is no record of that length any more is left alone: calling it again is
 * harmless. Takes the lock itself.
 */
MUST_USE int letterbox_erase(
    struct letterbox *l, const struct letterbox_dead *dead, size_t n_dead, int wait_ms);

/* Where a reader found what is not a record. */
struct letterbox_damage_report {
	void (*fn)(void *ctx, struct letterbox_place place, const char *what);
	void *ctx;
};

struct letterbox_record {
	struct letterbox_place place;
	struct str bytes; /* all of it, checked with record_check_frame; borrowed until the next */
	struct record_frame frame;
};

struct letterbox_reader;

/* Reads from `from` to the committed end of this moment; given: letterbox_reader_free. */
MUST_USE int letterbox_reader_new(struct letterbox *l, struct letterbox_place from,
    struct letterbox_damage_report report, struct letterbox_reader **ret_reader);
void letterbox_reader_free(struct letterbox_reader **reader);
/* From now on also looks into holes, where nothing but zeros may be, and at their trailers. */
void letterbox_reader_check_holes(struct letterbox_reader *r);
/* 1 and the next record; 0 at the end; -EPROTONOSUPPORT where a later version's begins, which is
 * not passed; -errno of the machine. */
MUST_USE int letterbox_reader_next(struct letterbox_reader *r, struct letterbox_record *ret_record);
/* Where the next call goes on: behind the last record, or where reading must be taken up later. */
struct letterbox_place letterbox_reader_place(const struct letterbox_reader *r);
/* Makes sure that what was read is durable: whoever wrote it may have died before syncing. */
MUST_USE int letterbox_reader_sync(struct letterbox_reader *r);

static inline int letterbox_place_cmp(struct letterbox_place a, struct letterbox_place b)
{
	if (a.segment != b.segment)
		return a.segment < b.segment ? -1 : 1;
	return (a.offset > b.offset) - (a.offset < b.offset);
}

#endif
