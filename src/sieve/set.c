/* The command set and the test string (RFC 5229 §4, §5). */
#include "sieve/types.h"

#include <errno.h>

#include "base/buf.h"

#include "sieve/variables.h"

/* Modifiers of one precedence exclude each other; the larger one is applied first (§4.1). */
enum {
	CASE = SIEVE_GROUP_OWN, /* 40 */
	FIRST,                  /* 30 */
	QUOTING,                /* 20 */
	LENGTH,                 /* 10 */
};
enum { LOWER, UPPER };

static const struct sieve_tag set_tags[] = {
    {STR_INIT("lower"), CASE, SIEVE_EXTENSION_VARIABLES, SIEVE_NOTHING, LOWER},
    {STR_INIT("upper"), CASE, SIEVE_EXTENSION_VARIABLES, SIEVE_NOTHING, UPPER},
    {STR_INIT("lowerfirst"), FIRST, SIEVE_EXTENSION_VARIABLES, SIEVE_NOTHING, LOWER},
    {STR_INIT("upperfirst"), FIRST, SIEVE_EXTENSION_VARIABLES, SIEVE_NOTHING, UPPER},
    {STR_INIT("quotewildcard"), QUOTING, SIEVE_EXTENSION_VARIABLES, SIEVE_NOTHING, 0},
    {STR_INIT("length"), LENGTH, SIEVE_EXTENSION_VARIABLES, SIEVE_NOTHING, 0},
    {{0}, 0, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
};

static void check_set(struct sieve_checker *checker, struct sieve_call *call)
{
	size_t index;

	if (sieve_variable_declare(checker, call->arguments[0].texts, &index))
		call->arguments[0].number = index;
}

static void change_case(struct buf *value, size_t len, int to)
{
	for (size_t i = 0; i < len && i < value->len; i++)
		value->p[i] = to == UPPER ? ascii_upper(value->p[i]) : ascii_lower(value->p[i]);
}

static void quote_wildcards(struct buf *value)
{
	struct buf quoted = BUF_MAX(SIEVE_VARIABLE_LEN_MAX);

	for (size_t i = 0; i < value->len; i++) {
		bool is_wild = memchr("*?\\", value->p[i], 3) != NULL;
		if (quoted.len + 2 > quoted.max)
			break;
		if (is_wild)
			buf_add_c(&quoted, '\\');
		buf_add_c(&quoted, value->p[i]);
	}
	buf_done(value);
	*value = quoted;
}

/* In characters (§4.1.1). */
static void replace_by_length(struct buf *value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < value->len; i++)
		n += ((unsigned char)value->p[i] & 0xc0) != 0x80;
	buf_clear(value);
	buf_add_u64(value, n);
}

static void modify(const struct sieve_call *call, struct buf *value)
{
	const struct sieve_given_tag *of_case = sieve_call_tag(call, CASE);
	const struct sieve_given_tag *of_first = sieve_call_tag(call, FIRST);

	if (of_case != NULL)
		change_case(value, value->len, of_case->tag->value);
	if (of_first != NULL)
		change_case(value, 1, of_first->tag->value);
	if (sieve_call_tag(call, QUOTING) != NULL)
		quote_wildcards(value);
	if (sieve_call_tag(call, LENGTH) != NULL)
		replace_by_length(value);
}

static int run_set(struct sieve_run *run, const struct sieve_call *call)
{
	struct buf value CLEANUP(buf_done) = BUF_MAX(SIEVE_VARIABLE_LEN_MAX);
	struct str given;

	int result = sieve_run_text(run, call->arguments[1].texts, &given);
	if (result < 0)
		return result;
	buf_add(&value, str_first(given, SIEVE_VARIABLE_LEN_MAX));
	modify(call, &value);
	struct str *variable = &run->variables[call->arguments[0].number];
	if (sieve_run_spend(run, value.len / 64 + 1) < 0 ||
	    !arena_dup(run->arena, buf_str(&value), variable))
		return -E2BIG;
	return 0;
}

const struct sieve_type sieve_set = {
    .name = STR_INIT("set"),
    .extension = SIEVE_EXTENSION_VARIABLES,
    .own_tags = set_tags,
    .parameters = {{SIEVE_STRING, "name"}, {SIEVE_STRING, "value"}},
    .check = check_set,
    .run = run_set,
};

static int run_string(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_text *keys = call->arguments[1].texts;
	uint64_t n = 0;

	for (const struct sieve_text *t = call->arguments[0].texts; t != NULL; t = t->next) {
		struct str source;
		int result = sieve_run_text(run, t, &source);
		n += result == 0 && source.len > 0;
		if (result == 0 && !call->counts)
			result = sieve_run_match(run, call, source, keys);
		if (result != 0)
			return result;
	}
	return call->counts ? sieve_run_count(run, call, n, keys) : 0;
}

const struct sieve_type sieve_string = {
    .name = STR_INIT("string"),
    .extension = SIEVE_EXTENSION_VARIABLES,
    .is_test = true,
    .groups = SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR),
    .parameters = {{SIEVE_STRINGS, "source"}, {SIEVE_STRINGS, "key list"}},
    .run = run_string,
};
