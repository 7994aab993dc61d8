/*
 * A base subject is a part of the subject, has no mark left that was to be removed, and is its own
 * base subject; its key is UTF-8, and the key of the key.
 */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "mail/base_subject.h"
#include "mail/casemap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf space CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf again CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf key CLEANUP(buf_done) = BUF_MAX(1 << 24);
	struct buf few CLEANUP(buf_done) = BUF_MAX(10);
	bool is_reply, still;

	if (len > 1 << 20)
		return 0;
	struct str base = base_subject(str_of(data, len), &space, &is_reply);
	assert(base.len <= space.len && base.p >= space.p);
	assert(!str_ends(base, STR(" ")) && !str_starts(base, STR(" ")));
	assert(str_eq(base_subject(base, &again, &still), base) && !still);
	assert(casemap_key(base, &key) && utf8_is_valid(buf_str(&key)));
	assert(casemap_key(base, &few) == (key.len <= 10));
	assert(str_starts(buf_str(&key), buf_str(&few)) && utf8_is_valid(buf_str(&few)));
	return 0;
}
