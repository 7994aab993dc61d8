#include "store/blob_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/fd.h"
#include "store/io.h"

enum { RANDOM_LEN = 8, TEMPORARY_LEN = 5 + 2 * RANDOM_LEN };

/* A name under which no blob is looked for: ".new-" and random digits. */
static void temporary_name(char ret_name[static TEMPORARY_LEN + 1])
{
	uint8_t random[RANDOM_LEN];
	cipher_random(random, sizeof(random));
	struct buf name CLEANUP(buf_done) = BUF_MAX(TEMPORARY_LEN);
	buf_add(&name, STR(".new-"));
	hex_encode(str_of(random, sizeof(random)), &name);
	memcpy(ret_name, name.p, TEMPORARY_LEN);
	ret_name[TEMPORARY_LEN] = '\0';
}

/*
 * Nobody writes to it again. The file may be linked into several accounts' folders, and sessions
 * all have one user: whoever controls one session must not get at the others' messages through it.
 */
static int fill(int fd, mode_t mode, const struct str *parts, size_t n_parts, struct body *body)
{
	if (fchmod(fd, mode & 0440) < 0)
		return -errno;
	int error = blob_seal(fd, parts, n_parts, body);
	return error ? error : io_fsync(fd);
}

int blob_file_write(
    int blobs_fd, mode_t mode, const struct str *parts, size_t n_parts, struct body *ret_body)
{
	char temporary[TEMPORARY_LEN + 1];
	temporary_name(temporary);
	int fd CLEANUP(fd_close) = -1;
	int error = io_open(blobs_fd, temporary, O_RDWR | O_CREAT | O_EXCL, mode, &fd);
	if (error)
		return error;
	struct body body = {0};
	error = fill(fd, mode, parts, n_parts, &body);
	if (!error) {
		char name[BLOB_NAME_LEN + 1];
		blob_name(body.blob_id, name);
		error = io_rename(blobs_fd, temporary, blobs_fd, name);
	}
	if (error) {
		int left = io_unlink(blobs_fd, temporary, false);
		(void)left; /* the sweep finds it */
		body_wipe(&body);
		return error;
	}
	*ret_body = body;
	body_wipe(&body);
	return 0;
}

int blob_file_link(int from_blobs_fd, int to_blobs_fd, const struct body *body)
{
	char name[BLOB_NAME_LEN + 1];
	blob_name(body->blob_id, name);
	int error = io_link(from_blobs_fd, name, to_blobs_fd, name);
	return error == -EEXIST ? 0 : error;
}

void blob_file_remove(int blobs_fd, const struct body *body)
{
	char name[BLOB_NAME_LEN + 1];
	blob_name(body->blob_id, name);
	int left = io_unlink(blobs_fd, name, false);
	(void)left;
}
