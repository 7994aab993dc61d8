/*
 * sieve/run.h: a program and a message, and what is to be done with it (RFC 5228 §2.10).
 *
 * A pure function: nothing is done here. The result names the actions in the script's order; the
 * implicit keep, where it takes effect, is one of them.
 *
 * When a script cannot be run to its end, because a limit is reached or something turns out wrong
 * only now, the one action is to keep the message (§2.10.6): nothing is done by halves.
 *
 * Limits: SIEVE_STEPS_MAX, SIEVE_ACTIONS_MAX, SIEVE_REDIRECTS_MAX, SIEVE_RUN_LEN_MAX for what a run
 * needs of memory beside its message.
 */
#ifndef SIEVE_RUN_H
#define SIEVE_RUN_H

#include "sieve/check.h"

enum {
	/* A step is a comparison of some characters, a call, a header field looked at: 10 to 100
	   ns. */
	SIEVE_STEPS_MAX = 5 * 1000 * 1000,
	SIEVE_ACTIONS_MAX = 32,
	SIEVE_REDIRECTS_MAX = 4,
	SIEVE_RUN_LEN_MAX = 8 * 1024 * 1024,
	SIEVE_MAILBOX_LEN_MAX = 1000,
	SIEVE_ADDRESS_LEN_MAX = 320,
};

/* A message in the hands of SMTP. All borrowed. */
struct sieve_message {
	struct str bytes;             /* header and body */
	struct str sender, recipient; /* of the envelope: addresses without brackets, or empty */
	struct str user;              /* who signed in to submit it, or empty */
	char subaddress_separator;    /* '+' in user+detail@example.org */
	int64_t now_s;                /* seconds since 1970 UTC: the one "now" of the run */
	int zone_minutes;             /* of the server, east of UTC */
};

enum sieve_action_kind { SIEVE_KEEP, SIEVE_FILEINTO, SIEVE_REDIRECT };

struct sieve_action {
	enum sieve_action_kind kind;
	struct sieve_place place; /* of the command; {0, 0} of the implicit keep */
	struct str target;        /* mailbox, or address; in the arena or the program */
	struct str flags;         /* of keep and fileinto: words with spaces between (RFC 5232) */
};

struct sieve_result {
	struct sieve_action actions[SIEVE_ACTIONS_MAX + 1];
	size_t n_actions; /* 0: the message is discarded */
	bool failed;      /* was not run to its end; `problem` says why */
	struct sieve_problem problem;
};

/* Runs a checked program. What the result names lives in the arena, in the program, or in the
 * message. */
void sieve_run(const struct sieve_program *program, const struct sieve_message *message,
    struct arena *arena, struct sieve_result *ret_result);

/* --- for the types: what `run` of struct sieve_type gets and gives --- */

/*
 * A command gives 0, a test 0 or 1. Both may end the run with
 *   -ECANCELED  stop,
 *   -E2BIG      a limit of steps or memory is reached,
 *   -EINVAL     wrong, as sieve_run_fail has told.
 */
struct sieve_run {
	const struct sieve_program *program;
	const struct sieve_message *message;
	struct str header, body;
	struct sieve_field *fields; /* sieve/fields.h; of the header, once `has_fields` */
	bool has_fields;
	struct arena *arena;
	uint64_t budget; /* steps left */
	struct sieve_result *result;
	bool implicit_keep;
	struct str flags;              /* the internal variable of RFC 5232 */
	bool is_branch_taken;          /* of the if at which the running block is */
	const struct sieve_call *call; /* the command that runs, for the problem's place */
	struct sieve_captures captures;
	struct str variables[SIEVE_VARIABLES_MAX];
};

/* Runs a block, or the tests of a call: the test's answer. */
MUST_USE int sieve_run_block(struct sieve_run *run, const struct sieve_call *commands);
MUST_USE int sieve_run_test(struct sieve_run *run, const struct sieve_call *test);

/* Takes `steps` off the budget: 0 or -E2BIG. */
MUST_USE int sieve_run_spend(struct sieve_run *run, uint64_t steps);

/* Tells what is wrong, at the command that runs; always -EINVAL. */
int sieve_run_fail(struct sieve_run *run, const char *fmt, ...) PRINTF(2, 3);

/* What a text of the script stands for now: 0 or -E2BIG. Lives as long as the run. */
MUST_USE int sieve_run_text(
    struct sieve_run *run, const struct sieve_text *text, struct str *ret_text);

/* Adds an action; the same one is not added twice (RFC 5228 §2.10.3), and the
 * last flags count (RFC 5232 §3). */
MUST_USE int sieve_run_act(
    struct sieve_run *run, enum sieve_action_kind kind, struct str target, struct str flags);

/* Whether one of the keys matches the value, which lives as long as the run, as the call says: 1,
 * 0, or an error. */
MUST_USE int sieve_run_match(struct sieve_run *run, const struct sieve_call *call, struct str value,
    const struct sieve_text *keys);
MUST_USE int sieve_run_match_one(
    struct sieve_run *run, const struct sieve_call *call, struct str value, struct str key);
/* The same of a number of things, for :count. */
MUST_USE int sieve_run_count(struct sieve_run *run, const struct sieve_call *call, uint64_t n,
    const struct sieve_text *keys);

#endif
