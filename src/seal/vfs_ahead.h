/*
 * seal/vfs_ahead.h: reading ahead in a database file (internal to seal/).
 *
 * The leaves of a table lie between those of others, so the kernel does not see that somebody reads
 * one after the other, and each of them is waited for. But the pages above them name them in their
 * order. When a leaf and the one before it were read in that order, and it had to come from the
 * disk, the kernel is asked for the next AHEAD_PAGES of them.
 *
 * It only makes things faster: what it takes for a page above leaves may be anything, and the
 * numbers in it are only asked for. In a file that is in memory it does nothing.
 */
#ifndef SEAL_VFS_AHEAD_H
#define SEAL_VFS_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	AHEAD_PAGES = 128,
	AHEAD_BRANCHES = 4, /* tables that are gone through at the same time */
	AHEAD_SLOW_US = 40, /* a page in memory takes a tenth of that */
};

struct vfs_ahead;

/* `fd` (borrowed) is the file; given: vfs_ahead_free. */
struct vfs_ahead *vfs_ahead_new(int fd);
void vfs_ahead_free(struct vfs_ahead **ahead);

/* A page was read, and opened: its bytes, and how long reading it took. */
void vfs_ahead_read(
    struct vfs_ahead *ahead, uint32_t number, const uint8_t *page, uint64_t took_us);

/* How often the kernel was asked so far (for tests). */
uint64_t vfs_ahead_count(const struct vfs_ahead *ahead);

#endif
