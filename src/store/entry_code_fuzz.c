/* Any bytes as a kept list: what is read can be written, and reads the same. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "store/entry_code.h"
#include "store/view_entries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 24);
	struct view_entries e = {0}, again = {0};
	int error = entry_code_read(str_of(data, len), &e);

	assert(error == 0 || error == -EBADMSG);
	if (error == 0) {
		for (size_t i = 1; i < e.n; i++)
			assert(e.v[i - 1].uid < e.v[i].uid);
		bool written = entry_code_write(&e, UINT32_MAX, &out);
		assert(written);
		error = entry_code_read(buf_str(&out), &again);
		size_t n = e.n - (e.n > 0 && e.v[e.n - 1].uid == UINT32_MAX);
		assert(error == 0 && again.n == n && again.n_flag_sets == e.n_flag_sets);
		assert(n == 0 || memcmp(again.v, e.v, n * sizeof(*e.v)) == 0);
	}
	view_entries_done(&e);
	view_entries_done(&again);
	return 0;
}
