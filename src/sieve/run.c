#include "sieve/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "mail/header.h"

#include "sieve/variables.h"

int sieve_run_spend(struct sieve_run *run, uint64_t steps)
{
	bool can = run->budget >= steps;

	run->budget -= can ? steps : run->budget;
	return can ? 0 : -E2BIG;
}

int sieve_run_fail(struct sieve_run *run, const char *fmt, ...)
{
	struct sieve_problem *problem = &run->result->problem;
	va_list args;

	problem->place = run->call != NULL ? run->call->place : (struct sieve_place){1, 1};
	va_start(args, fmt);
	(void)vsnprintf(problem->text, sizeof(problem->text), fmt, args);
	va_end(args);
	return -EINVAL;
}

/* --- commands and tests --- */

static int run_call(struct sieve_run *run, const struct sieve_call *call)
{
	int result = sieve_run_spend(run, 1);

	return result < 0 ? result : call->type->run(run, call);
}

int sieve_run_test(struct sieve_run *run, const struct sieve_call *test)
{
	return run_call(run, test);
}

int sieve_run_block(struct sieve_run *run, const struct sieve_call *commands)
{
	bool is_branch_taken = run->is_branch_taken;
	int result = 0;

	for (const struct sieve_call *call = commands; call != NULL && result >= 0;
	     call = call->next) {
		run->call = call;
		result = run_call(run, call);
	}
	run->is_branch_taken = is_branch_taken;
	return result;
}

/* --- actions --- */

static size_t n_of_kind(const struct sieve_result *result, enum sieve_action_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < result->n_actions; i++)
		n += result->actions[i].kind == kind;
	return n;
}

static struct sieve_action *find(
    struct sieve_result *result, enum sieve_action_kind kind, struct str target)
{
	for (size_t i = 0; i < result->n_actions; i++)
		if (result->actions[i].kind == kind && str_eq(result->actions[i].target, target))
			return &result->actions[i];
	return NULL;
}

int sieve_run_act(
    struct sieve_run *run, enum sieve_action_kind kind, struct str target, struct str flags)
{
	struct sieve_result *result = run->result;
	struct sieve_action *same = find(result, kind, target);

	if (same != NULL) {
		same->flags = flags;
		return 0;
	}
	if (result->n_actions == SIEVE_ACTIONS_MAX)
		return sieve_run_fail(
		    run, "more than %d actions for one message", SIEVE_ACTIONS_MAX);
	if (kind == SIEVE_REDIRECT && n_of_kind(result, kind) == SIEVE_REDIRECTS_MAX)
		return sieve_run_fail(run, "one message is redirected to more than %d addresses",
		    SIEVE_REDIRECTS_MAX);
	result->actions[result->n_actions++] = (struct sieve_action){
	    .kind = kind, .place = run->call->place, .target = target, .flags = flags};
	return 0;
}

/* --- texts and matches --- */

int sieve_run_text(struct sieve_run *run, const struct sieve_text *text, struct str *ret_text)
{
	struct buf expanded CLEANUP(buf_done) = BUF_MAX(SIEVE_VARIABLE_LEN_MAX);

	if (text->pieces == NULL) {
		*ret_text = text->text;
		return 0;
	}
	sieve_variables_expand(run, text->pieces, &expanded);
	if (sieve_run_spend(run, expanded.len / 64 + 1) < 0 ||
	    !arena_dup(run->arena, buf_str(&expanded), ret_text))
		return -E2BIG;
	return 0;
}

int sieve_run_match_one(
    struct sieve_run *run, const struct sieve_call *call, struct str value, struct str key)
{
	struct arena scratch CLEANUP(arena_done) = ARENA_MAX(SIEVE_RUN_LEN_MAX);

	if (sieve_run_spend(run, 1) < 0)
		return -E2BIG;
	return sieve_match(call->match, value, key, &scratch, &run->budget, &run->captures);
}

int sieve_run_match(struct sieve_run *run, const struct sieve_call *call, struct str value,
    const struct sieve_text *keys)
{
	for (const struct sieve_text *key = keys; key != NULL; key = key->next) {
		struct str text;
		int result = sieve_run_text(run, key, &text);
		if (result == 0)
			result = sieve_run_match_one(run, call, value, text);
		if (result != 0)
			return result;
	}
	return 0;
}

int sieve_run_count(
    struct sieve_run *run, const struct sieve_call *call, uint64_t n, const struct sieve_text *keys)
{
	struct buf number CLEANUP(buf_done) = BUF_MAX(24);

	buf_add_u64(&number, n);
	return sieve_run_match(run, call, buf_str(&number), keys);
}

/* --- all of it --- */

/* What remains of a run that did not come to its end: the message is kept, and a reason given. */
static void keep_alone(struct sieve_run *run, int error)
{
	struct sieve_result *result = run->result;

	if (error == -E2BIG)
		(void)sieve_run_fail(run,
		    "the script takes more time or memory for this message than a script may take");
	result->failed = true;
	result->n_actions = 0;
	run->flags = STR("");
	run->implicit_keep = true;
}

void sieve_run(const struct sieve_program *program, const struct sieve_message *message,
    struct arena *arena, struct sieve_result *ret_result)
{
	struct sieve_run run = {.program = program,
	    .message = message,
	    .arena = arena,
	    .budget = SIEVE_STEPS_MAX,
	    .result = ret_result,
	    .implicit_keep = true};

	*ret_result = (struct sieve_result){0};
	header_split(message->bytes, &run.header, &run.body);
	int result = sieve_run_block(&run, program->commands);
	if (result < 0 && result != -ECANCELED)
		keep_alone(&run, result);
	if (run.implicit_keep && find(ret_result, SIEVE_KEEP, STR("")) == NULL)
		ret_result->actions[ret_result->n_actions++] =
		    (struct sieve_action){.kind = SIEVE_KEEP, .flags = run.flags};
}
