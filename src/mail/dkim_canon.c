#include "mail/dkim_canon.h"

#include <assert.h>

#include <openssl/evp.h>

#include "mail/tag_list.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* --- header fields --- */

/* Line ends become CRLF, and nothing else changes. */
static bool canon_simple(struct str field, struct buf *out)
{
	while (field.len > 0) {
		size_t end = str_index(field, '\n');
		bool ends = end < field.len;
		struct str line = str_first(field, end);
		field = str_from(field, end + 1);
		if (ends && line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		buf_add(out, line);
		if (ends || field.len == 0)
			buf_add(out, STR("\r\n"));
	}
	return !buf_failed(out);
}

/* Appends the value unfolded, each run of white space as one space, none at the ends. */
static bool add_relaxed(struct str value, struct buf *out)
{
	char *to = buf_reserve(out, value.len);
	size_t len = 0;
	bool has_space = false;

	if (to == NULL)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		if (c == '\n' || (c == '\r' && i + 1 < value.len && value.p[i + 1] == '\n'))
			continue;
		if (is_blank(c)) {
			has_space = true;
			continue;
		}
		if (has_space && len > 0)
			to[len++] = ' ';
		has_space = false;
		to[len++] = c;
	}
	buf_commit(out, len);
	return true;
}

static bool canon_relaxed(struct str field, struct buf *out)
{
	size_t colon = str_index(field, ':');
	struct str name = str_trim(str_first(field, colon));
	struct str value = str_from(field, colon + 1);

	for (size_t i = 0; i < name.len; i++)
		buf_add_c(out, ascii_lower(name.p[i]));
	buf_add_c(out, ':');
	if (str_ends(value, STR("\r")))
		value.len--;
	add_relaxed(value, out);
	return buf_add(out, STR("\r\n")) && !buf_failed(out);
}

bool dkim_canon_field(enum dkim_canon canon, struct str field, struct buf *out)
{
	return canon == DKIM_RELAXED ? canon_relaxed(field, out) : canon_simple(field, out);
}

/* Where the value of the tag `b` lies in the field: from behind "=" to before ";" or the end. */
static bool find_signature(struct str field, size_t *ret_from, size_t *ret_to)
{
	size_t at = str_index(field, ':') + 1;

	while (at < field.len) {
		struct str rest = str_from(field, at);
		size_t len = str_index(rest, ';');
		struct str spec = str_first(rest, len);
		size_t equals = str_index(spec, '=');
		if (equals < spec.len && str_eq(str_trim(str_first(spec, equals)), STR("b"))) {
			*ret_from = at + equals + 1;
			*ret_to = at + len;
			return true;
		}
		at += len + 1;
	}
	return false;
}

bool dkim_canon_signature(enum dkim_canon canon, struct str field, struct buf *out)
{
	struct buf bare CLEANUP(buf_done) = BUF_MAX(field.len + 1);
	size_t from = field.len, to = field.len;
	bool ended = str_ends(field, STR("\n"));
	size_t start = out->len;

	if (find_signature(field, &from, &to)) {
		bool is_last = to == field.len;
		buf_add(&bare, str_first(field, from));
		buf_add(&bare, str_from(field, to));
		if (is_last && ended)
			buf_add_c(&bare, '\n');
	} else {
		buf_add(&bare, field);
	}
	if (!dkim_canon_field(canon, buf_str(&bare), out))
		return false;
	if (out->len > start)  /* of nothing nothing is made */
		out->len -= 2; /* CRLF */
	return true;
}

void dkim_hash(struct str bytes, uint8_t ret_hash[static DKIM_HASH_LEN])
{
	int ok = EVP_Digest(bytes.p, bytes.len, ret_hash, NULL, EVP_sha256(), NULL);
	assert(ok == 1);
}

/* --- bodies --- */

void dkim_body_begin(struct dkim_body *b, enum dkim_canon canon, uint64_t limit)
{
	*b = (struct dkim_body){.hash = EVP_MD_CTX_new(), .canon = canon, .left = limit};
	int ok = b->hash != NULL && EVP_DigestInit_ex(b->hash, EVP_sha256(), NULL) == 1;
	assert(ok);
}

