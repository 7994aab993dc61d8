/* Any bytes as parameters: at most so many, and decoded values are UTF-8. */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(len * 2 + 64 * 1024);
	struct mime_params params = {0};

	assert(mime_params_parse(str_of(data, len), &a, MIME_PARAMS_MAX, &params) == 0);
	assert(params.n <= MIME_PARAMS_MAX);
	for (size_t i = 0; i < params.n; i++) {
		struct buf value CLEANUP(buf_done) = BUF_MAX(4096);
		struct str name = params.list[i].name;
		(void)mime_param(&params, str_first(name, str_index(name, '*')), &value);
		assert(utf8_is_valid(buf_str(&value)));
		assert(str_index(params.list[i].value, '\n') == params.list[i].value.len);
	}
	return 0;
}
