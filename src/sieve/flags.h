/* sieve/flags.h: sets of IMAP flags as strings of words, each once (RFC 5232 §2, §3). */
#ifndef SIEVE_FLAGS_H
#define SIEVE_FLAGS_H

#include "sieve/run.h"

enum { SIEVE_FLAGS_LEN_MAX = 4096 }; /* of a set; what is more is left out */

/* The flags that the texts name, as a set; what is no flag is left out (§5). 0 or -E2BIG. */
MUST_USE int sieve_flags_of(
    struct sieve_run *run, const struct sieve_text *texts, struct str *ret_flags);

#endif
