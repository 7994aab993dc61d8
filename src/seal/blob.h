/*
 * seal/blob.h: a large message's sealed body in a file of its own.
 *
 * One blob is hard-linked into the folder of every account that received the message; only the
 * sealed headers of their records hold its key. A blob has a random id, which is its name
 * (blob_name) and which the record's sealed header names too.
 *
 * Errors as in seal/body.h; -EBADMSG also where a blob is not the one the record means.
 */
#ifndef SEAL_BLOB_H
#define SEAL_BLOB_H

#include "base/attr.h"
#include "base/str.h"
#include "seal/body.h"

enum { BLOB_HEADER_LEN = 24, BLOB_TRAILER_LEN = 16, BLOB_NAME_LEN = 2 * BODY_BLOB_ID_LEN };

/* The file name of a blob: its id in hexadecimal, NUL-terminated. */
void blob_name(const uint8_t id[static BODY_BLOB_ID_LEN], char ret_name[static BLOB_NAME_LEN + 1]);

/* How many bytes the file of this body has. */
uint64_t blob_file_len(const struct body *body);

/* Writes a whole blob to the empty file `fd` from its current position on; does not sync. */
MUST_USE int blob_seal(int fd, const struct str *parts, size_t n_parts, struct body *ret_body);

/* The same of a message that comes in pieces (given: blob_writer_free; `fd` is borrowed). */
struct blob_writer;
MUST_USE int blob_writer_new(int fd, struct blob_writer **ret_writer);
MUST_USE int blob_writer_add(struct blob_writer *writer, struct str piece);
MUST_USE int blob_writer_end(struct blob_writer *writer, struct body *ret_body);
/* Nothing for NULL. For CLEANUP. */
void blob_writer_free(struct blob_writer **writer);

/*
 * Opens a blob for reading (given: blob_reader_free; `fd` is borrowed until then). At the end of
 * the message the checksum of the whole file is compared too.
 */
struct blob_reader;
MUST_USE int blob_reader_new(int fd, const struct body *body, struct blob_reader **ret_reader);
void blob_reader_free(struct blob_reader **reader);
MUST_USE int blob_reader_read(struct blob_reader *reader, void *p, size_t len, size_t *ret_got);

/* The whole message, appended to `out`. */
MUST_USE int blob_open(int fd, const struct body *body, struct buf *out);

/* Without a key: is this file whole? 0, -EBADMSG, -EPROTONOSUPPORT, -errno of reading. */
MUST_USE int blob_check(int fd);

/* The header alone, pure: its id. */
MUST_USE int blob_decode_header(struct str bytes, uint8_t ret_id[static BODY_BLOB_ID_LEN]);

#endif
