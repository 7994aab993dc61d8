#include "store/blob_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

struct blob_file_writer {
	int blobs_fd;
	int fd;
	char temporary[TEMPORARY_LEN + 1]; /* empty once it has its name */
	struct blob_writer *blob;
};

/*
 * Nobody writes to it again. The file may be linked into several accounts' folders, and sessions
 * all have one user: whoever controls one session must not get at the others' messages through it.
 */
static int begin(struct blob_file_writer *w, mode_t mode)
{
	if (fchmod(w->fd, mode & 0440) < 0)
		return -errno;
	return blob_writer_new(w->fd, &w->blob);
}

int blob_file_writer_new(int blobs_fd, mode_t mode, struct blob_file_writer **ret_writer)
{
	struct blob_file_writer *w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	*w = (struct blob_file_writer){.blobs_fd = blobs_fd, .fd = -1};
	temporary_name(w->temporary);
	int error = io_open(blobs_fd, w->temporary, O_RDWR | O_CREAT | O_EXCL, mode, &w->fd);
	if (error)
		w->temporary[0] = '\0';
	else
		error = begin(w, mode);
	if (error)
		blob_file_writer_free(&w);
	else
		*ret_writer = w;
	return error;
}

void blob_file_writer_free(struct blob_file_writer **writer)
{
	struct blob_file_writer *w = *writer;
	*writer = NULL;
	if (!w)
		return;
	if (w->temporary[0] != '\0') {
		int left = io_unlink(w->blobs_fd, w->temporary, false);
		(void)left; /* the sweep finds it */
	}
	blob_writer_free(&w->blob);
	fd_close(&w->fd);
	free(w);
}

int blob_file_writer_add(struct blob_file_writer *w, struct str piece)
{
	return blob_writer_add(w->blob, piece);
}

int blob_file_writer_end(struct blob_file_writer *w, struct body *ret_body)
{
	struct body body = {0};
	char name[BLOB_NAME_LEN + 1];
	int error = blob_writer_end(w->blob, &body);
	if (!error)
		error = io_fsync(w->fd);
	if (!error) {
		blob_name(body.blob_id, name);
		error = io_rename(w->blobs_fd, w->temporary, w->blobs_fd, name);
	}
	if (!error) {
		w->temporary[0] = '\0';
		*ret_body = body;
	}
	body_wipe(&body);
	return error;
}

int blob_file_write(
    int blobs_fd, mode_t mode, const struct str *parts, size_t n_parts, struct body *ret_body)
{
	struct blob_file_writer *w CLEANUP(blob_file_writer_free) = NULL;
	int error = blob_file_writer_new(blobs_fd, mode, &w);
	for (size_t i = 0; !error && i < n_parts; i++)
		error = blob_file_writer_add(w, parts[i]);
	return error ? error : blob_file_writer_end(w, ret_body);
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
