/* Bytes of a client as compressed input: unpacked in small pieces, whatever they are. */
#include <assert.h>
#include <errno.h>

#include "session/imap/compression.h"

enum { OUTPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct imap_compression *c = imap_compression_new(
	    str_of(data, len < COMPRESSION_INPUT_LEN ? len : COMPRESSION_INPUT_LEN));
	size_t all = 0, n = 0;
	char to[700];
	int r = 0;

	while (r == 0 && all < OUTPUT_MAX) {
		r = imap_compression_read(c, -1, to, sizeof(to), &n);
		assert(r < 0 || (n > 0 && n <= sizeof(to)));
		all += r == 0 ? n : 0;
	}
	assert(r == 0 || r == -EPROTO || r == -EBADF);
	imap_compression_free(c);
	return 0;
}
