/*
 * sieve/problem.h: what is wrong with a script, and where.
 *
 * Everything that reads a script tells its findings here, so that the person who wrote it sees
 * them all at once, each with its line and column (ManageSieve, RFC 5804 §1.3, and `gatepost sieve
 * check` print them).
 *
 * Limits: the first SIEVE_PROBLEMS_MAX are kept, all are counted; a text is cut at
 * SIEVE_PROBLEM_LEN_MAX bytes. What a text quotes of the script is printable ASCII; another byte
 * becomes '?'.
 */
#ifndef SIEVE_PROBLEM_H
#define SIEVE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { SIEVE_PROBLEMS_MAX = 16, SIEVE_PROBLEM_LEN_MAX = 200 };

/* Both count from 1; a column is a code point. */
struct sieve_place {
	unsigned line;
	unsigned column;
};

struct sieve_problem {
	struct sieve_place place;
	char text[SIEVE_PROBLEM_LEN_MAX];
};

struct sieve_problems {
	struct sieve_problem first[SIEVE_PROBLEMS_MAX];
	size_t n; /* of all, also of those that are not kept */
};

/* How many of them are kept. */
size_t sieve_problems_kept(const struct sieve_problems *problems);

/* Adds one. */
void sieve_problem_add(
    struct sieve_problems *problems, struct sieve_place place, const char *fmt, ...) PRINTF(3, 4);

/* "line 3, column 7: …", one a line, LF between them; says how many more there are. */
bool sieve_problems_write(const struct sieve_problems *problems, struct buf *out);

#endif
