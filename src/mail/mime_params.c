/* The parameters of Content-Type and Content-Disposition: reading them, and RFC 2231. */
#include <errno.h>

#include "base/num.h"
#include "mail/charset.h"
#include "mail/encoded_word.h"
#include "mail/mime.h"

/*
 * RFC 2045 §5.1 and RFC 2231 §7:
 *   parameter := attribute "=" value      value := token / quoted-string
 *   extended-parameter := attribute "*" "=" charset "'" language "'" *ext-octet / other-sections
 * Lenient: values with spaces and specials that should have been quoted reach to the next ";".
 */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void mime_skip_cfws(struct str *rest)
{
	size_t depth = 0, i = 0;

	for (; i < rest->len; i++) {
		char c = rest->p[i];
		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && !is_space(c))
			break;
	}
	*rest = str_from(*rest, i);
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' || s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	}
	return true;
}

/* Without line ends and, in a quoted string, without the backslashes of quoted pairs. */
static bool clean(struct str s, bool quoted, struct arena *a, struct str *ret_clean)
{
	if (is_plain(s)) {
		*ret_clean = s;
		return true;
	}
	char *to = arena_alloc(a, s.len);
	size_t len = 0;
	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (quoted && s.p[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
			to[len++] = s.p[i];
	}
	*ret_clean = str_of(to, len);
	return true;
}

/* Cuts a quoted string's inside off, from behind its first quote. */
static struct str take_quoted(struct str *rest)
{
	size_t i = 0;

	while (i < rest->len && rest->p[i] != '"')
		i += rest->p[i] == '\\' && i + 1 < rest->len ? 2 : 1;
	struct str text = str_first(*rest, i);
	*rest = str_from(*rest, i + 1);
	return text;
}

/* A token; with what follows up to the ";", when that is more than comments. */
static struct str take_unquoted(struct str *rest)
{
	struct str all = *rest;
	size_t n = 0;

	while (n < all.len && !is_space(all.p[n]) && all.p[n] != ';' && all.p[n] != '(')
		n++;
	*rest = str_from(all, n);
	mime_skip_cfws(rest);
	if (rest->len == 0 || rest->p[0] == ';')
		return str_first(all, n);
	n = str_index(all, ';');
	*rest = str_from(all, n);
	return str_trim(str_first(all, n));
}

/* One parameter and the ";" behind it. False when nothing there is one. */
static bool take_param(
    struct str *rest, struct str *ret_name, struct str *ret_value, bool *ret_quoted)
{
	size_t n = 0;

	mime_skip_cfws(rest);
	while (n < rest->len && rest->p[n] != '=' && rest->p[n] != ';' && !is_space(rest->p[n]))
		n++;
	struct str name = str_first(*rest, n);
	*rest = str_from(*rest, n);
	mime_skip_cfws(rest);
	if (!str_skip(rest, STR("="))) {
		(void)str_cut(rest, ';');
		return false;
	}
	mime_skip_cfws(rest);
	*ret_quoted = str_skip(rest, STR("\""));
	*ret_value = *ret_quoted ? take_quoted(rest) : take_unquoted(rest);
	*ret_name = name;
	(void)str_cut(rest, ';');
	return name.len > 0;
}

static int collect_params(
    struct str text, struct arena *a, size_t n_max, struct mime_params *ret_params)
{
	struct mime_param found[MIME_PARAMS_MAX];
	size_t n = 0;

	while (text.len > 0 && n < num_min(n_max, MIME_PARAMS_MAX)) {
		struct str name, value;
		bool quoted;
		if (!take_param(&text, &name, &value, &quoted))
			continue;
		if (!clean(name, false, a, &found[n].name) ||
		    !clean(value, quoted, a, &found[n].value))
			return -E2BIG;
		n++;
	}
	if (n == 0)
		return 0;
	struct mime_param *list = ARENA_NEW_ARRAY(a, struct mime_param, n);
	if (list == NULL)
		return -E2BIG;
	memcpy(list, found, n * sizeof(found[0]));
	*ret_params = (struct mime_params){.list = list, .n = n};
	return 0;
}

int mime_params_parse(
    struct str text, struct arena *a, size_t n_max, struct mime_params *ret_params)
{
	/* Most parts have none: spare them the table. */
	return text.len == 0 ? 0 : collect_params(text, a, n_max, ret_params);
}

bool mime_param_raw(const struct mime_params *params, struct str name, struct str *ret_value)
{
	for (size_t i = 0; i < params->n; i++) {
		if (str_eq_nocase(params->list[i].name, name)) {
			*ret_value = params->list[i].value;
			return true;
		}
	}
	return false;
}

/* --- RFC 2231 --- */

/* RFC 2231 §3, §4: what stands between the attribute's name and its "=". */
struct section {
	bool numbered;
	size_t number;
	bool extended; /* percent-encoded */
};

static bool section_of(struct str attribute, struct str name, struct section *ret_section)
{
	struct section section = {0};
	uint64_t number = 0;

	if (!str_skip_nocase(&attribute, name) || !str_skip(&attribute, STR("*")))
		return false;
	if (attribute.len == 0) {
		*ret_section = (struct section){.extended = true};
		return true;
	}
	section.extended = str_ends(attribute, STR("*"));
	attribute.len -= section.extended;
	if (!num_parse(attribute, MIME_PARAMS_MAX, &number))
		return false;
	section.numbered = true;
	section.number = number;
	*ret_section = section;
	return true;
}

/* ext-octet := "%" 2(DIGIT / "A" … "F"); a "%" that starts none stands for itself. */
static void add_percent_decoded(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		int high = -1, low = -1;
		if (s.p[i] == '%' && s.len - i > 2) {
			high = ascii_hex(s.p[i + 1]);
			low = ascii_hex(s.p[i + 2]);
		}
		if (high < 0 || low < 0) {
			buf_add_c(out, s.p[i]);
			continue;
		}
		buf_add_c(out, (char)(high << 4 | low));
		i += 2;
	}
}

