/*
 * sieve/check.h: whether a script says what the language has, and the program that it makes
 * (RFC 5228 §2.10.5: what can be found before mail comes is found then).
 *
 * A checked program runs without looking at form again: each call has the arguments its type
 * wants, each extension was required, each tag is its type's own.
 */
#ifndef SIEVE_CHECK_H
#define SIEVE_CHECK_H

#include "sieve/language.h"

enum {
	SIEVE_VARIABLES_MAX = 256,
	SIEVE_PROGRAM_LEN_MAX =
	    24 * 1024 * 1024, /* a ceiling for its arena that suits every script */
};

struct sieve_program {
	struct sieve_call *commands;
	uint64_t extensions; /* those it requires: 1 << enum sieve_extension */
};

/*
 * Reads and checks a script, borrowed as long as the program is used. False, with at least one
 * problem told, when it may not run. Nothing of `ret_program` outlives the arena.
 */
MUST_USE bool sieve_check(struct str script, sieve_types types, struct arena *arena,
    struct sieve_problems *problems, struct sieve_program *ret_program);

/* --- for the types' own checks --- */

struct sieve_checker {
	struct arena *arena;
	struct sieve_problems *problems;
	sieve_types types;
	uint64_t required;
	const struct sieve_call
	    *previous;        /* the command in front of this one in its block, or NULL */
	bool is_past_require; /* a command that is not require has been seen */
	unsigned depth;       /* of blocks */
	struct str variables[SIEVE_VARIABLES_MAX]; /* their names, as first written */
	size_t n_variables;
};

/* Whether the text has no variables in it; tells that it must not. */
bool sieve_checker_is_constant(struct sieve_checker *checker, const struct sieve_text *text);

bool sieve_checker_has(const struct sieve_checker *checker, enum sieve_extension extension);

/* Tells a problem of a call: "the header test: …" is left to `fmt`. */
#define sieve_checker_tell(checker, place, ...)                                                    \
	sieve_problem_add((checker)->problems, (place), __VA_ARGS__)

#endif
