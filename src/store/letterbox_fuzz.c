/*
 * Any bytes as a segment file: reading comes to an end, stays inside the file, and gives only whole
 * records; appending behind it never changes what was there.
 *
 * The input is a list of pieces: `R` a good record, `H` a good hole, `Z` n zeros, `B` n bytes that
 * follow; so that good and bad stand beside each other in any order.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/letterbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ACCOUNT = 42, FILE_LEN_MAX = 1 << 16 };

static struct buf good = BUF_MAX(1 << 16); /* one record */
static int folder_fd = -1;

static void make_record(void)
{
	struct keys keys;
	struct body body;
	struct record_sender sender;
	struct str text = STR("Subject: fuzz\r\n\r\nbody\r\n");
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(4096);
	keys_new(ACCOUNT, 0, &keys);
	record_sender_init(&sender);
	if (body_seal(&text, 1, &sealed, &body) < 0 ||
	    record_seal(&sender, &keys.public, 1, STR("m"), &body, buf_str(&sealed), &good) < 0)
		abort();
	record_sender_done(&sender);
	keys_done(&keys);
}

static void remove_folder(void)
{
	for (unsigned i = 1; i <= 2; i++) {
		char name[32];
		snprintf(name, sizeof(name), "letterbox/%06u.seg", i);
		unlinkat(folder_fd, name, 0);
	}
	unlinkat(folder_fd, "letterbox", AT_REMOVEDIR);
	if (fchdir(folder_fd) == 0 && chdir("..") == 0) {
		char name[64];
		snprintf(name, sizeof(name), "gatepost-fuzz-%d", (int)getpid());
		rmdir(name);
	}
}

static void make_folder(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/gatepost-fuzz-%d", (int)getpid());
	if (mkdir(path, 0700) < 0)
		abort();
	folder_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0 || mkdirat(folder_fd, "letterbox", 0700) < 0)
		abort();
	atexit(remove_folder);
	make_record();
}

static void add_hole(struct buf *out, uint32_t len)
{
	uint8_t header[SEGMENT_HOLE_HEADER_LEN], trailer[SEGMENT_HOLE_TRAILER_LEN];
	segment_encode_hole(len, header, trailer);
	buf_add(out, str_of(header, sizeof(header)));
	for (uint32_t i = SEGMENT_HOLE_LEN_MIN; i < len; i++)
		buf_add_c(out, 0);
	buf_add(out, str_of(trailer, sizeof(trailer)));
}

/* The pieces as a file; how many whole records it was given. */
static size_t build(struct str pieces, struct buf *out)
{
	size_t n = 0;
	while (pieces.len >= 2) {
		size_t count = (unsigned char)pieces.p[1];
		char kind = pieces.p[0];
		pieces = str_from(pieces, 2);
		if (kind == 'R') {
			n += buf_add(out, buf_str(&good));
		} else if (kind == 'H') {
			add_hole(out, (uint32_t)(SEGMENT_HOLE_LEN_MIN + count));
		} else if (kind == 'Z') {
			for (size_t i = 0; i < count; i++)
				buf_add_c(out, 0);
		} else {
			buf_add(out, str_first(pieces, count));
			pieces = str_from(pieces, count);
		}
	}
	return n;
}

static void on_damage(void *ctx, struct letterbox_place place, const char *what)
{
	const struct buf *file = ctx;
	assert(place.segment != 1 || place.offset <= file->len);
	assert(what[0] != '\0');
}

/* Reads it all; how many records there were. */
static size_t read_all(struct buf *file)
{
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct letterbox_reader *r CLEANUP(letterbox_reader_free) = NULL;
	struct letterbox_place beginning = {1, 0}, last = beginning;
	struct letterbox_record record;
	if (letterbox_open(folder_fd, ACCOUNT, &l) < 0 ||
	    letterbox_reader_new(
	        l, beginning, (struct letterbox_damage_report){on_damage, file}, &r) < 0)
		abort();
	size_t n = 0;
	int found;
	while ((found = letterbox_reader_next(r, &record)) > 0) {
		assert(letterbox_place_cmp(last, record.place) < 0);
		assert(record.bytes.len == record.frame.total_len);
		last = record.place;
		n++;
	}
	assert(found == 0);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (folder_fd < 0)
		make_folder();
	struct buf file CLEANUP(buf_done) = BUF_MAX(FILE_LEN_MAX);
	uint8_t header[SEGMENT_HEADER_LEN];
	segment_encode_header(ACCOUNT, 1, header);
	buf_add(&file, str_of(header, sizeof(header)));
	build(str_of(data, len), &file);
	int fd CLEANUP(fd_close) =
	    openat(folder_fd, "letterbox/000001.seg", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, buf_str(&file)) < 0)
		abort();
	size_t before = read_all(&file);

	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct letterbox_place place;
	if (letterbox_open(folder_fd, ACCOUNT, &l) < 0 || letterbox_lock(l, 0) < 0 ||
	    letterbox_append(l, buf_str(&good), &place) < 0)
		abort();
	letterbox_close(&l);
	assert(place.segment == 2 || place.offset == file.len);
	char *again = malloc(file.len);
	if (!again || fd_pread_all(fd, again, file.len, 0) < 0)
		abort();
	assert(memcmp(again, file.p, file.len) == 0);
	free(again);
	assert(read_all(&file) == before + 1);
	unlinkat(folder_fd, "letterbox/000002.seg", 0);
	return 0;
}
