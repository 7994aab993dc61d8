/* store/blob_file.h: the files in an account's folder blobs/, for the store and for delivery. */
#ifndef STORE_BLOB_FILE_H
#define STORE_BLOB_FILE_H

#include <sys/types.h>

#include "seal/blob.h"

/* Messages longer than this get a file of their own. */
enum { BLOB_FILE_MIN = 256 << 10 };

/*
 * Seals a message into a new file of `blobs_fd`, durable but for the folder's entry (sync the
 * folder). Of `mode` only who may read counts. On failure nothing is left behind. `ret_body` is
 * wiped by the caller.
 */
MUST_USE int blob_file_write(
    int blobs_fd, mode_t mode, const struct str *parts, size_t n_parts, struct body *ret_body);

/*
 * The same of a message that comes in pieces. Given: blob_file_writer_free, which leaves nothing
 * behind of what was not ended.
 */
struct blob_file_writer;
MUST_USE int blob_file_writer_new(int blobs_fd, mode_t mode, struct blob_file_writer **ret_writer);
MUST_USE int blob_file_writer_add(struct blob_file_writer *w, struct str piece);
MUST_USE int blob_file_writer_end(struct blob_file_writer *w, struct body *ret_body);
/* Nothing for NULL. For CLEANUP. */
void blob_file_writer_free(struct blob_file_writer **writer);

/* The same file in another account's folder: 0 too when it is there already. */
MUST_USE int blob_file_link(int from_blobs_fd, int to_blobs_fd, const struct body *body);

/* Removes it: what fails stays an orphan, which the owner's session sweeps away. */
void blob_file_remove(int blobs_fd, const struct body *body);

#endif
