/*
 * sieve/lex.h: a script cut into tokens (RFC 5228 §8.1).
 *
 * Lines may end with CRLF, as the RFC has it, or with LF alone, since that is what editors write;
 * a line end inside a string is CRLF whichever it was, because the text goes into mail. A CR alone,
 * a NUL and what is not UTF-8 are wrong.
 *
 * It does not know which identifiers mean something.
 *
 * Limits: SIEVE_SCRIPT_LEN_MAX for the whole script; numbers up to 2^64-1 with their quantifier;
 * SIEVE_NAME_LEN_MAX for a name.
 */
#ifndef SIEVE_LEX_H
#define SIEVE_LEX_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#include "sieve/problem.h"

enum { SIEVE_SCRIPT_LEN_MAX = 256 * 1024, SIEVE_NAME_LEN_MAX = 32 };
#define SIEVE_NUMBER_MAX UINT64_MAX

enum sieve_token_kind {
	SIEVE_TOKEN_END,   /* of the script */
	SIEVE_TOKEN_WRONG, /* has been told as a problem; what follows it is read on */
	SIEVE_TOKEN_IDENTIFIER,
	SIEVE_TOKEN_TAG,
	SIEVE_TOKEN_NUMBER,
	SIEVE_TOKEN_STRING,
	SIEVE_TOKEN_SEPARATOR, /* one of ; , { } [ ] ( ) */
};

struct sieve_token {
	enum sieve_token_kind kind;
	struct sieve_place place;
	/* Of an identifier its name in small letters, of a tag without its colon; of a string what
	 * it stands for; of a separator the character. In the lexer's arena, or borrowed from the
	 * script. */
	struct str text;
	uint64_t number; /* its quantifier multiplied in */
};

struct sieve_lexer {
	struct str rest;
	struct sieve_place place; /* of the first byte of `rest` */
	struct arena *arena;
	struct sieve_problems *problems;
	bool is_over; /* the script is not read on: too long, not UTF-8, or the arena is full */
};

/* Begins with a script, borrowed. A script that cannot be read at all has a problem told, and no
 * token but the end. */
void sieve_lexer_init(struct sieve_lexer *lexer, struct str script, struct arena *arena,
    struct sieve_problems *problems);

/* The next token; at the end, SIEVE_TOKEN_END as often as it is asked. */
struct sieve_token sieve_lex(struct sieve_lexer *lexer);

/* Whether the token is that separator. */
static inline bool sieve_token_is(const struct sieve_token *token, char separator)
{
	return token->kind == SIEVE_TOKEN_SEPARATOR && token->text.p[0] == separator;
}

#endif
