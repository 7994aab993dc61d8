/*
 * Any bytes as a segment's header, a hole, a trailer, a file name. Checksums are made right first
 * (the first byte says whether), so that what stands behind them is reached.
 */
#include <assert.h>
#include <string.h>

#include "seal/cipher.h"
#include "store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void make_right(uint8_t *bytes, size_t len)
{
	struct str part = str_of(bytes, len);
	cipher_checksum(&part, 1, bytes + len);
}

static void check_hole(uint32_t len)
{
	uint8_t header[SEGMENT_HOLE_HEADER_LEN], trailer[SEGMENT_HOLE_TRAILER_LEN];
	uint32_t again;
	assert(len >= SEGMENT_HOLE_LEN_MIN);
	segment_encode_hole(len, header, trailer);
	assert(segment_check_hole(str_of(header, sizeof(header)), &again) == 0 && again == len);
	assert(segment_check_hole_trailer(trailer, &again) == 0 && again == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t bytes[SEGMENT_HEADER_LEN] = {0};
	uint32_t number, hole_len;
	if (segment_number(str_of(data, len), &number)) {
		char name[SEGMENT_NAME_LEN + 1];
		segment_name(number, name);
		assert(str_eq(str_of_cstr(name), str_of(data, len)));
	}
	if (len < 1)
		return 0;
	bool right = data[0] & 1;
	size_t n = len - 1 < sizeof(bytes) ? len - 1 : sizeof(bytes);
	memcpy(bytes, data + 1, n);
	if (right)
		make_right(bytes, SEGMENT_HEADER_LEN - CIPHER_CHECKSUM_LEN);
	if (segment_check_header(str_of(bytes, sizeof(bytes)), 42, 1) == 0)
		assert(right || len > SEGMENT_HEADER_LEN);
	if (segment_check_hole(str_of(bytes, sizeof(bytes)), &hole_len) == 0)
		check_hole(hole_len);
	if (right)
		make_right(bytes, SEGMENT_HOLE_TRAILER_LEN - CIPHER_CHECKSUM_LEN);
	if (segment_check_hole_trailer(bytes, &hole_len) == 0)
		check_hole(hole_len);
	return 0;
}
