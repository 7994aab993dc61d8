/* Control commands: require, if, elsif, else, stop (RFC 5228 §3). */
#include "sieve/types.h"

#include <errno.h>

#include "sieve/check.h"
#include "sieve/run.h"

static int run_nothing(struct sieve_run *run, const struct sieve_call *call)
{
	(void)run;
	(void)call;
	return 0;
}

/* §3.2: require stands in front of everything else, and names what there is. */
static void check_require(struct sieve_checker *checker, struct sieve_call *call)
{
	const struct sieve_call *previous = checker->previous;

	if (checker->depth > 0 || (previous != NULL && previous->type != &sieve_require))
		sieve_checker_tell(checker, call->place,
		    "require stands at the beginning of a script, in front of all other commands");
	for (const struct sieve_text *name = call->arguments[0].texts; name != NULL;
	     name = name->next) {
		enum sieve_extension extension;
		if (!sieve_checker_is_constant(checker, name))
			continue;
		if (sieve_extension_find(name->text, &extension))
			checker->required |= UINT64_C(1) << extension;
		else
			sieve_checker_tell(checker, name->place,
			    "the script requires \"%.*s\", which this server does not have",
			    STR_FMT(str_first(name->text, 60)));
	}
}

const struct sieve_type sieve_require = {
    .name = STR_INIT("require"),
    .parameters = {{SIEVE_STRINGS, "names of extensions"}},
    .check = check_require,
    .run = run_nothing,
};

/* §3.1: elsif and else follow an if or an elsif. */
static void check_follows_if(struct sieve_checker *checker, struct sieve_call *call)
{
	const struct sieve_call *previous = checker->previous;

	if (previous == NULL || (previous->type != &sieve_if && previous->type != &sieve_elsif))
		sieve_checker_tell(checker, call->place,
		    "'%.*s' stands behind the block of an if or elsif", STR_FMT(call->type->name));
}

static int run_branch(struct sieve_run *run, const struct sieve_call *call)
{
	int holds = call->tests == NULL ? 1 : sieve_run_test(run, call->tests);

	if (holds <= 0)
		return holds;
	int result = sieve_run_block(run, call->block);
	run->is_branch_taken = true;
	return result;
}

static int run_if(struct sieve_run *run, const struct sieve_call *call)
{
	run->is_branch_taken = false;
	return run_branch(run, call);
}

static int run_else(struct sieve_run *run, const struct sieve_call *call)
{
	return run->is_branch_taken ? 0 : run_branch(run, call);
}

const struct sieve_type sieve_if = {
    .name = STR_INIT("if"),
    .has_block = true,
    .tests = SIEVE_ONE_TEST,
    .run = run_if,
};

const struct sieve_type sieve_elsif = {
    .name = STR_INIT("elsif"),
    .has_block = true,
    .tests = SIEVE_ONE_TEST,
    .check = check_follows_if,
    .run = run_else,
};

const struct sieve_type sieve_else = {
    .name = STR_INIT("else"),
    .has_block = true,
    .check = check_follows_if,
    .run = run_else,
};

static int run_stop(struct sieve_run *run, const struct sieve_call *call)
{
	(void)run;
	(void)call;
	return -ECANCELED;
}

const struct sieve_type sieve_stop = {.name = STR_INIT("stop"), .run = run_stop};
