/*
 * store/room.h: what new mail leaves free on the disk.
 *
 * A user whose disk is full must still be able to sign in, read and delete: that takes some room
 * for the database. So deliveries and APPEND stop before the last bytes are gone.
 */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H

#include <stdint.h>

#include "base/attr.h"

enum {
	ROOM_RESERVE_MAX = 64 << 20,
	ROOM_RESERVE_PART = 10, /* one part in so many, where that is less */
};

/* 0 when the file system of `fd` has room for `len` bytes of mail; -ENOSPC; -errno. */
MUST_USE int room_check(int fd, uint64_t len);

#endif
