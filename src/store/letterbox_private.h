/* store/letterbox_private.h: what letterbox.c and letterbox_reader.c share. */
#ifndef STORE_LETTERBOX_PRIVATE_H
#define STORE_LETTERBOX_PRIVATE_H

#include <sys/types.h>
#include <time.h>

#include "store/letterbox.h"

/*
 * Segments stay open for what is read next of them: bodies are asked for in any order. One that was
 * removed meanwhile is a hole in whoever has it open still.
 */
enum { LETTERBOX_OPEN_MAX = 24 };
struct letterbox_open {
	int fd; /* -1: none */
	uint32_t segment;
	bool header_seen;
	uint64_t used; /* when, in reads */
};

struct letterbox {
	uint64_t account_id;
	int account_fd;         /* our own */
	int folder_fd;          /* the lock is on it */
	mode_t file_mode;       /* of new segments, as the folder's */
	uint32_t last;          /* the highest segment number seen; 0: not looked yet */
	struct timespec listed; /* the folder's time then, where it tells of every later change */

	/* Appending; valid under the lock, a hint otherwise. */
	bool locked;
	int fd; /* of segment `end.segment` */
	struct letterbox_place end;
	struct letterbox_place start; /* the end when the lock was taken */
	bool folder_dirty;            /* the name of the segment may not be durable */
	bool distrust;                /* a sync failed: begin a new segment */
	int sync_error; /* of what was appended under this lock: the kernel says it once only */

	/* Reading single records. */
	struct letterbox_open open[LETTERBOX_OPEN_MAX];
	uint64_t n_reads;
};

/* Opens a segment for reading and writing, or only reading. -ENOENT. */
MUST_USE int letterbox_open_segment(
    struct letterbox *l, uint32_t number, bool write, int *ret_fd, uint64_t *ret_len);

/* The same for reading, borrowed until the next call or letterbox_rest; its length only where asked
 * for. */
MUST_USE int letterbox_keep_open(
    struct letterbox *l, uint32_t number, struct letterbox_open **ret_open, uint64_t *ret_len);

/* The highest segment; 0 in `l->last` when there is none. */
MUST_USE int letterbox_find_last(struct letterbox *l);

/* True when the last bytes before `len` are the end of a record or hole that begins in the file. */
MUST_USE int letterbox_check_tail(int fd, uint64_t len, bool *ret_whole);

#endif
