/*
 * store/segment.h: the file format of a letterbox's segments, as pure functions.
 *
 *     segment = header (32) *( record | hole )
 *
 * The header says which account and which number in the letterbox. Records are seal/record.h's. A
 * hole is what is left of records that were deleted: a header of 32 bytes with the length of the
 * whole, zeros, and 16 bytes of trailer that say the length again, so that a hole at the end of a
 * segment is as good an end as a record's.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum {
	SEGMENT_HEADER_LEN = 32,
	SEGMENT_HOLE_HEADER_LEN = 32,
	SEGMENT_HOLE_TRAILER_LEN = 16,
	SEGMENT_HOLE_LEN_MIN = SEGMENT_HOLE_HEADER_LEN + SEGMENT_HOLE_TRAILER_LEN,
	SEGMENT_LEN_MAX = 16 << 20, /* a record that would go beyond begins the next one */
	SEGMENT_NUMBER_MAX = 999999,
	SEGMENT_GAP_MAX = 10000, /* so many between two may be gone; what is further away is no
	                            segment of this letterbox */
	SEGMENT_NAME_LEN = 10,   /* "000001.seg" */
};

/* The file name, NUL-terminated. */
void segment_name(uint32_t number, char ret_name[static SEGMENT_NAME_LEN + 1]);
/* The number that a file name says; false when it is no segment's. */
MUST_USE bool segment_number(struct str name, uint32_t *ret_number);

void segment_encode_header(
    uint64_t account_id, uint32_t number, uint8_t ret_header[static SEGMENT_HEADER_LEN]);
/*
 * 0; -ENODATA too short; -EBADMSG damaged, or another account's or another place's;
 * -EPROTONOSUPPORT another version or a build without sealing.
 */
MUST_USE int segment_check_header(struct str bytes, uint64_t account_id, uint32_t number);

/* `len` from SEGMENT_HOLE_LEN_MIN on, header and trailer included. */
void segment_encode_hole(uint32_t len, uint8_t ret_header[static SEGMENT_HOLE_HEADER_LEN],
    uint8_t ret_trailer[static SEGMENT_HOLE_TRAILER_LEN]);
/* The hole at the front of `bytes` (only its header is looked at): 0, -ENODATA, -EBADMSG. */
MUST_USE int segment_check_hole(struct str bytes, uint32_t *ret_len);
/* From a segment's last bytes: the length of the hole that ends there, or -EBADMSG. */
MUST_USE int segment_check_hole_trailer(
    const uint8_t trailer[static SEGMENT_HOLE_TRAILER_LEN], uint32_t *ret_len);

#endif
