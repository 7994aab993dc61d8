#include "mail/mime_scan.h"

#include <assert.h>

#include "base/num.h"

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

/* FNV-1a, continued from `hash`. */
static uint64_t hash_on(uint64_t hash, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

static unsigned char *bucket_of(struct mime_scan *scan, uint64_t hash)
{
	return &scan->buckets[(hash ^ hash >> 32) % MIME_SCAN_BUCKETS];
}

void mime_scan_open(struct mime_scan *scan, struct str boundary)
{
	size_t level = scan->n_boundaries;
	uint64_t hash = hash_on(hash_start, boundary);
	unsigned char *bucket = bucket_of(scan, hash);

	assert(level < MIME_DEPTH_MAX && boundary.len > 0);
	scan->boundaries[level] = boundary;
	scan->hashes[level] = hash;
	scan->next[level] = *bucket;
	*bucket = (unsigned char)(level + 1);
	scan->n_boundaries++;
	scan->longest = num_max(scan->longest, boundary.len);
}

void mime_scan_close(struct mime_scan *scan)
{
	assert(scan->n_boundaries > 0);
	size_t level = --scan->n_boundaries;
	*bucket_of(scan, scan->hashes[level]) = scan->next[level];
}

/* The innermost open boundary that is `text`, or SCAN_NO_LEVEL. */
static int find_boundary(struct mime_scan *scan, struct str text, uint64_t hash)
{
	for (size_t i = *bucket_of(scan, hash); i > 0; i = scan->next[i - 1]) {
		if (scan->hashes[i - 1] == hash && str_eq(scan->boundaries[i - 1], text))
			return (int)i - 1;
	}
	return SCAN_NO_LEVEL;
}

/* True, with `level` and `closes`, when the line is a delimiter of an open multipart. */
static bool match_delimiter(struct mime_scan *scan, struct str line)
{
	if (scan->n_boundaries == 0 || line.len < 3 || line.p[0] != '-' || line.p[1] != '-')
		return false;
	struct str text = str_from(without_padding(line), 2);
	if (text.len == 0 || text.len > scan->longest + 2)
		return false;
	struct str inner = str_first(text, text.len - (str_ends(text, STR("--")) ? 2 : 0));
	uint64_t inner_hash = hash_on(hash_start, inner);
	uint64_t hash = hash_on(inner_hash, str_from(text, inner.len));
	int opens = find_boundary(scan, text, hash);
	int closes = inner.len < text.len ? find_boundary(scan, inner, inner_hash) : SCAN_NO_LEVEL;
	if (opens == SCAN_NO_LEVEL && closes == SCAN_NO_LEVEL)
		return false;
	scan->closes = closes > opens;
	scan->level = scan->closes ? closes : opens;
	return true;
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
