/* IMAP flags: setflag, addflag, removeflag, hasflag, and the tag :flags (RFC 5232). */
#include "sieve/flags.h"

#include <errno.h>

#include "base/buf.h"

#include "sieve/types.h"
#include "sieve/variables.h"

/*
 * A set of flags is a string of words with spaces between, each once (§3). The next word of it,
 * empty at its end.
 */
static struct str next_flag(struct str *rest)
{
	struct str flag;

	do
		flag = str_cut(rest, ' ');
	while (flag.len == 0 && rest->len > 0);
	return flag;
}

/* flag = "\" name of a system flag / keyword (RFC 9051 §9: an atom); what is none is ignored */
static bool is_flag(struct str flag)
{
	static const struct str system[] = {STR_INIT("\\answered"), STR_INIT("\\flagged"),
	    STR_INIT("\\deleted"), STR_INIT("\\seen"), STR_INIT("\\draft")};

	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		if (str_eq_nocase(flag, system[i]))
			return true;
	for (size_t i = 0; i < flag.len; i++)
		if (flag.p[i] <= ' ' || flag.p[i] > '~' ||
		    memchr("(){%*\"\\]", flag.p[i], 8) != NULL)
			return false;
	return flag.len > 0;
}

static bool has_flag(struct str set, struct str flag)
{
	while (set.len > 0)
		if (str_eq_nocase(next_flag(&set), flag))
			return true;
	return false;
}

static void add_flags(struct buf *set, struct str flags)
{
	while (flags.len > 0) {
		struct str flag = next_flag(&flags);
		if (!is_flag(flag) || has_flag(buf_str(set), flag) ||
		    set->len + flag.len + 1 > set->max)
			continue;
		if (set->len > 0)
			buf_add_c(set, ' ');
		buf_add(set, flag);
	}
}

int sieve_flags_of(struct sieve_run *run, const struct sieve_text *texts, struct str *ret_flags)
{
	struct buf set CLEANUP(buf_done) = BUF_MAX(SIEVE_FLAGS_LEN_MAX);

	for (const struct sieve_text *text = texts; text != NULL; text = text->next) {
		struct str flags;
		if (sieve_run_text(run, text, &flags) < 0 ||
		    sieve_run_spend(run, flags.len / 4 + 1) < 0)
			return -E2BIG;
		add_flags(&set, flags);
	}
	return arena_dup(run->arena, buf_str(&set), ret_flags) ? 0 : -E2BIG;
}

/* --- setflag, addflag, removeflag --- */

/* A variable is named when there is a place for it that was filled. */
static void check_variables(struct sieve_checker *checker, struct sieve_call *call)
{
	struct sieve_text *names = call->arguments[0].texts;
	size_t index;

	if (names != NULL && !sieve_checker_has(checker, SIEVE_EXTENSION_VARIABLES)) {
		sieve_checker_tell(checker, names->place,
		    "flags are kept in a variable when the script requires \"variables\"");
		return;
	}
	for (struct sieve_text *name = names; name != NULL; name = name->next)
		if (sieve_variable_declare(checker, name, &index))
			name->index = index;
}

static struct str *variable_of(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_text *name = call->arguments[0].texts;

	return name == NULL ? &run->flags : &run->variables[name->index];
}

static int run_setflag(struct sieve_run *run, const struct sieve_call *call)
{
	return sieve_flags_of(run, call->arguments[1].texts, variable_of(run, call));
}

static int run_addflag(struct sieve_run *run, const struct sieve_call *call)
{
	struct buf set CLEANUP(buf_done) = BUF_MAX(SIEVE_FLAGS_LEN_MAX);
	struct str *variable = variable_of(run, call), added;

	int result = sieve_flags_of(run, call->arguments[1].texts, &added);
	if (result < 0)
		return result;
	add_flags(&set, *variable);
	add_flags(&set, added);
	return arena_dup(run->arena, buf_str(&set), variable) ? 0 : -E2BIG;
}

