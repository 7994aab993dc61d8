/*
 * imap/parse.h: the words of IMAP's grammar (RFC 9051 §9) over one whole command.
 *
 * Each function takes its piece off the front and returns true, or notes what was expected and
 * where (the first failure stays) and returns false; the text is then of no use any more. Results
 * are borrowed from the command or lie in the parser's arena.
 *
 * It does not know commands (imap/command.h) and does not judge names.
 *
 * 8-bit bytes may stand in quoted strings and literals where they are UTF-8 (RFC 9051 §4.3), in
 * atoms never. NUL stands in literal8 alone.
 */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "imap/reader.h"

struct imap_parser {
	struct str rest;
	struct imap_text text;
	size_t literal;   /* the next one */
	size_t n_spooled; /* of those before it */
	struct arena *arena;
	const char *error; /* what was expected, NULL: no failure */
	size_t error_at;   /* byte of the command's text */
};

struct imap_parser imap_parser_of(struct imap_text text, struct arena *a);

/* Notes a failure here; false always. */
bool imap_fail(struct imap_parser *p, const char *expected);
/* The arena's ceiling was reached; false always. */
bool imap_fail_size(struct imap_parser *p);

/* Looking ahead: the next byte, '\0' at the end (NUL is no text of any command). */
char imap_peek(const struct imap_parser *p);
bool imap_at_end(const struct imap_parser *p);
/* Skips `c` or the word (any case; not followed by another atom character), if it stands there. */
bool imap_skip(struct imap_parser *p, char c);
bool imap_skip_word(struct imap_parser *p, struct str word);

MUST_USE bool imap_parse_char(struct imap_parser *p, char c);
MUST_USE bool imap_parse_space(struct imap_parser *p);
MUST_USE bool imap_parse_end(struct imap_parser *p);

MUST_USE bool imap_parse_tag(struct imap_parser *p, struct str *ret);
MUST_USE bool imap_parse_atom(struct imap_parser *p, struct str *ret);
MUST_USE bool imap_parse_string(struct imap_parser *p, struct str *ret);
/* NIL is told by `ret->p` NULL. */
MUST_USE bool imap_parse_nstring(struct imap_parser *p, struct str *ret);
MUST_USE bool imap_parse_astring(struct imap_parser *p, struct str *ret);
MUST_USE bool imap_parse_list_mailbox(struct imap_parser *p, struct str *ret);
/*
 * literal or literal8 (the latter `*ret_binary`) that may have been spooled (imap/reader.h): then
 * `*ret_spooled` is its number among those, from 1, and its bytes were not looked at; else 0.
 */
MUST_USE bool imap_parse_long_literal(
    struct imap_parser *p, struct str *ret, bool *ret_binary, size_t *ret_spooled);
/* literal or literal8 (the latter `*ret_binary`). */
MUST_USE bool imap_parse_literal(struct imap_parser *p, struct str *ret, bool *ret_binary);
MUST_USE bool imap_parse_number(struct imap_parser *p, uint64_t least, uint64_t max, uint64_t *ret);

bool imap_is_atom_char(char c);
bool imap_is_astring_char(char c);

#endif
