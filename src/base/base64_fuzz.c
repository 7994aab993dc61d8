/* What decodes must encode to the same text: base64 is strict, and so has one form only. */
#include <assert.h>

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { FUZZ_MAX = 1 << 20 };

static void check_hex(struct str s)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(FUZZ_MAX);
	struct buf again CLEANUP(buf_done) = BUF_MAX(FUZZ_MAX);

	if (!hex_decode(s, &bytes)) {
		assert(bytes.len == 0);
		return;
	}
	bool fits = hex_encode(buf_str(&bytes), &again);
	assert(fits && str_eq_nocase(buf_str(&again), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str s = str_of(data, len);
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(FUZZ_MAX);
	struct buf again CLEANUP(buf_done) = BUF_MAX(FUZZ_MAX);

	check_hex(s);
	if (!base64_decode(s, &bytes)) {
		assert(bytes.len == 0);
		return 0;
	}
	bool fits = base64_encode(buf_str(&bytes), &again);
	assert(fits && str_eq(buf_str(&again), s));
	return 0;
}
