#include "sieve/lex.h"

#include "base/num.h"
#include "base/utf8.h"

/* Moves over `len` bytes, and keeps line and column in step. */
static void advance(struct sieve_lexer *lexer, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)lexer->rest.p[i];
		if (c == '\n') {
			lexer->place.line++;
			lexer->place.column = 1;
		} else if ((c & 0xc0) != 0x80) { /* not a continuation of a code point */
			lexer->place.column++;
		}
	}
	lexer->rest = str_from(lexer->rest, len);
}

static void give_up(struct sieve_lexer *lexer)
{
	lexer->rest = str_from(lexer->rest, lexer->rest.len);
	lexer->is_over = true;
}

/* The place of the first byte that no script may hold; the script's length where there is none. */
static size_t first_wrong_byte(struct str script)
{
	struct str rest = script;

	while (rest.len > 0) {
		size_t at = script.len - rest.len;
		bool is_bare_cr = rest.p[0] == '\r' && !str_starts(rest, STR("\r\n"));
		int code_point = utf8_next(&rest);
		if (code_point == UTF8_INVALID || code_point == 0 || is_bare_cr)
			return at;
	}
	return script.len;
}

static const char *what_is_wrong(char byte)
{
	switch (byte) {
	case '\0':
		return "a NUL stands here, which no script may hold";
	case '\r':
		return "a CR without its LF stands here; lines end with CRLF or LF";
	default:
		return "this byte is not UTF-8; a script has to be UTF-8 throughout";
	}
}

void sieve_lexer_init(struct sieve_lexer *lexer, struct str script, struct arena *arena,
    struct sieve_problems *problems)
{
	*lexer = (struct sieve_lexer){
	    .rest = script, .place = {1, 1}, .arena = arena, .problems = problems};
	if (script.len > SIEVE_SCRIPT_LEN_MAX) {
		sieve_problem_add(problems, lexer->place,
		    "the script has %zu bytes; at most %d are taken", script.len,
		    SIEVE_SCRIPT_LEN_MAX);
		give_up(lexer);
		return;
	}
	size_t wrong = first_wrong_byte(script);
	if (wrong == script.len)
		return;
	char byte = script.p[wrong];
	advance(lexer, wrong);
	sieve_problem_add(problems, lexer->place, "%s", what_is_wrong(byte));
	give_up(lexer);
}

/*
 * white-space     = 1*(SP / CRLF / HTAB) / comment
 * comment         = bracket-comment / hash-comment
 * bracket-comment = "/" "*" … "*" "/"                  ; ends at the first one, and does not nest
 * hash-comment    = "#" *octet-not-crlf CRLF           ; the end of the script ends it too
 */
static void skip_white_space(struct sieve_lexer *lexer)
{
	for (;;) {
		struct str rest = lexer->rest;
		size_t len = 0;
		while (len < rest.len && memchr(" \t\r\n", rest.p[len], 4) != NULL)
			len++;
		advance(lexer, len);
		rest = lexer->rest;
		if (str_starts(rest, STR("#"))) {
			advance(lexer, str_index(rest, '\n'));
		} else if (str_starts(rest, STR("/*"))) {
			size_t end = str_find(str_from(rest, 2), STR("*/"));
			if (end == rest.len - 2) {
				sieve_problem_add(lexer->problems, lexer->place,
				    "this comment does not end; it wants a */");
				advance(lexer, rest.len);
				return;
			}
			advance(lexer, end + 4);
		} else {
			return;
		}
	}
}

static bool is_identifier_char(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_';
}

/* identifier = (ALPHA / "_") *(ALPHA / DIGIT / "_"); 0 where none stands at the front */
static size_t identifier_len(struct str s)
{
	size_t len = 0;

	if (s.len == 0 || ascii_is_digit(s.p[0]))
		return 0;
	while (len < s.len && is_identifier_char(s.p[len]))
		len++;
	return len;
}

static struct sieve_token wrong(struct sieve_place place)
{
	return (struct sieve_token){.kind = SIEVE_TOKEN_WRONG, .place = place};
}

/* A full arena is the script's fault: its trees are larger than what a script may cost. */
static struct sieve_token too_large(struct sieve_lexer *lexer, struct sieve_place place)
{
	sieve_problem_add(
	    lexer->problems, place, "the script needs more memory than a script may take");
	give_up(lexer);
	return wrong(place);
}

/* The next `len` bytes as a name in small letters. */
static struct sieve_token name(
    struct sieve_lexer *lexer, enum sieve_token_kind kind, size_t skip, size_t len)
{
	struct sieve_token token = {.kind = kind, .place = lexer->place};
	char *lower = arena_alloc(lexer->arena, len);

