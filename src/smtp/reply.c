#include "smtp/reply.h"

#include <assert.h>

bool smtp_reply_format(struct smtp_reply reply, struct buf *out)
{
	assert(reply.code >= 200 && reply.code <= 599);
	struct str rest = reply.text;
	do {
		struct str line = str_cut(&rest, '\n');
		buf_add_u64(out, reply.code);
		buf_add_c(out, rest.len > 0 ? '-' : ' ');
		if (reply.enhanced)
			buf_printf(
			    out, "%u.%u.%u ", reply.code / 100u, reply.subject, reply.detail);
		buf_add(out, str_first(line, SMTP_REPLY_LINE_MAX - 20));
		buf_add(out, STR("\r\n"));
	} while (rest.len > 0);
	return !buf_failed(out);
}
