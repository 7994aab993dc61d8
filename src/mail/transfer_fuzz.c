/*
 * The first byte chooses the encoding: decoding in pieces is decoding at once, lengths are right,
 * and what is encoded comes back.
 */
#include <assert.h>
#include <stdint.h>

#include "mail/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_decoding(enum transfer_encoding encoding, struct str body)
{
	struct buf whole CLEANUP(buf_done) = BUF_MAX(body.len + 64);
	struct buf pieces CLEANUP(buf_done) = BUF_MAX(body.len + 64);
	struct buf bounded CLEANUP(buf_done) = BUF_MAX(7);
	struct transfer_decoder d CLEANUP(transfer_decoder_done) = {.encoding = encoding};

	assert(transfer_decode(encoding, body, &whole));
	for (struct str rest = body; rest.len > 0; rest = str_from(rest, 5))
		assert(transfer_decoder_add(&d, str_first(rest, 5), rest.len <= 5, &pieces));
	assert(body.len > TRANSFER_LINE_HELD || str_eq(buf_str(&whole), buf_str(&pieces)));
	assert(transfer_decoded_len(encoding, body) == whole.len);
	bool fits = transfer_decode(encoding, body, &bounded);
	assert(fits == (whole.len <= 7));
	assert(str_eq(buf_str(&bounded), str_first(buf_str(&whole), 7)));
}

static void check_encoding(struct str bytes)
{
	struct buf encoded CLEANUP(buf_done) = BUF_MAX(bytes.len * 4 + 64);
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(bytes.len * 4 + 64);

	assert(transfer_encode_base64(bytes, &encoded));
	assert(transfer_decode(TRANSFER_BASE64, buf_str(&encoded), &decoded));
	assert(str_eq(bytes, buf_str(&decoded)));
	buf_clear(&encoded);
	assert(transfer_encode_quoted_printable(bytes, &encoded));
	for (struct str rest = buf_str(&encoded); rest.len > 0;)
		assert(str_cut_line(&rest).len <= TRANSFER_LINE_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	struct str body = str_of(data + 1, len - 1);
	check_decoding((enum transfer_encoding)(data[0] % (TRANSFER_UNKNOWN + 1)), body);
	check_encoding(body);
	return 0;
}
