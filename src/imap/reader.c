#include "imap/reader.h"

#include <assert.h>
#include <stdlib.h>

#include "base/num.h"

enum { TAIL_LEN = 64 }; /* of a refused line: enough to see the literal that it announces */

struct imap_reader {
	struct imap_limits limits;
	struct imap_spooler spooler; /* `begin` is NULL: none */
	bool spooling;               /* the literal under way */
	size_t n_spooled, here_len;
	struct buf text;
	struct str *literals;
	size_t n_literals, cap_literals;
	size_t literals_len;

	char *literal;                     /* the one under way */
	size_t literal_want, literal_have; /* its length, and what is there */
	bool in_literal;

	const char *refusal; /* the command is over a limit */
	bool too_big;
	size_t discarded;
	size_t discard_want; /* bytes of a refused literal still to come */
	bool started, append;
	char tag[IMAP_TAG_LEN_MAX];
	size_t tag_len;
};

struct imap_reader *imap_reader_new(const struct imap_limits *limits)
{
	struct imap_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort();
	r->limits = *limits;
	r->text = BUF_MAX(limits->text_len);
	return r;
}

static void wipe(char *p, size_t len)
{
	if (len > 0)
		explicit_bzero(p, len);
}

/* Literals may be passwords; only small ones can be. */
static void free_literals(struct imap_reader *r)
{
	for (size_t i = 0; i < r->n_literals; i++) {
		char *p = (char *)(uintptr_t)r->literals[i].p;
		if (p == NULL)
			continue;
		wipe(p, num_min(r->literals[i].len, IMAP_LITERAL_LEN_BEFORE_LOGIN_MAX));
		free(p);
	}
	r->n_literals = 0;
	free(r->literal);
	r->literal = NULL;
	if (r->n_spooled > 0)
		r->spooler.forget(r->spooler.context);
	r->n_spooled = r->here_len = 0;
	r->spooling = false;
}

void imap_reader_spool(struct imap_reader *r, const struct imap_spooler *spooler)
{
	r->spooler = *spooler;
}

void imap_reader_free(struct imap_reader *r)
{
	if (r == NULL)
		return;
	free_literals(r);
	free(r->literals);
	wipe(r->text.p, r->text.len);
	buf_done(&r->text);
	free(r);
}

void imap_reader_reset(struct imap_reader *r)
{
	free_literals(r);
	wipe(r->text.p, r->text.len);
	if (r->text.cap > 4096)
		buf_done(&r->text);
	else
		buf_clear(&r->text);
	r->text.max = r->limits.text_len;
	r->literals_len = 0;
	r->in_literal = false;
	r->literal_want = r->literal_have = 0;
	r->refusal = NULL;
	r->too_big = false;
	r->discarded = r->discard_want = 0;
	r->started = r->append = false;
	r->tag_len = 0;
}

bool imap_reader_idle(const struct imap_reader *r)
{
	return !r->started;
}

struct imap_text imap_reader_text(const struct imap_reader *r)
{
	return (struct imap_text){buf_str(&r->text), r->literals, r->n_literals};
}

struct str imap_reader_tag(const struct imap_reader *r)
{
	return r->tag_len > 0 ? str_of(r->tag, r->tag_len) : STR("*");
}

const char *imap_reader_refusal(const struct imap_reader *r)
{
	return r->refusal;
}

bool imap_reader_too_big(const struct imap_reader *r)
{
	return r->too_big;
}

static bool is_tag(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || memchr("(){%*\"\\+", s.p[i], 8) != NULL)
			return false;
	return s.len > 0 && s.len <= IMAP_TAG_LEN_MAX;
}

/* Remembers the tag, which a refusal needs, and whether literals are messages. */
static void look_at_first_line(struct imap_reader *r)
{
	struct str rest = buf_str(&r->text);
	struct str tag = str_cut(&rest, ' ');

	if (r->tag_len == 0 && is_tag(tag)) {
		memcpy(r->tag, tag.p, tag.len);
		r->tag_len = tag.len;
	}
	struct str name = str_cut(&rest, ' ');
	if (str_eq_nocase(name, STR("UID")))
		name = str_cut(&rest, ' ');
	r->append = str_eq_nocase(name, STR("APPEND")) || str_eq_nocase(name, STR("REPLACE"));
}

/* The command is over a limit; what comes of it from here on is only looked at for its end. */
static void refuse(struct imap_reader *r, const char *why, bool too_big)
{
	if (r->refusal != NULL)
		return;
	if (r->n_literals == 0 && r->literal == NULL)
		look_at_first_line(r);
	r->refusal = why;
	r->too_big = too_big;
	free_literals(r);
}

/* Adds text of the line under way; of a refused one only the tail is kept. */
static void add_text(struct imap_reader *r, struct str piece)
{
	if (r->refusal == NULL && r->text.len + piece.len <= r->limits.text_len) {
		buf_add(&r->text, piece);
		return;
	}
	if (r->refusal == NULL) {
		buf_add(&r->text, str_first(piece, r->limits.text_len - r->text.len));
		refuse(r, "line too long", false);
	}
	if (piece.len > TAIL_LEN)
		piece = str_from(piece, piece.len - TAIL_LEN);
	if (r->text.len > TAIL_LEN)
		buf_consume(&r->text, r->text.len - TAIL_LEN);
	r->text.max = 2 * TAIL_LEN;
	buf_add(&r->text, piece);
}

struct announcement {
	uint64_t len;
	bool synchronising;
};

/*
 * literal = "{" number64 ["+"] "}" CRLF *CHAR8 (RFC 9051 §9; literal8 has a "~" before it). A
 * number beyond 2^63 counts as that: too big in any case.
 */
