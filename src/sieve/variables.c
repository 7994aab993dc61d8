#include "sieve/variables.h"

#include "base/buf.h"
#include "base/num.h"

static bool is_identifier_char(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_';
}

/* num-variable / identifier at the front: its length, 0 for neither */
static size_t name_len(struct str s)
{
	bool is_number = s.len > 0 && ascii_is_digit(s.p[0]);
	size_t len = 0;

	while (len < s.len && (is_number ? ascii_is_digit(s.p[len]) : is_identifier_char(s.p[len])))
		len++;
	return len;
}

/* [namespace] variable-name: how long all of it is (0: none stands there) and where its last name
 * begins. A namespace begins with an identifier. */
static size_t reference_len(struct str s, size_t *ret_name_at)
{
	size_t at = 0;

	for (;;) {
		size_t len = name_len(str_from(s, at));
		if (len == 0)
			return 0;
		*ret_name_at = at;
		at += len;
		if (at == s.len || s.p[at] != '.' || (*ret_name_at == 0 && ascii_is_digit(s.p[0])))
			return at;
		at++;
	}
}

static bool find_or_add(struct sieve_checker *checker, struct str name, size_t *ret_index)
{
	for (size_t i = 0; i < checker->n_variables; i++)
		if (str_eq_nocase(checker->variables[i], name)) {
			*ret_index = i;
			return true;
		}
	if (checker->n_variables == SIEVE_VARIABLES_MAX)
		return false;
	checker->variables[checker->n_variables] = name;
	*ret_index = checker->n_variables++;
	return true;
}

/* A variable's index; tells what keeps it from having one. */
static bool index_of(
    struct sieve_checker *checker, struct sieve_place place, struct str name, size_t *ret_index)
{
	struct str shown = str_first(name, SIEVE_VARIABLE_NAME_LEN_MAX);

	if (name.len > SIEVE_VARIABLE_NAME_LEN_MAX)
		sieve_checker_tell(checker, place,
		    "the name of a variable has at most %d characters: %.*s",
		    SIEVE_VARIABLE_NAME_LEN_MAX, STR_FMT(shown));
	else if (!find_or_add(checker, name, ret_index))
		sieve_checker_tell(checker, place,
		    "a script has at most %d variables; %.*s is one more", SIEVE_VARIABLES_MAX,
		    STR_FMT(shown));
	else
		return true;
	return false;
}

bool sieve_variable_declare(
    struct sieve_checker *checker, const struct sieve_text *name, size_t *ret_index)
{
	struct str text = name->text, shown = str_first(text, SIEVE_VARIABLE_NAME_LEN_MAX);
	size_t name_at = 0;
	bool is_name =
	    name->pieces == NULL && text.len > 0 && reference_len(text, &name_at) == text.len;

	if (!is_name)
		sieve_checker_tell(
		    checker, name->place, "\"%.*s\" is not the name of a variable", STR_FMT(shown));
	else if (name_at > 0)
		sieve_checker_tell(checker, name->place,
		    "\"%.*s\" is in a namespace; there is none in which variables can be set",
		    STR_FMT(shown));
	else if (ascii_is_digit(text.p[0]))
		sieve_checker_tell(checker, name->place,
		    "${%.*s} is what a wildcard stood for; it cannot be set", STR_FMT(shown));
	else
		return index_of(checker, name->place, text, ret_index);
	return false;
}

/* What a reference stands for; tells why it cannot be. */
static bool resolve(struct sieve_checker *checker, struct sieve_place place, struct str reference,
    size_t name_at, struct sieve_piece *piece)
{
	uint64_t number;

	if (name_at > 0) {
		sieve_checker_tell(checker, place, "there is no namespace for ${%.*s}",
		    STR_FMT(str_first(reference, SIEVE_VARIABLE_NAME_LEN_MAX)));
		return false;
	}
	if (!ascii_is_digit(reference.p[0])) {
		piece->kind = SIEVE_PIECE_VARIABLE;
		return index_of(checker, place, reference, &piece->index);
	}
	piece->kind = SIEVE_PIECE_MATCH;
	if (!num_parse(reference, SIEVE_CAPTURES_MAX - 1, &number)) {
		sieve_checker_tell(checker, place,
		    "${%.*s}: of the wildcards of a key the first %d count",
		    STR_FMT(str_first(reference, SIEVE_VARIABLE_NAME_LEN_MAX)),
		    SIEVE_CAPTURES_MAX - 1);
		return false;
	}
	piece->index = number;
	return true;
}

/* The next reference in `s`: where it begins and ends, braces included. */
static bool find_reference(
    struct str s, size_t *ret_begin, size_t *ret_end, struct str *ret_name, size_t *ret_name_at)
{
	for (size_t at = 0; at < s.len; at++) {
		at += str_find(str_from(s, at), STR("${"));
		struct str inside = str_from(s, at + 2);
		size_t len = at < s.len ? reference_len(inside, ret_name_at) : 0;
		if (len == 0 || !str_starts(str_from(inside, len), STR("}")))
			continue;
		*ret_begin = at;
		*ret_end = at + 2 + len + 1;
		*ret_name = str_first(inside, len);
		return true;
	}
	return false;
}

static struct sieve_piece *add_piece(
    struct sieve_checker *checker, struct sieve_place place, struct sieve_piece ***tail)
{
	struct sieve_piece *piece = ARENA_NEW(checker->arena, struct sieve_piece);

	if (piece == NULL) {
		sieve_checker_tell(
		    checker, place, "the script needs more memory than a script may take");
		return NULL;
	}
	**tail = piece;
	*tail = &piece->next;
	return piece;
}

void sieve_variables_find(struct sieve_checker *checker, struct sieve_text *text)
{
	struct sieve_piece *first = NULL, **tail = &first, *piece;
	struct str rest = text->text, name;
	size_t begin, end, name_at;

	while (find_reference(rest, &begin, &end, &name, &name_at)) {
		if (begin > 0 && (piece = add_piece(checker, text->place, &tail)) != NULL)
			piece->literal = str_first(rest, begin);
		piece = add_piece(checker, text->place, &tail);
		if (piece == NULL || !resolve(checker, text->place, name, name_at, piece))
			return;
		rest = str_from(rest, end);
	}
	if (first != NULL && rest.len > 0 &&
	    (piece = add_piece(checker, text->place, &tail)) != NULL)
		piece->literal = rest;
	text->pieces = first;
}

void sieve_variables_expand(
    const struct sieve_run *run, const struct sieve_piece *pieces, struct buf *out)
{
	for (const struct sieve_piece *piece = pieces; piece != NULL; piece = piece->next) {
		struct str value = piece->literal;
		if (piece->kind == SIEVE_PIECE_VARIABLE)
			value = run->variables[piece->index];
		else if (piece->kind == SIEVE_PIECE_MATCH)
			value = piece->index < run->captures.n ? run->captures.text[piece->index]
			                                       : STR("");
		size_t room = out->max - out->len, len = num_min(value.len, room);
		while (len < value.len && len > 0 && ((unsigned char)value.p[len] & 0xc0) == 0x80)
			len--; /* not within a character */
		buf_add(out, str_first(value, len));
		if (len < value.len)
			return;
	}
}
