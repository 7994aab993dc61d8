#include "mail/preview.h"

#include "base/utf8.h"
#include "mail/html_text.h"
#include "mail/text.h"

enum { PARTS_MAX = 1000, FIRST_LOOK_LEN = 2048 };

static bool is_shown(const struct mime_part *part, struct str subtype)
{
	return part->n_children == 0 && mime_is(part, STR("text"), subtype) &&
	       !str_eq_nocase(part->disposition, STR("attachment"));
}

static const struct mime_part *find_part(const struct mime_part *root, struct str subtype)
{
	const struct mime_part *part = root;

	for (size_t i = 0; part != NULL && i < PARTS_MAX; i++, part = mime_next(part))
		if (is_shown(part, subtype))
			return part;
	return NULL;
}

/* What is neither shown nor a space: controls, marks of direction and width, U+FFFD. */
static bool is_invisible(int c)
{
	return c < 0 || c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0xfffd;
}

static bool is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

/* Words that are gathered with single spaces between them. */
struct gathering {
	struct buf *out;
	size_t n; /* characters so far */
	bool space;
};

/* False when there is enough. */
static bool gather(struct gathering *g, struct str line)
{
	g->space = g->n > 0;
	while (line.len > 0) {
		char bytes[4];
		int c = utf8_next(&line);
		if (is_space(c)) {
			g->space = g->n > 0;
			continue;
		}
		if (is_invisible(c))
			continue;
		if (g->n + g->space >= PREVIEW_CHARACTERS_MAX)
			return false;
		if (g->space)
			buf_add_c(g->out, ' ');
		g->n += 1 + g->space;
		g->space = false;
		buf_add(g->out, str_of(bytes, utf8_put((unsigned)c, bytes)));
	}
	return true;
}

/* RFC 3676 §4.3: the line that separates a signature. */
static bool is_signature(struct str line)
{
	return str_eq(line, STR("-- ")) || str_eq(line, STR("--"));
}

/* True: there is enough, and what follows does not matter. */
static bool gather_lines(struct str text, bool quoted, struct buf *out)
{
	struct gathering g = {.out = out};

	while (text.len > 0) {
		struct str line = str_cut_line(&text);
		if (is_signature(line))
			return false;
		if (!quoted && line.len > 0 && line.p[0] == '>')
			continue;
		if (!gather(&g, line))
			return true;
	}
	return false;
}

/* Most texts say enough with their first lines: then the rest need not be converted. 1: so it is.
 */
static int write_first_lines(
    struct mail_source *message, const struct mime_part *part, struct buf *out)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(FIRST_LOOK_LEN);
	size_t before = out->len;
	int r = text_of_part(message, part, &text);

	if (r < 0)
		return r;
	if (gather_lines(buf_str(&text), false, out))
		return 1;
	out->len = before;
	return 0;
}

int preview_write(struct mail_source *message, const struct mime_part *root, struct buf *out)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(PREVIEW_LOOK_LEN);
	struct buf shown CLEANUP(buf_done) = BUF_MAX(PREVIEW_LOOK_LEN);
	const struct mime_part *part = find_part(root, STR("plain"));
	bool html = part == NULL && (part = find_part(root, STR("html"))) != NULL;
	size_t before = out->len;
	int r = part != NULL && !html ? write_first_lines(message, part, out) : 0;

	if (part == NULL || r != 0)
		return r < 0 ? r : 0;
	r = text_of_part(message, part, &text);
	if (r < 0)
		return r;
	if (html)
		(void)html_to_text(buf_str(&text), &shown);
	struct str lines = html ? buf_str(&shown) : buf_str(&text);
	(void)gather_lines(lines, false, out);
	if (out->len == before)
		(void)gather_lines(lines, true, out);
	return 0;
}