static bool is_announcement(struct str line, struct announcement *ret)
{
	struct announcement a = {.synchronising = true};
	size_t end = line.len;

	if (end < 3 || line.p[end - 1] != '}')
		return false;
	end--;
	if (line.p[end - 1] == '+') {
		a.synchronising = false;
		end--;
	}
	size_t start = end;
	while (start > 0 && ascii_is_digit(line.p[start - 1]))
		start--;
	if (start == end || start == 0 || line.p[start - 1] != '{')
		return false;
	if (!num_parse(str_of(line.p + start, end - start), INT64_MAX, &a.len))
		a.len = INT64_MAX;
	*ret = a;
	return true;
}

static void check_literal(struct imap_reader *r, uint64_t len)
{
	bool message = r->append && r->limits.message_len > 0;
	size_t all = message ? r->limits.messages_len : r->limits.literal_len;

	if (message && len > r->limits.message_len)
		refuse(r, "message too big", true);
	else if (len > all || r->literals_len > all - len)
		refuse(r, message ? "messages too big" : "literal too big", message);
	else if (r->n_literals == IMAP_LITERALS_MAX)
		refuse(r, "too many literals", false);
	else if (r->text.len + 2 > r->limits.text_len)
		refuse(r, "line too long", false);
}

static void push_literal(struct imap_reader *r)
{
	if (r->n_literals == r->cap_literals) {
		r->cap_literals = r->cap_literals > 0 ? 2 * r->cap_literals : 4;
		r->literals = reallocarray(r->literals, r->cap_literals, sizeof(*r->literals));
		if (r->literals == NULL)
			abort();
	}
	r->literals[r->n_literals++] = (struct str){r->literal, r->literal_want};
	r->literal = NULL;
	r->in_literal = r->spooling = false;
}

static bool is_to_be_spooled(const struct imap_reader *r, size_t len)
{
	const struct imap_spooler *s = &r->spooler;

	return s->begin != NULL && r->append && len > 0 &&
	       (len >= s->from || r->here_len + len > s->here_max);
}

/* A line that announces a literal is complete. */
static enum imap_read begin_literal(struct imap_reader *r, const struct announcement *a)
{
	check_literal(r, a->len);
	if (r->refusal != NULL) {
		if (a->synchronising)
			return IMAP_READ_REFUSED;
		if (a->len > IMAP_DISCARD_MAX - r->discarded)
			return IMAP_READ_FATAL;
		r->discarded += a->len;
		r->discard_want = a->len;
		buf_clear(&r->text);
		return IMAP_READ_MORE;
	}
	buf_add(&r->text, STR("\r\n"));
	if (is_to_be_spooled(r, a->len)) {
		r->spooler.begin(r->spooler.context);
		r->spooling = true;
		r->n_spooled++;
	} else {
		r->literal = malloc(a->len > 0 ? a->len : 1);
		if (r->literal == NULL)
			abort();
		r->here_len += a->len;
	}
	r->literals_len += a->len;
	r->literal_want = a->len;
	r->literal_have = 0;
	r->in_literal = true;
	return a->synchronising ? IMAP_READ_CONTINUE : IMAP_READ_MORE;
}

/* A line end was seen; the line is in `text` without it. */
static enum imap_read end_line(struct imap_reader *r)
{
	struct announcement a;

	if (r->text.len > 0 && r->text.p[r->text.len - 1] == '\r')
		r->text.len--;
	if (r->refusal == NULL && r->n_literals == 0)
		look_at_first_line(r);
	if (is_announcement(buf_str(&r->text), &a))
		return begin_literal(r, &a);
	return r->refusal != NULL ? IMAP_READ_REFUSED : IMAP_READ_COMMAND;
}

static void feed_literal(struct imap_reader *r, struct str *rest)
{
	size_t len = num_min(rest->len, r->literal_want - r->literal_have);

	if (r->spooling)
		r->spooler.add(r->spooler.context, str_first(*rest, len));
	else if (len > 0)
		memcpy(r->literal + r->literal_have, rest->p, len);
	r->literal_have += len;
	*rest = str_from(*rest, len);
}

char *imap_reader_room(struct imap_reader *r, size_t *ret_len)
{
	bool direct = r->in_literal && !r->spooling;

	*ret_len = direct ? r->literal_want - r->literal_have : 0;
	return direct ? r->literal + r->literal_have : NULL;
}

void imap_reader_filled(struct imap_reader *r, size_t len)
{
	assert(r->in_literal && !r->spooling && len <= r->literal_want - r->literal_have);
	r->literal_have += len;
}

/* Bytes that belong to a literal, kept or thrown away; true while more of it is missing. */
static bool feed_inside(struct imap_reader *r, struct str *rest)
{
	if (r->in_literal) {
		feed_literal(r, rest);
		if (r->literal_have < r->literal_want)
			return true;
		push_literal(r);
	}
	size_t skip = num_min(r->discard_want, rest->len);
	r->discard_want -= skip;
	*rest = str_from(*rest, skip);
	return r->discard_want > 0;
}

enum imap_read imap_reader_feed(struct imap_reader *r, struct str *rest)
{
	for (;;) {
		if (feed_inside(r, rest) || rest->len == 0)
			return IMAP_READ_MORE;
		r->started = true;
		size_t len = str_index(*rest, '\n');
		bool whole = len < rest->len;
		add_text(r, str_first(*rest, len));
		*rest = str_from(*rest, whole ? len + 1 : len);
		if (!whole)
			return IMAP_READ_MORE;
		enum imap_read result = end_line(r);
		if (result != IMAP_READ_MORE)
			return result;
	}
}
