#include "pop3/multiline.h"

/* Bytes within a line, without LF. */
static void write_part(struct pop3_multiline *m, struct str part, struct buf *out)
{
	if (part.len == 0)
		return;
	if (m->line_len == 0 && part.p[0] == '.')
		buf_add_c(out, '.');
	buf_add(out, part);
	m->octets += part.len;
	m->line_len += part.len;
	m->after_cr = part.p[part.len - 1] == '\r';
}

/* False when this was the last line wanted. */
static bool end_line(struct pop3_multiline *m, struct buf *out)
{
	bool empty = m->line_len == 0 || (m->line_len == 1 && m->after_cr);

	buf_add(out, m->after_cr ? STR("\n") : STR("\r\n"));
	m->octets += m->after_cr ? 1 : 2;
	m->line_len = 0;
	m->after_cr = false;
	if (!m->limited)
		return true;
	if (m->in_body)
		m->lines_left--;
	else
		m->in_body = empty;
	return !m->in_body || m->lines_left > 0;
}

bool pop3_multiline_write(struct pop3_multiline *m, struct str bytes, struct buf *out)
{
	while (bytes.len > 0) {
		size_t at = str_index(bytes, '\n');
		write_part(m, str_first(bytes, at), out);
		if (at == bytes.len)
			return true;
		bytes = str_from(bytes, at + 1);
		if (!end_line(m, out))
			return false;
	}
	return true;
}

void pop3_multiline_end(struct pop3_multiline *m, struct buf *out)
{
	if (m->line_len > 0) {
		buf_add(out, STR("\r\n"));
		m->octets += 2;
		m->line_len = 0;
	}
	buf_add(out, STR(".\r\n"));
}
