/* sieve/types.h: every command and test of the language, by the file in which it is. */
#ifndef SIEVE_TYPES_H
#define SIEVE_TYPES_H

#include "sieve/language.h"

/* control.c */
extern const struct sieve_type sieve_require, sieve_if, sieve_elsif, sieve_else, sieve_stop;
/* action.c */
extern const struct sieve_type sieve_keep, sieve_discard, sieve_fileinto, sieve_redirect;
/* set.c */
extern const struct sieve_type sieve_set, sieve_string;
/* flags.c */
extern const struct sieve_type sieve_setflag, sieve_addflag, sieve_removeflag, sieve_hasflag;
/* date.c */
extern const struct sieve_type sieve_date, sieve_currentdate;
/* logic.c */
extern const struct sieve_type sieve_true, sieve_false, sieve_not, sieve_allof, sieve_anyof;
/* header.c */
extern const struct sieve_type sieve_header, sieve_exists, sieve_size;
/* address.c */
extern const struct sieve_type sieve_address, sieve_envelope;

#endif
