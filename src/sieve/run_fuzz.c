/*
 * Any script over any message: what stands behind the first NUL is the message. However it ends,
 * the message is kept, filed, redirected or discarded by a script that ran to its end.
 */
#include <assert.h>
#include <stdint.h>

#include "sieve/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool lies_in(struct str piece, struct str whole)
{
	return piece.p >= whole.p && piece.p + piece.len <= whole.p + whole.len;
}

static void check_result(const struct sieve_result *result)
{
	assert(result->n_actions <= SIEVE_ACTIONS_MAX + 1);
	for (size_t i = 0; i < result->n_actions; i++) {
		const struct sieve_action *action = &result->actions[i];
		assert((action->kind == SIEVE_KEEP) == (action->target.len == 0));
		for (size_t k = 0; k < action->target.len; k++)
			assert((unsigned char)action->target.p[k] >= ' ');
	}
	if (!result->failed)
		return;
	assert(result->n_actions == 1 && result->actions[0].kind == SIEVE_KEEP);
	assert(result->problem.text[0] != '\0' && result->problem.place.line > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena program_arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_PROGRAM_LEN_MAX);
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_RUN_LEN_MAX);
	struct str rest = str_of(data, len), script = str_cut(&rest, '\0');
	struct sieve_message message = {.bytes = rest,
	    .sender = str_first(rest, 20),
	    .recipient = STR("user+detail@example.org"),
	    .subaddress_separator = '+'};
	struct sieve_problems problems = {0};
	struct sieve_program program;
	struct sieve_result result;

	if (!sieve_check(script, sieve_language, &program_arena, &problems, &program)) {
		assert(problems.n > 0);
		return 0;
	}
	assert(script.len == 0 || lies_in(script, str_of(data, len)));
	sieve_run(&program, &message, &arena, &result);
	check_result(&result);
	return 0;
}
