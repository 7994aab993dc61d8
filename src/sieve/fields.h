/*
 * sieve/fields.h: the header of the message that a run looks at, as a list of fields whose values
 * are decoded when somebody asks (RFC 5228 §2.7.2: encoded words are compared as UTF-8).
 *
 * Limits: those of mail/header.h; a decoded value has at most SIEVE_VALUE_LEN_MAX bytes.
 */
#ifndef SIEVE_FIELDS_H
#define SIEVE_FIELDS_H

#include "sieve/run.h"

struct sieve_field {
	struct str name;
	struct str raw;   /* what follows the colon, folds and all */
	struct str value; /* unfolded, decoded, trimmed; only sieve_field_value may look */
	bool is_decoded;
	struct sieve_field *next;
};

/*
 * The fields that a test looks at: those of each of the names, in their order, or the one of them
 * that :index and :last name (RFC 5260 §6).
 */
struct sieve_walk {
	struct sieve_run *run;
	const struct sieve_text *name; /* the next one, behind `wanted` */
	struct str wanted;
	struct sieve_field *at; /* the last that was given, of `wanted`; NULL: none yet */
	uint64_t n, only;       /* how many were passed; the one that is given, 0: all */
};

/* Begins: 0, or an error of the run. */
MUST_USE int sieve_walk_begin(struct sieve_run *run, const struct sieve_call *call,
    const struct sieve_text *names, struct sieve_walk *ret_walk);

/* The next field: 1, 0 at the end, or an error of the run. */
MUST_USE int sieve_walk_next(struct sieve_walk *walk, struct sieve_field **ret_field);

/* For the checks of tests with the tags of RFC 5260: :last does not stand alone, nothing has the
 * index 0. */
void sieve_check_index(struct sieve_checker *checker, struct sieve_call *call);

/* Its value: 0, or -E2BIG. */
MUST_USE int sieve_field_value(
    struct sieve_run *run, struct sieve_field *field, struct str *ret_value);

#endif
