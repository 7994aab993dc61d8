/* Fuzz target: addresses in the directory's spelling: parsing is stable and shows what it read. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "directory/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(65536);
	struct buf shown CLEANUP(buf_done) = BUF_MAX(4 * NAME_LEN_MAX);
	struct name name;
	struct name again;
	struct name user;
	if (!name_parse(str_of(data, len), &a, &name))
		return 0;
	assert(name.local.len > 0 && name.local.len <= NAME_FOLDED_LEN_MAX && name.domain.len > 0);
	assert(name_display(&name, &shown));
	/* what is shown means the same; a fold may be longer than what may be typed */
	if (name.local.len <= NAME_LOCAL_LEN_MAX && name_parse(buf_str(&shown), &a, &again))
		assert(name_eq(&name, &again));
	if (name_without_tag(&name, &user))
		assert(user.local.len > 0 && user.local.len < name.local.len);
	return 0;
}
