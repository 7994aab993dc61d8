/*
 * mail/transfer.h: content transfer encodings (RFC 2045 §6), lenient in reading.
 *
 * Decoders take every input: base64 steps over bytes outside its alphabet and ends at padding;
 * quoted-printable leaves what is no code as it stands; uuencode reads from `begin` to `end`. 7bit,
 * 8bit, binary and unknown encodings are the bytes themselves.
 *
 * It does not know charsets, and it does not change line ends.
 */
#ifndef MAIL_TRANSFER_H
#define MAIL_TRANSFER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum transfer_encoding {
	TRANSFER_7BIT,
	TRANSFER_8BIT,
	TRANSFER_BINARY,
	TRANSFER_BASE64,
	TRANSFER_QUOTED_PRINTABLE,
	TRANSFER_UUENCODE,
	TRANSFER_UNKNOWN, /* IMAP's BINARY answers UNKNOWN-CTE (RFC 9051 §6.4.5) */
};

enum { TRANSFER_LINE_LEN = 76 }; /* longest line the encoders make, RFC 2045 §6.7 and §6.8 */

/* The encoding that a Content-Transfer-Encoding value names; TRANSFER_UNKNOWN for another word. */
enum transfer_encoding transfer_encoding_of(struct str name);

/* True where decoding is the identity. */
bool transfer_is_identity(enum transfer_encoding encoding);

/* Appends all of `body` decoded. False when it does not fit: what fits is there. */
bool transfer_decode(enum transfer_encoding encoding, struct str body, struct buf *out);

/*
 * A body that comes in pieces: what is added is what `transfer_decode` of all of them adds. Of a
 * quoted-printable line that does not end within TRANSFER_LINE_HELD bytes, white space at its end
 * may stay; of such a line of uuencode the rest does not count.
 *
 * `(struct transfer_decoder){.encoding = …}` begins; freed with transfer_decoder_done.
 */
struct transfer_decoder {
	enum transfer_encoding encoding;
	unsigned bits, n_digits; /* of base64: an incomplete group */
	bool begun, ended;       /* of uuencode, and the latter of base64 */
	struct buf held;         /* a line that is not all there */
};
enum { TRANSFER_LINE_HELD = 4096 };

/* False when it did not fit: what fits is there, and there is no use in going on. */
bool transfer_decoder_add(struct transfer_decoder *d, struct str piece, bool last, struct buf *out);
void transfer_decoder_done(struct transfer_decoder *d);

/* How many bytes `transfer_decode` would add. */
size_t transfer_decoded_len(enum transfer_encoding encoding, struct str body);

/* Appends lines of base64 that end with CRLF; false when they do not fit. */
bool transfer_encode_base64(struct str bytes, struct buf *out);
/* Appends quoted-printable of text whose lines end with CRLF or LF; CRLF comes out. */
bool transfer_encode_quoted_printable(struct str text, struct buf *out);

#endif
