#include "sieve/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/num.h"

size_t sieve_problems_kept(const struct sieve_problems *problems)
{
	return num_min(problems->n, SIEVE_PROBLEMS_MAX);
}

void sieve_problem_add(
    struct sieve_problems *problems, struct sieve_place place, const char *fmt, ...)
{
	if (problems->n++ >= SIEVE_PROBLEMS_MAX)
		return;
	struct sieve_problem *problem = &problems->first[problems->n - 1];
	va_list args;

	problem->place = place;
	va_start(args, fmt);
	(void)vsnprintf(problem->text, sizeof(problem->text), fmt, args);
	va_end(args);
	for (char *c = problem->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

bool sieve_problems_write(const struct sieve_problems *problems, struct buf *out)
{
	size_t kept = sieve_problems_kept(problems);

	for (size_t i = 0; i < kept; i++) {
		const struct sieve_problem *problem = &problems->first[i];
		buf_printf(out, "%sline %u, column %u: %s", i > 0 ? "\n" : "", problem->place.line,
		    problem->place.column, problem->text);
	}
	if (problems->n > kept)
		buf_printf(out, "\nand %zu more", problems->n - kept);
	return !buf_failed(out);
}
