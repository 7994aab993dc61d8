/*
 * sieve/variables.h: the extension "variables" (RFC 5229): strings with references in them, and
 * what a run keeps in variables.
 *
 *   variable-ref  = "${" [namespace] variable-name "}"
 *   namespace     = identifier "." *sub-namespace         ; of other extensions, none of which is
 * here variable-name = num-variable / identifier
 *
 * Limits: SIEVE_VARIABLES_MAX of a script, SIEVE_VARIABLE_NAME_LEN_MAX of a name,
 * SIEVE_VARIABLE_LEN_MAX bytes of a value: what is longer is cut at a character (§6 allows it).
 */
#ifndef SIEVE_VARIABLES_H
#define SIEVE_VARIABLES_H

#include "sieve/check.h"
#include "sieve/run.h"

enum { SIEVE_VARIABLE_NAME_LEN_MAX = 64, SIEVE_VARIABLE_LEN_MAX = 64 * 1024 };

/* A piece of a string: literal text, a variable, or what a wildcard stood for. */
struct sieve_piece {
	enum sieve_piece_kind { SIEVE_PIECE_LITERAL, SIEVE_PIECE_VARIABLE, SIEVE_PIECE_MATCH } kind;
	struct str literal;
	size_t index; /* of the variable, of the wildcard */
	struct sieve_piece *next;
};

/*
 * Finds the references in a text of the script, and sets its pieces, which stay NULL where there
 * are none. Tells what is wrong: namespaces that are not there, indexes too large, too many
 * variables.
 */
void sieve_variables_find(struct sieve_checker *checker, struct sieve_text *text);

/* The variable of that name, made known; false with a problem told. */
bool sieve_variable_declare(
    struct sieve_checker *checker, const struct sieve_text *name, size_t *ret_index);

/* Appends what the pieces stand for now. What is too long is cut. */
void sieve_variables_expand(
    const struct sieve_run *run, const struct sieve_piece *pieces, struct buf *out);

#endif
