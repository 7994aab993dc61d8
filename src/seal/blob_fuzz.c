/* Blobs: the header, and a whole file checked and opened without belonging to anything. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "seal/blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct body body = {.content_key = {7}, .plain_len = 100, .in_blob = true};
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	int fd CLEANUP(fd_close) = memfd_create("blob", MFD_CLOEXEC);

	if (blob_decode_header(str_of(data, len), body.blob_id) < 0)
		return 0;
	assert(fd >= 0);
	if (len < BLOB_HEADER_LEN + BLOB_TRAILER_LEN || fd_write_all(fd, str_of(data, len)) < 0)
		return 0;
	body.sealed_len = len - BLOB_HEADER_LEN - BLOB_TRAILER_LEN;
	if (blob_check(fd) == 0)
		assert(blob_file_len(&body) == len);
	if (blob_open(fd, &body, &text) == 0)
		assert(text.len == body.plain_len);
	return 0;
}
