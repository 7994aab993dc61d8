/* Tests of tests: true, false, not, allof, anyof (RFC 5228 §5.2, §5.3, §5.5, §5.8, §5.10). */
#include "sieve/types.h"

#include "sieve/run.h"

static int run_true(struct sieve_run *run, const struct sieve_call *call)
{
	(void)run;
	(void)call;
	return 1;
}

static int run_false(struct sieve_run *run, const struct sieve_call *call)
{
	(void)run;
	(void)call;
	return 0;
}

static int run_not(struct sieve_run *run, const struct sieve_call *call)
{
	int holds = sieve_run_test(run, call->tests);

	return holds < 0 ? holds : !holds;
}

/* From left to right, up to the first that decides (RFC 5229 §3.2 counts on that order). */
static int run_until(struct sieve_run *run, const struct sieve_call *tests, int deciding)
{
	for (const struct sieve_call *test = tests; test != NULL; test = test->next) {
		int holds = sieve_run_test(run, test);
		if (holds < 0 || holds == deciding)
			return holds;
	}
	return !deciding;
}

static int run_allof(struct sieve_run *run, const struct sieve_call *call)
{
	return run_until(run, call->tests, 0);
}

static int run_anyof(struct sieve_run *run, const struct sieve_call *call)
{
	return run_until(run, call->tests, 1);
}

const struct sieve_type sieve_true = {.name = STR_INIT("true"), .is_test = true, .run = run_true};
const struct sieve_type sieve_false = {
    .name = STR_INIT("false"), .is_test = true, .run = run_false};
const struct sieve_type sieve_not = {
    .name = STR_INIT("not"), .is_test = true, .tests = SIEVE_ONE_TEST, .run = run_not};
const struct sieve_type sieve_allof = {
    .name = STR_INIT("allof"), .is_test = true, .tests = SIEVE_TEST_LIST, .run = run_allof};
const struct sieve_type sieve_anyof = {
    .name = STR_INIT("anyof"), .is_test = true, .tests = SIEVE_TEST_LIST, .run = run_anyof};
