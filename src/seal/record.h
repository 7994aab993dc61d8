/*
 * seal/record.h: a message in an account's letterbox.
 *
 *     plain header (48) · sealed header · sealed body, unless it stands in a blob · trailer (16)
 *
 * The sealed header is encrypted to the account's public key and holds the metadata (opaque here)
 * and the body's key. It is bound to the account, the time and the lengths: a record moved to
 * another account or altered anywhere does not open. Header and trailer carry checksums, so that
 * whoever has no key can walk a segment, tell a torn record at its end from a whole one, and find
 * accidental damage. What is visible without a key: time, lengths, whether there is a blob.
 *
 * Pure over bytes: no file is touched here.
 *
 * Errors: -ENODATA the bytes end before the record does (torn), -EBADMSG damaged or not authentic,
 * -EPROTONOSUPPORT another version or a build without sealing, -EACCES authentic frame that does
 * not open with this account's key, -EFBIG above a limit.
 */
#ifndef SEAL_RECORD_H
#define SEAL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "seal/body.h"
#include "seal/cipher.h"
#include "seal/keys.h"

enum {
	RECORD_HEADER_LEN = 48,
	RECORD_TRAILER_LEN = 16,
	RECORD_METADATA_MAX = 65536,
	RECORD_LEN_MAX = 128 << 20,
};

/* What the plain header says. */
struct record_frame {
	uint32_t total_len; /* header and trailer included: the next record stands there */
	uint32_t sealed_header_len;
	uint32_t body_len; /* sealed bytes in the record; 0 when in a blob */
	uint64_t time_ms;  /* since 1970, of delivery */
	bool in_blob;
};

/*
 * The plain header at the front of `bytes`, which may end anywhere after it. -ENODATA for less than
 * RECORD_HEADER_LEN bytes.
 */
MUST_USE int record_check_header(struct str bytes, struct record_frame *ret_frame);
/* The whole record at the front of `bytes`, each byte of it covered by the checksums. */
MUST_USE int record_check_frame(struct str bytes, struct record_frame *ret_frame);
/*
 * From the last 16 bytes of a segment: how long its last record says it is. The record that starts
 * so many bytes before the end is then checked with record_check_frame.
 */
MUST_USE int record_check_trailer(
    const uint8_t trailer[static RECORD_TRAILER_LEN], uint32_t *ret_total_len);

/*
 * The key of the last sealed header, since agreeing on one costs more than all else about a record:
 * it is the same for all records of one ephemeral key pair to one account.
 */
struct record_header_key {
	bool is_known;
	uint8_t ephemeral[CIPHER_PUBLIC_LEN];
	uint64_t account_id;
	uint8_t account_public[CIPHER_PUBLIC_LEN];
	uint8_t key[CIPHER_KEY_LEN];
};
void record_header_key_forget(struct record_header_key *last);

/*
 * An ephemeral key pair: for one message and all its recipients, for what one process delivers
 * within a second, or for what a session seals to its own account, whose private key it has anyway.
 */
struct record_sender {
	uint8_t private_key[CIPHER_KEY_LEN];
	uint8_t public_key[CIPHER_PUBLIC_LEN];
	struct record_header_key last;
};
void record_sender_init(struct record_sender *sender);
void record_sender_done(struct record_sender *sender);

/*
 * Appends one record to `out` (its length is what was added). `sealed_body` is what body_seal
 * made of `body`, empty for a blob.
 * -EINVAL for a useless public key.
 */
MUST_USE int record_seal(struct record_sender *sender, const struct keys_public *recipient,
    uint64_t time_ms, struct str metadata, const struct body *body, struct str sealed_body,
    struct buf *out);

/* How many bytes record_seal adds; false above RECORD_LEN_MAX. */
MUST_USE bool record_len(size_t metadata_len, const struct body *body, uint32_t *ret_len);

/*
 * Checks all of the record at the front of `bytes` and opens its sealed header: metadata appended
 * to `metadata`, the body's key in `ret_body`.
 */
MUST_USE int record_open(const struct keys *keys, struct str bytes, struct record_frame *ret_frame,
    struct buf *metadata, struct body *ret_body);

/*
 * Checks the record again and opens its body with what record_open gave (or body_decode), appended
 * to `out`. -EINVAL for one in a blob.
 */
MUST_USE int record_open_body(struct str bytes, const struct body *body, struct buf *out);

/*
 * Both of a record that record_check_frame was just asked about, with the frame it gave. `last` is
 * kept from one record to the next. The body is authenticated in any case: the frame may come from
 * record_check_header where total_len bytes are there.
 */
MUST_USE int record_open_checked(const struct keys *keys, struct record_header_key *last,
    struct str bytes, const struct record_frame *frame, struct buf *metadata,
    struct body *ret_body);
MUST_USE int record_open_body_checked(
    struct str bytes, const struct record_frame *frame, const struct body *body, struct buf *out);

#endif
