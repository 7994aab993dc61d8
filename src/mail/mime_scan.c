#include "mail/mime_scan.h"

#include <assert.h>

#include "base/num.h"

static bool is_padding(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes of the message; none at its end and where they cannot be read. */
static struct str look(struct mime_scan *scan, size_t at)
{
	struct str bytes = {"", 0};

	if (scan->error == 0)
		scan->error = mail_source_look(scan->source, at, &bytes);
	return scan->error == 0 ? bytes : STR("");
}

/* Keeps what a delimiter could have of a piece of a line; false once the line cannot be one. */
static bool keep_start(struct mime_scan *scan, struct mime_line *line, struct str piece)
{
	struct str kept = str_first(piece, sizeof(scan->start) - line->start.len);

	memcpy(scan->start + line->start.len, kept.p, kept.len);
	line->start = str_of(scan->start, line->start.len + kept.len);
	for (size_t i = kept.len; i < piece.len; i++)
		if (!is_padding(piece.p[i]))
			return false;
	return true;
}

/* As much of a header as is kept of it. */
static void keep_header(struct mime_scan *scan, struct str piece)
{
	if (scan->header != NULL)
		buf_add(scan->header, str_first(piece, scan->header->max - scan->header->len));
}

/* The line at `at`, which lies in more than one window. */
static struct mime_line gather_line(struct mime_scan *scan)
{
	struct mime_line line = {.start = {scan->start, 0}, .gathered = true};
	bool candidate = true, whole = false;
	char before = 0;

	while (!whole) {
		struct str piece = look(scan, scan->at + line.len);
		size_t end = str_index(piece, '\n');
		if (piece.len == 0)
			break;
		whole = end < piece.len;
		piece = str_first(piece, whole ? end + 1 : end);
		candidate = candidate && keep_start(scan, &line, piece);
		keep_header(scan, piece);
		line.len += piece.len;
		before = piece.len > 1 ? piece.p[piece.len - 2] : before;
		line.end_len = !whole ? 0 : before == '\r' ? 2 : 1;
		before = piece.p[piece.len - 1];
	}
	if (!candidate)
		line.start = STR("");
	scan->gathered = line;
	scan->gathered_at = scan->at;
	return line;
}

/* The line at `at`; nothing at the end. */
static struct mime_line line_here(struct mime_scan *scan)
{
	if (scan->gathered.gathered && scan->gathered_at == scan->at)
		return scan->gathered;
	struct str rest = look(scan, scan->at);
	size_t end = str_index(rest, '\n');
	bool whole = end < rest.len;
	if (!whole && scan->at + rest.len < scan->source->len)
		return gather_line(scan);
	struct mime_line line = {.start = str_first(rest, whole ? end + 1 : end)};
	line.len = line.start.len;
	line.end_len = !whole ? 0 : end > 0 && rest.p[end - 1] == '\r' ? 2 : 1;
	return line;
}

static void pass(struct mime_scan *scan, const struct mime_line *line)
{
	scan->at += line->len;
	scan->n_lines += line->end_len > 0;
	scan->last = *line;
}

void mime_scan_pass_line(struct mime_scan *scan)
{
	struct mime_line line = line_here(scan);

	pass(scan, &line);
}

static struct str without_padding(struct str line)
{
	while (line.len > 0 && is_padding(line.p[line.len - 1]))
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
	for (;;) {
		struct mime_line line = line_here(scan);
		if (line.len == 0 || match_delimiter(scan, line.start))
			return;
		pass(scan, &line);
	}
}

bool mime_scan_header(struct mime_scan *scan)
{
	scan->level = SCAN_NO_LEVEL;
	for (;;) {
		size_t kept = scan->header != NULL ? scan->header->len : 0;
		struct mime_line line = line_here(scan);
		if (line.len == 0 || match_delimiter(scan, line.start)) {
			if (scan->header != NULL)
				scan->header->len = kept;
			return false;
		}
		if (!line.gathered)
			keep_header(scan, line.start);
		pass(scan, &line);
		if (line.len == line.end_len)
			return true;
	}
}
