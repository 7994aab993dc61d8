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
			assert(view_entries_uid(&e, i - 1) < view_entries_uid(&e, i));
		bool written = entry_code_write(&e, UINT32_MAX, &out);
		assert(written);
		error = entry_code_read(buf_str(&out), &again);
		size_t n = e.n - (e.n > 0 && view_entries_uid(&e, e.n - 1) == UINT32_MAX);
		assert(error == 0 && again.n == n && again.n_flag_sets == e.n_flag_sets);
		for (size_t i = 0; i < n; i++) {
			struct view_entry x = view_entries_get(&e, i),
			                  y = view_entries_get(&again, i);
			assert(memcmp(&x, &y, sizeof(x)) == 0);
		}
	}
	view_entries_done(&e);
	view_entries_done(&again);
	return 0;
}
