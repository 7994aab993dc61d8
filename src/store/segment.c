#include "store/segment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "seal/cipher.h"

/*
 * header  = "GPletter" · u16 version · u8 flags · u8 0 · u32 number · u64 account · checksum (8)
 * hole    = "GPhole\r\n" · u32 length · u32 0 · u64 0 · checksum (8)
 * trailer = "GPho" · u32 length · checksum (8)
 */
static const struct str header_magic = STR_INIT("GPletter");
static const struct str hole_magic = STR_INIT("GPhole\r\n");
static const struct str trailer_magic = STR_INIT("GPho");

enum { SEGMENT_VERSION = 1, NAME_DIGITS = 6, TRAILER_SUMMED = 8 };

void segment_name(uint32_t number, char ret_name[static SEGMENT_NAME_LEN + 1])
{
	snprintf(ret_name, SEGMENT_NAME_LEN + 1, "%06u.seg", number % (SEGMENT_NUMBER_MAX + 1));
}

bool segment_number(struct str name, uint32_t *ret_number)
{
	uint64_t number;
	if (name.len != SEGMENT_NAME_LEN || !str_ends(name, STR(".seg")) ||
	    !num_parse(str_first(name, NAME_DIGITS), SEGMENT_NUMBER_MAX, &number) || number == 0)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

/* Writes the checksum of the first `len` bytes behind them. */
static void put_sum(uint8_t *p, size_t len)
{
	struct str part = str_of(p, len);
	cipher_checksum(&part, 1, p + len);
}

static bool sum_is_right(const uint8_t *p, size_t len)
{
	struct str part = str_of(p, len);
	uint8_t sum[CIPHER_CHECKSUM_LEN];
	cipher_checksum(&part, 1, sum);
	return memcmp(sum, p + len, sizeof(sum)) == 0;
}

void segment_encode_header(
    uint64_t account_id, uint32_t number, uint8_t ret_header[static SEGMENT_HEADER_LEN])
{
	memset(ret_header, 0, SEGMENT_HEADER_LEN);
	memcpy(ret_header, header_magic.p, header_magic.len);
	num_put16(ret_header + 8, SEGMENT_VERSION);
	ret_header[10] = CIPHER_FORMAT_FLAGS;
	num_put32(ret_header + 12, number);
	num_put64(ret_header + 16, account_id);
	put_sum(ret_header, SEGMENT_HEADER_LEN - CIPHER_CHECKSUM_LEN);
}

int segment_check_header(struct str bytes, uint64_t account_id, uint32_t number)
{
	if (bytes.len < SEGMENT_HEADER_LEN)
		return -ENODATA;
	const uint8_t *p = (const uint8_t *)bytes.p;
	if (!str_starts(bytes, header_magic) ||
	    !sum_is_right(p, SEGMENT_HEADER_LEN - CIPHER_CHECKSUM_LEN))
		return -EBADMSG;
	if (num_get16(p + 8) != SEGMENT_VERSION || p[10] != CIPHER_FORMAT_FLAGS)
		return -EPROTONOSUPPORT;
	if (p[11] != 0 || num_get32(p + 12) != number || num_get64(p + 16) != account_id)
		return -EBADMSG;
	return 0;
}

void segment_encode_hole(uint32_t len, uint8_t ret_header[static SEGMENT_HOLE_HEADER_LEN],
    uint8_t ret_trailer[static SEGMENT_HOLE_TRAILER_LEN])
{
	memset(ret_header, 0, SEGMENT_HOLE_HEADER_LEN);
	memcpy(ret_header, hole_magic.p, hole_magic.len);
	num_put32(ret_header + 8, len);
	put_sum(ret_header, SEGMENT_HOLE_HEADER_LEN - CIPHER_CHECKSUM_LEN);
	memcpy(ret_trailer, trailer_magic.p, trailer_magic.len);
	num_put32(ret_trailer + 4, len);
	put_sum(ret_trailer, TRAILER_SUMMED);
}

int segment_check_hole(struct str bytes, uint32_t *ret_len)
{
	if (bytes.len < SEGMENT_HOLE_HEADER_LEN)
		return -ENODATA;
	const uint8_t *p = (const uint8_t *)bytes.p;
	if (!str_starts(bytes, hole_magic) ||
	    !sum_is_right(p, SEGMENT_HOLE_HEADER_LEN - CIPHER_CHECKSUM_LEN) ||
	    num_get32(p + 8) < SEGMENT_HOLE_LEN_MIN || num_get32(p + 12) != 0 ||
	    num_get64(p + 16) != 0)
		return -EBADMSG;
	*ret_len = num_get32(p + 8);
	return 0;
}

int segment_check_hole_trailer(
    const uint8_t trailer[static SEGMENT_HOLE_TRAILER_LEN], uint32_t *ret_len)
{
	if (memcmp(trailer, trailer_magic.p, trailer_magic.len) != 0 ||
	    !sum_is_right(trailer, TRAILER_SUMMED) || num_get32(trailer + 4) < SEGMENT_HOLE_LEN_MIN)
		return -EBADMSG;
	*ret_len = num_get32(trailer + 4);
	return 0;
}
