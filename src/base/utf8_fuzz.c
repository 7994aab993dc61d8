/* Every code point that is cut off must be written back as the very bytes it was read from. */
#include <assert.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str all = str_of(data, len), rest = all;
	bool valid = true;

	while (rest.len > 0) {
		struct str before = rest;
		int code_point = utf8_next(&rest);
		size_t taken = before.len - rest.len;
		char bytes[4];

		if (code_point == UTF8_INVALID) {
			assert(taken == 1);
			valid = false;
			continue;
		}
		assert(utf8_put((unsigned)code_point, bytes) == taken);
		assert(memcmp(bytes, before.p, taken) == 0);
	}
	assert(utf8_is_valid(all) == valid);
	assert(!utf8_is_ascii(all) || valid);
	return 0;
}