static void hash(struct dkim_body *b, struct str bytes)
{
	struct str part = str_first(bytes, b->left < bytes.len ? (size_t)b->left : bytes.len);

	b->len += bytes.len;
	if (part.len == 0)
		return;
	b->left -= b->left == DKIM_BODY_WHOLE ? 0 : part.len;
	int ok = EVP_DigestUpdate(b->hash, part.p, part.len);
	assert(ok == 1);
}

/* What was held back because it might have been the end: it was not. */
static void hash_held(struct dkim_body *b)
{
	for (; b->empty_lines > 0; b->empty_lines--)
		hash(b, STR("\r\n"));
	if (b->has_space)
		hash(b, STR(" "));
	b->has_space = false;
	b->in_line = true;
}

static bool is_held(const struct dkim_body *b)
{
	return b->empty_lines > 0 || b->has_space || !b->in_line;
}

static void end_line(struct dkim_body *b)
{
	/* relaxed: white space at the end of a line does not count */
	b->has_space = false;
	b->in_line = false;
	b->empty_lines++;
}

/*
 * So many bytes at the front of `s` are the same in the body's form, and are hashed as they stand:
 * up to a line end, white space that may change, or a CR that may be part of a line end.
 */
static size_t plain_len(const struct dkim_body *b, struct str s)
{
	if (b->canon == DKIM_SIMPLE) {
		size_t end = str_index(s, '\n'); /* of a piece that ends in CR: that may be half */
		return end > 0 && s.p[end - 1] == '\r' ? end - 1 : end;
	}
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c > ' ')
			continue;
		if (c == '\n' || c == '\r' || c == '\t')
			return i;
		if (c == ' ' && (i + 1 == s.len || (unsigned char)s.p[i + 1] <= ' '))
			return i;
	}
	return s.len;
}

/* A run of lines that are wholly plain and not empty: most of most bodies. */
static size_t plain_lines_len(const struct dkim_body *b, struct str s)
{
	size_t len = 0;

	for (;;) {
		struct str rest = str_from(s, len);
		size_t line = plain_len(b, rest);
		if (line == 0 || line + 2 > rest.len || rest.p[line] != '\r' ||
		    rest.p[line + 1] != '\n')
			return len;
		len += line + 2;
	}
}

/* Hashes all but the last line end of the run, which may be the body's last. */
static size_t add_plain_lines(struct dkim_body *b, struct str s)
{
	size_t len = plain_lines_len(b, s);

	if (len == 0)
		return 0;
	if (is_held(b))
		hash_held(b);
	hash(b, str_first(s, len - 2));
	end_line(b);
	return len;
}

static void add_cr(struct dkim_body *b)
{
	b->has_cr = false;
	if (is_held(b))
		hash_held(b);
	hash(b, STR("\r"));
}

static void add_byte(struct dkim_body *b, char c)
{
	if (c == '\n') {
		b->has_cr = false;
		end_line(b);
	} else if (c == '\r') {
		b->has_cr = true;
	} else {
		b->has_space = true;
	}
}

static size_t add_some(struct dkim_body *b, struct str piece)
{
	/* more of the white space that is held back */
	if (b->has_space && is_blank(piece.p[0]))
		return 1;
	size_t len = add_plain_lines(b, piece);
	if (len > 0)
		return len;
	len = plain_len(b, piece);
	if (len == 0) {
		add_byte(b, piece.p[0]);
		return 1;
	}
	if (is_held(b))
		hash_held(b);
	hash(b, str_first(piece, len));
	return len;
}

void dkim_body_add(struct dkim_body *b, struct str piece)
{
	while (piece.len > 0) {
		if (b->has_cr && piece.p[0] != '\n')
			add_cr(b);
		piece = str_from(piece, add_some(b, piece));
	}
}

void dkim_body_end(struct dkim_body *b, uint8_t ret_hash[static DKIM_HASH_LEN])
{
	if (b->has_cr)
		add_cr(b);
	b->has_space = false;
	/* "simple": an empty body is one CRLF; "relaxed": it is nothing (§3.4.3, §3.4.4) */
	if (b->in_line || b->len > 0 || b->canon == DKIM_SIMPLE)
		hash(b, STR("\r\n"));
	int ok = EVP_DigestFinal_ex(b->hash, ret_hash, NULL);
	assert(ok == 1);
	EVP_MD_CTX_free(b->hash);
	b->hash = NULL;
}