	if (lower == NULL)
		return too_large(lexer, token.place);
	if (len > SIEVE_NAME_LEN_MAX) {
		sieve_problem_add(lexer->problems, token.place,
		    "a name has at most %d characters; this one has %zu", SIEVE_NAME_LEN_MAX, len);
		advance(lexer, skip + len);
		return wrong(token.place);
	}
	for (size_t i = 0; i < len; i++)
		lower[i] = ascii_lower(lexer->rest.p[skip + i]);
	token.text = str_of(lower, len);
	advance(lexer, skip + len);
	return token;
}

/* --- numbers --- */

static uint64_t quantifier(char c)
{
	switch (ascii_lower(c)) {
	case 'k':
		return UINT64_C(1) << 10;
	case 'm':
		return UINT64_C(1) << 20;
	case 'g':
		return UINT64_C(1) << 30;
	default:
		return 0;
	}
}

/* number = 1*DIGIT [ QUANTIFIER ]; QUANTIFIER = "K" / "M" / "G" */
static struct sieve_token number(struct sieve_lexer *lexer)
{
	struct sieve_token token = {.kind = SIEVE_TOKEN_NUMBER, .place = lexer->place};
	struct str rest = lexer->rest;
	uint64_t times = 1;
	size_t len = 0;

	while (len < rest.len && ascii_is_digit(rest.p[len]))
		len++;
	bool fits = num_parse(str_first(rest, len), SIEVE_NUMBER_MAX, &token.number);
	if (len < rest.len && quantifier(rest.p[len]) != 0)
		times = quantifier(rest.p[len++]);
	bool runs_on = len < rest.len && is_identifier_char(rest.p[len]);
	while (len < rest.len && is_identifier_char(rest.p[len]))
		len++;
	advance(lexer, len);
	if (runs_on) {
		sieve_problem_add(lexer->problems, token.place,
		    "after a number K, M or G may stand, nothing else: \"%.*s\"",
		    STR_FMT(str_first(str_first(rest, len), 40)));
		return wrong(token.place);
	}
	if (!fits || token.number > SIEVE_NUMBER_MAX / times) {
		sieve_problem_add(lexer->problems, token.place,
		    "this number is too large; the largest is %llu",
		    (unsigned long long)SIEVE_NUMBER_MAX);
		return wrong(token.place);
	}
	token.number *= times;
	return token;
}

/* --- strings --- */

/* The bytes of a string as they are found; never more than twice those of the script (LF → CRLF).
 */
struct writing {
	char *p;
	size_t len;
};

static void put(struct writing *to, char c)
{
	if (c == '\r') /* only with an LF, which writes both */
		return;
	if (c == '\n')
		to->p[to->len++] = '\r';
	to->p[to->len++] = c;
}

/* Room for what `source` stands for. */
static bool writing_begin(struct sieve_lexer *lexer, struct str source, struct writing *ret_to)
{
	size_t len = source.len;

	for (size_t i = 0; i < source.len; i++)
		len += source.p[i] == '\n';
	*ret_to = (struct writing){.p = arena_alloc(lexer->arena, len)};
	return ret_to->p != NULL;
}

/* How many bytes stand before the quote that ends a string; all of them where none does. */
static size_t quoted_len(struct str rest)
{
	size_t len = 0;

	while (len < rest.len && rest.p[len] != '"')
		len += rest.p[len] == '\\' && len + 1 < rest.len ? 2 : 1;
	return len;
}

/*
 * quoted-string  = DQUOTE quoted-text DQUOTE
 * quoted-text    = *(quoted-safe / quoted-special / quoted-other)
 * quoted-special = "\" (DQUOTE / "\")
 * quoted-other   = "\" octet-not-qspecial              ; stands for that octet
 */
static struct sieve_token quoted_string(struct sieve_lexer *lexer)
{
	struct sieve_token token = {.kind = SIEVE_TOKEN_STRING, .place = lexer->place};
	struct str rest = str_from(lexer->rest, 1);
	struct str text = str_first(rest, quoted_len(rest));
	struct writing to;

	if (text.len == rest.len) {
		sieve_problem_add(
		    lexer->problems, token.place, "this string does not end; it wants a \"");
		advance(lexer, lexer->rest.len);
		return wrong(token.place);
	}
	if (!writing_begin(lexer, text, &to))
		return too_large(lexer, token.place);
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\')
			i++;
		put(&to, text.p[i]);
	}
	token.text = str_of(to.p, to.len);
	advance(lexer, text.len + 2);
	return token;
}