static int run_removeflag(struct sieve_run *run, const struct sieve_call *call)
{
	struct buf set CLEANUP(buf_done) = BUF_MAX(SIEVE_FLAGS_LEN_MAX);
	struct str *variable = variable_of(run, call), removed, rest = *variable;

	int result = sieve_flags_of(run, call->arguments[1].texts, &removed);
	if (result < 0)
		return result;
	while (rest.len > 0) {
		struct str flag = next_flag(&rest);
		if (!has_flag(removed, flag))
			add_flags(&set, flag);
	}
	return arena_dup(run->arena, buf_str(&set), variable) ? 0 : -E2BIG;
}

#define FLAG_COMMAND(which)                                                                        \
	{                                                                                          \
		.name = STR_INIT(#which), .extension = SIEVE_EXTENSION_IMAP4FLAGS,                 \
		.is_first_optional = true,                                                         \
		.parameters = {{SIEVE_STRING, "variable"}, {SIEVE_STRINGS, "list of flags"}},      \
		.check = check_variables, .run = run_##which,                                      \
	}

const struct sieve_type sieve_setflag = FLAG_COMMAND(setflag);
const struct sieve_type sieve_addflag = FLAG_COMMAND(addflag);
const struct sieve_type sieve_removeflag = FLAG_COMMAND(removeflag);

/* --- hasflag --- */

/* Each flag of a variable, which may hold any text, with each of those that are looked for. */
static int match_flags(struct sieve_run *run, const struct sieve_call *call, struct str value,
    struct str wanted, uint64_t *n)
{
	struct buf distinct CLEANUP(buf_done) = BUF_MAX(SIEVE_FLAGS_LEN_MAX);
	struct str set;

	add_flags(&distinct, value);
	if (!arena_dup(run->arena, buf_str(&distinct), &set))
		return -E2BIG;
	while (set.len > 0) {
		struct str flag = next_flag(&set), keys = wanted;
		if (flag.len == 0)
			continue;
		++*n;
		while (!call->counts && keys.len > 0) {
			int result = sieve_run_match_one(run, call, flag, next_flag(&keys));
			if (result != 0)
				return result;
		}
	}
	return 0;
}

/* What is looked for may be a pattern, so these words are not held to be flags. */
static int words_of(struct sieve_run *run, const struct sieve_text *texts, struct str *ret_words)
{
	struct buf words CLEANUP(buf_done) = BUF_MAX(SIEVE_VARIABLE_LEN_MAX);

	for (const struct sieve_text *text = texts; text != NULL; text = text->next) {
		struct str word;
		if (sieve_run_text(run, text, &word) < 0)
			return -E2BIG;
		buf_add(&words, word);
		buf_add_c(&words, ' ');
	}
	return !buf_failed(&words) && arena_dup(run->arena, buf_str(&words), ret_words) ? 0
	                                                                                : -E2BIG;
}

static int run_hasflag(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_text *name = call->arguments[0].texts;
	struct str wanted;
	uint64_t n = 0;

	int result = words_of(run, call->arguments[1].texts, &wanted);
	if (result == 0 && name == NULL)
		result = match_flags(run, call, run->flags, wanted, &n);
	for (; result == 0 && name != NULL; name = name->next)
		result = match_flags(run, call, run->variables[name->index], wanted, &n);
	if (result != 0 || !call->counts)
		return result;
	return sieve_run_count(run, call, n, call->arguments[1].texts);
}

const struct sieve_type sieve_hasflag = {
    .name = STR_INIT("hasflag"),
    .extension = SIEVE_EXTENSION_IMAP4FLAGS,
    .is_test = true,
    .groups = SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR),
    .is_first_optional = true,
    .parameters = {{SIEVE_STRINGS, "variables"}, {SIEVE_STRINGS, "list of flags"}},
    .check = check_variables,
    .run = run_hasflag,
};
