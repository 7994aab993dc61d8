#include "mail/line_end.h"

size_t line_end_missing(struct str message)
{
	const char *p = message.p, *end = p + message.len;
	size_t n = 0;

	if (message.len == 0)
		return 0;
	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n += p == message.p || p[-1] != '\r';
		if (++p == end)
			return n;
	}
	return n + strlen("\r\n");
}