/* Where the text behind "text:" begins: after spaces, a comment and the line's end. 0 for none. */
static size_t multi_line_begin(struct str rest)
{
	size_t at = 0;

	while (at < rest.len && (rest.p[at] == ' ' || rest.p[at] == '\t'))
		at++;
	struct str line = str_from(rest, at);
	bool is_comment = str_starts(line, STR("#"));
	size_t end = str_index(line, '\n');
	if (end == line.len)
		return 0;
	if (!is_comment && !str_starts(line, STR("\n")) && !str_starts(line, STR("\r\n")))
		return 0;
	return at + end + 1;
}

/* The bytes of `text` up to the line that is "." alone; `text.len` where there is none. */
static size_t multi_line_len(struct str text)
{
	struct str rest = text;

	while (rest.len > 0) {
		size_t at = text.len - rest.len;
		if (str_eq(str_cut_line(&rest), STR(".")))
			return at;
	}
	return text.len;
}

/*
 * multi-line          = "text:" *(SP / HTAB) (hash-comment / CRLF)
 *                       *(multiline-literal / multiline-dotstart) "." CRLF
 * multiline-literal   = [ octet-not-period *octet-not-crlf ] CRLF
 * multiline-dotstart  = "." 1*octet-not-crlf CRLF      ; of two dots at the front one is left out
 */
static struct sieve_token multi_line(struct sieve_lexer *lexer)
{
	struct sieve_token token = {.kind = SIEVE_TOKEN_STRING, .place = lexer->place};
	struct str rest = str_from(lexer->rest, STR("text:").len);
	size_t begin = multi_line_begin(rest);
	struct writing to;

	if (begin == 0) {
		sieve_problem_add(lexer->problems, token.place,
		    "after \"text:\" the line has to end; the text begins on the next one");
		advance(lexer, STR("text:").len);
		return wrong(token.place);
	}
	rest = str_from(rest, begin);
	struct str text = str_first(rest, multi_line_len(rest));
	if (text.len == rest.len) {
		sieve_problem_add(lexer->problems, token.place,
		    "this text does not end; it wants a line with a \".\" alone");
		advance(lexer, lexer->rest.len);
		return wrong(token.place);
	}
	if (!writing_begin(lexer, text, &to))
		return too_large(lexer, token.place);
	for (size_t i = 0; i < text.len; i++) {
		bool begins_line = i == 0 || text.p[i - 1] == '\n';
		if (begins_line && text.p[i] == '.' && i + 1 < text.len && text.p[i + 1] == '.')
			continue;
		put(&to, text.p[i]);
	}
	token.text = str_of(to.p, to.len);
	advance(lexer, STR("text:").len + begin + text.len + 1);
	return token;
}

/* --- a token --- */

static struct sieve_token unknown_character(struct sieve_lexer *lexer)
{
	struct sieve_place place = lexer->place;
	struct str rest = lexer->rest;

	(void)utf8_next(&rest);
	sieve_problem_add(lexer->problems, place, "\"%.*s\" does not belong here",
	    STR_FMT(str_first(lexer->rest, lexer->rest.len - rest.len)));
	advance(lexer, lexer->rest.len - rest.len);
	return wrong(place);
}

static struct sieve_token tag(struct sieve_lexer *lexer)
{
	size_t len = identifier_len(str_from(lexer->rest, 1));
	struct sieve_place place = lexer->place;

	if (len > 0)
		return name(lexer, SIEVE_TOKEN_TAG, 1, len);
	sieve_problem_add(
	    lexer->problems, place, "after a colon the name of a tag has to stand, as in \":is\"");
	advance(lexer, 1);
	return wrong(place);
}

static struct sieve_token separator(struct sieve_lexer *lexer)
{
	struct sieve_token token = {.kind = SIEVE_TOKEN_SEPARATOR,
	    .place = lexer->place,
	    .text = str_first(lexer->rest, 1)};

	advance(lexer, 1);
	return token;
}

struct sieve_token sieve_lex(struct sieve_lexer *lexer)
{
	skip_white_space(lexer);
	if (lexer->rest.len == 0)
		return (struct sieve_token){.kind = SIEVE_TOKEN_END, .place = lexer->place};
	char c = lexer->rest.p[0];
	if (memchr(";,{}[]()", c, 8) != NULL)
		return separator(lexer);
	if (c == '"')
		return quoted_string(lexer);
	if (c == ':')
		return tag(lexer);
	if (ascii_is_digit(c))
		return number(lexer);
	if (str_starts_nocase(lexer->rest, STR("text:")))
		return multi_line(lexer);
	size_t len = identifier_len(lexer->rest);
	if (len > 0)
		return name(lexer, SIEVE_TOKEN_IDENTIFIER, 0, len);
	return unknown_character(lexer);
}
