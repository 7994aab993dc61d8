#include "mail/base_subject.h"

/*
 * RFC 5256 §5:
 *   subject      = *subj-leader [subj-middle] *subj-trailer
 *   subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
 *   subj-blob    = "[" *BLOBCHAR "]" *WSP
 *   subj-fwd     = subj-fwd-hdr subject subj-fwd-trl
 *   subj-fwd-hdr = "[fwd:"
 *   subj-fwd-trl = "]"
 *   subj-leader  = (*subj-blob subj-refwd) / WSP
 *   subj-middle  = *subj-blob (subj-base / subj-fwd)
 *   subj-trailer = "(fwd)" / WSP
 */

/* (1): tabs, line ends and runs of spaces are one space. */
static void add_one_spaced(struct str text, struct buf *out)
{
	bool spaced = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		bool is_space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
		if (is_space && spaced)
			continue;
		spaced = is_space;
		if (!buf_add_c(out, is_space ? ' ' : c))
			return;
	}
}

static void skip_spaces(struct str *rest)
{
	while (str_skip(rest, STR(" ")))
		;
}

/* (2) */
static bool cut_trailers(struct str *s)
{
	static const struct str forwarded = STR_INIT("(fwd)");
	bool is_reply = false;

	for (;;) {
		if (str_ends(*s, STR(" "))) {
			s->len--;
		} else if (s->len >= forwarded.len &&
		           str_eq_nocase(str_from(*s, s->len - forwarded.len), forwarded)) {
			s->len -= forwarded.len;
			is_reply = true;
		} else {
			return is_reply;
		}
	}
}

/* Skips a subj-blob. */
static bool skip_blob(struct str *rest)
{
	if (!str_starts(*rest, STR("[")))
		return false;
	for (size_t i = 1; i < rest->len && rest->p[i] != '['; i++) {
		if (rest->p[i] != ']')
			continue;
		*rest = str_from(*rest, i + 1);
		skip_spaces(rest);
		return true;
	}
	return false;
}

/* Skips a subj-refwd. */
static bool skip_refwd(struct str *rest)
{
	struct str at = *rest;

	if (!str_skip_nocase(&at, STR("re")) && !str_skip_nocase(&at, STR("fwd")) &&
	    !str_skip_nocase(&at, STR("fw")))
		return false;
	skip_spaces(&at);
	(void)skip_blob(&at);
	if (!str_skip(&at, STR(":")))
		return false;
	*rest = at;
	return true;
}

/*
 * (3), (4) and (5). A run of blobs is looked at once: without a subj-refwd behind it, its blobs go
 * one by one, but for the last where nothing would be left.
 */
static bool cut_leaders(struct str *s)
{
	bool is_reply = false;

	for (;;) {
		skip_spaces(s);
		struct str last = *s, rest = *s;
		while (rest.len > 0 && rest.p[0] == '[') {
			last = rest;
			if (!skip_blob(&rest))
				break;
		}
		if (!skip_refwd(&rest)) {
			*s = rest.len > 0 ? rest : last;
			return is_reply;
		}
		is_reply = true;
		*s = rest;
	}
}

/* (6) */
static bool cut_forward(struct str *s)
{
	struct str inside = *s;

	if (!str_ends(inside, STR("]")) || !str_skip_nocase(&inside, STR("[fwd:")))
		return false;
	inside.len--;
	*s = inside;
	return true;
}

struct str base_subject(struct str decoded, struct buf *space, bool *ret_is_reply)
{
	size_t start = space->len;
	bool is_reply = false;

	add_one_spaced(decoded, space);
	struct str s = str_from(buf_str(space), start);
	do {
		is_reply |= cut_trailers(&s);
		is_reply |= cut_leaders(&s);
	} while (cut_forward(&s) && (is_reply = true));
	*ret_is_reply = is_reply;
	return s;
}