/* extended-initial-value := [charset] "'" [language] "'" *ext-octet: cuts the first two off. */
static struct str take_charset(struct str *value)
{
	size_t first = str_index(*value, '\'');
	struct str behind = str_from(*value, first + 1);
	size_t second = str_index(behind, '\'');

	if (first == value->len || second == behind.len)
		return STR("");
	struct str charset = str_first(*value, first);
	*value = str_from(behind, second + 1);
	return charset;
}

/* Adds the section with this number, or the unnumbered one; false when there is none. */
static bool add_section(const struct mime_params *params, struct str name, struct section want,
    struct str *charset, struct buf *bytes)
{
	for (size_t i = 0; i < params->n; i++) {
		struct section section;
		if (!section_of(params->list[i].name, name, &section) ||
		    section.numbered != want.numbered || section.number != want.number)
			continue;
		struct str value = params->list[i].value;
		if (section.extended && section.number == 0)
			*charset = take_charset(&value);
		if (section.extended)
			add_percent_decoded(value, bytes);
		else
			buf_add(bytes, value);
		return true;
	}
	return false;
}

/* All bytes of the parameter, if it is one of RFC 2231's. */
static bool join_sections(
    const struct mime_params *params, struct str name, struct str *charset, struct buf *bytes)
{
	struct section want = {0};

	if (add_section(params, name, want, charset, bytes))
		return true;
	want.numbered = true;
	while (want.number < MIME_PARAMS_MAX && add_section(params, name, want, charset, bytes))
		want.number++;
	return want.number > 0;
}

static size_t values_len(const struct mime_params *params)
{
	size_t len = 0;

	for (size_t i = 0; i < params->n; i++)
		len += params->list[i].value.len;
	return len;
}

bool mime_param(const struct mime_params *params, struct str name, struct buf *out)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(values_len(params));
	struct str charset = STR(""), raw;

	if (join_sections(params, name, &charset, &bytes))
		return charset_to_utf8(charset, buf_str(&bytes), out);
	return mime_param_raw(params, name, &raw) && encoded_word_decode(raw, out);
}

bool mime_filename(const struct mime_part *part, struct buf *out)
{
	return mime_param(&part->disposition_params, STR("filename"), out) ||
	       (!buf_failed(out) && mime_param(&part->type_params, STR("name"), out));
}
