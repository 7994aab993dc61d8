/* A path that was read can be read again and alone, and is what stood there. */
#include <assert.h>

#include "base/utf8.h"
#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size);
	struct smtp_path path;
	if (smtp_reverse_path_cut(&rest, &path) && path.mailbox.len > 0) {
		assert(path.mailbox.len <= SMTP_MAILBOX_MAX && path.local.len <= SMTP_LOCAL_MAX);
		assert(path.local.len + 1 + path.domain.len == path.mailbox.len);
		assert(smtp_mailbox_is_valid(path.mailbox));
		assert(utf8_is_valid(path.mailbox));
		assert(path.non_ascii == !utf8_is_ascii(path.mailbox));
		assert(rest.len < size);
	}
	rest = str_of(data, size);
	if (smtp_forward_path_cut(&rest, &path))
		assert(path.mailbox.len > 0);
	if (smtp_hello_name_is_valid(str_of(data, size)))
		assert(utf8_is_ascii(str_of(data, size)));
	(void)!smtp_domain_is_valid(str_of(data, size));
	return 0;
}
