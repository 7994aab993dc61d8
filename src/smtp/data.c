#include "smtp/data.h"

/*
 * The length of the line at `p` with its CRLF, 0 where there is no complete one yet; `*ret_fault`
 * is MORE where nothing is wrong so far.
 */
static size_t line_len(const char *p, size_t len, size_t max, enum smtp_data *ret_fault)
{
	*ret_fault = SMTP_DATA_MORE;
	size_t look = len < max ? len : max;
	const char *cr = memchr(p, '\r', look);
	const char *lf = memchr(p, '\n', cr ? (size_t)(cr - p) : look);
	if (lf || (cr && cr + 1 < p + len && cr[1] != '\n')) {
		*ret_fault = SMTP_DATA_BARE;
		return 0;
	}
	if (cr && cr + 2 <= p + look)
		return (size_t)(cr + 2 - p);
	if (len >= max)
		*ret_fault = SMTP_DATA_LONG_LINE;
	return 0;
}

/*   data-line = ["." at the start: removed] *text CRLF;   end = "." CRLF */
enum smtp_data smtp_data_next(struct str *rest, struct str *ret_run)
{
	struct str s = *rest;
	*ret_run = str_of(s.p, 0);
	if (str_skip(rest, STR(".\r\n")))
		return SMTP_DATA_END;
	size_t dot = s.len > 0 && s.p[0] == '.' ? 1 : 0;
	size_t at = dot;
	enum smtp_data fault = SMTP_DATA_MORE;
	while (at < s.len && (at == dot || s.p[at] != '.')) {
		size_t len = line_len(s.p + at, s.len - at, SMTP_TEXT_LINE_MAX, &fault);
		if (len == 0)
			break;
		at += len;
	}
	if (at == dot)
		return fault;
	*ret_run = str_of(s.p + dot, at - dot);
	*rest = str_from(s, at);
	return SMTP_DATA_RUN;
}

enum smtp_data smtp_data_skip(struct str *rest)
{
	size_t cr = str_index(*rest, '\r');
	if (str_index(str_first(*rest, cr), '\n') < cr)
		return SMTP_DATA_BARE;
	struct str end = str_from(*rest, cr);
	if (end.len < 2) {
		*rest = end;
		return SMTP_DATA_MORE;
	}
	if (end.p[1] != '\n')
		return SMTP_DATA_BARE;
	*rest = str_from(end, 2);
	return SMTP_DATA_RUN;
}

enum smtp_data smtp_text_check(struct str *rest)
{
	while (rest->len > 0) {
		enum smtp_data fault;
		size_t len = line_len(rest->p, rest->len, SMTP_TEXT_LINE_MAX, &fault);
		if (len == 0)
			return fault;
		*rest = str_from(*rest, len);
	}
	return SMTP_DATA_MORE;
}
