#include "mail/mime_scan.h"

/* The line at `at` with its line end. */
static struct str line_here(const struct mime_scan *scan)
{
	struct str rest = str_from(scan->all, scan->at);
	size_t end = str_index(rest, '\n');

	return str_first(rest, end < rest.len ? end + 1 : end);
}

static void pass(struct mime_scan *scan, struct str line)
{
	scan->at += line.len;
	scan->n_lines += line.len > 0 && line.p[line.len - 1] == '\n';
}

void mime_scan_pass_line(struct mime_scan *scan)
{
	pass(scan, line_here(scan));
}

static struct str without_padding(struct str line)
{
	while (line.len > 0 && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r' ||
	                           line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\t'))
		line.len--;
	return line;
}

/* True, with `level` and `closes`, when the line is a delimiter of an open multipart. */
static bool match_delimiter(struct mime_scan *scan, struct str line)
{
	if (scan->n_boundaries == 0 || line.len < 3 || line.p[0] != '-' || line.p[1] != '-')
		return false;
	struct str text = str_from(without_padding(line), 2);
	for (size_t i = scan->n_boundaries; i-- > 0;) {
		struct str boundary = scan->boundaries[i];
		bool open = text.len == boundary.len;
		bool close = text.len == boundary.len + 2 && str_ends(text, STR("--"));
		if ((open || close) && str_starts(text, boundary)) {
			scan->level = (int)i;
			scan->closes = close;
			return true;
		}
	}
	return false;
}

void mime_scan_to_delimiter(struct mime_scan *scan)
{
	scan->level = SCAN_NO_LEVEL;
	while (scan->at < scan->all.len) {
		struct str line = line_here(scan);
		if (match_delimiter(scan, line))
			return;
		pass(scan, line);
	}
}

bool mime_scan_header(struct mime_scan *scan)
{
	scan->level = SCAN_NO_LEVEL;
	while (scan->at < scan->all.len) {
		struct str line = line_here(scan);
		if (match_delimiter(scan, line))
			return false;
		pass(scan, line);
		if (str_eq(line, STR("\n")) || str_eq(line, STR("\r\n")))
			return true;
	}
	return false;
}

size_t mime_scan_line_end_before(const struct mime_scan *scan, size_t from)
{
	struct str before = str_from(str_first(scan->all, scan->at), from);

	if (str_ends(before, STR("\r\n")))
		return 2;
	return str_ends(before, STR("\n")) ? 1 : 0;
}
