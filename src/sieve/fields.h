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
 * The next field of that name (any case) behind `*at`, from the first for NULL: 1 with `*at` moved,
 * 0 for none, -E2BIG at a limit of the run.
 */
MUST_USE int sieve_field_next(struct sieve_run *run, struct str name, struct sieve_field **at);

/* Its value: 0, or -E2BIG. */
MUST_USE int sieve_field_value(
    struct sieve_run *run, struct sieve_field *field, struct str *ret_value);

#endif
