#include "store/room.h"

#include <errno.h>
#include <sys/vfs.h>

#include "base/num.h"

int room_check(int fd, uint64_t len)
{
	struct statfs fs;
	uint64_t needed;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	uint64_t block = (uint64_t)fs.f_bsize;
	uint64_t reserve = fs.f_blocks / ROOM_RESERVE_PART;
	if (block == 0)
		return 0; /* one that does not say */
	if (reserve > ROOM_RESERVE_MAX / block)
		reserve = ROOM_RESERVE_MAX / block;
	if (!num_add64(reserve, len / block + 1, &needed))
		return -ENOSPC;
	return fs.f_bavail < needed ? -ENOSPC : 0;
}
