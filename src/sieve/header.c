/* Tests of the header and of the whole message: header, exists, size (RFC 5228 §5.5, §5.7, §5.9).
 */
#include "sieve/types.h"

#include "sieve/fields.h"

#define TAKES_MATCH (SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR))

static int run_header(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_text *keys = call->arguments[1].texts;
	struct sieve_field *field;
	struct sieve_walk walk;
	struct str value;
	uint64_t n = 0;

	int result = sieve_walk_begin(run, call, call->arguments[0].texts, &walk);
	while (result == 0 && (result = sieve_walk_next(&walk, &field)) == 1) {
		n++;
		result = call->counts ? 0 : sieve_field_value(run, field, &value);
		if (result == 0 && !call->counts)
			result = sieve_run_match(run, call, value, keys);
		if (result != 0)
			return result;
	}
	if (result < 0)
		return result;
	return call->counts ? sieve_run_count(run, call, n, keys) : 0;
}

const struct sieve_type sieve_header = {
    .name = STR_INIT("header"),
    .is_test = true,
    .groups = TAKES_MATCH | SIEVE_TAKES(SIEVE_GROUP_INDEX) | SIEVE_TAKES(SIEVE_GROUP_LAST),
    .check = sieve_check_index,
    .parameters = {{SIEVE_STRINGS, "header names"}, {SIEVE_STRINGS, "key list"}},
    .run = run_header,
};

/* True when all of them are there. */
static int run_exists(struct sieve_run *run, const struct sieve_call *call)
{
	for (const struct sieve_text *name = call->arguments[0].texts; name != NULL;
	     name = name->next) {
		struct sieve_text one = *name;
		struct sieve_field *field;
		struct sieve_walk walk;
		one.next = NULL;
		int result = sieve_walk_begin(run, call, &one, &walk);
		if (result == 0)
			result = sieve_walk_next(&walk, &field);
		if (result <= 0)
			return result;
	}
	return 1;
}

const struct sieve_type sieve_exists = {
    .name = STR_INIT("exists"),
    .is_test = true,
    .parameters = {{SIEVE_STRINGS, "header names"}},
    .run = run_exists,
};

enum { LIMIT = SIEVE_GROUP_OWN, OVER = 0, UNDER };

static const struct sieve_tag size_tags[] = {
    {STR_INIT("over"), LIMIT, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, OVER},
    {STR_INIT("under"), LIMIT, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, UNDER},
    {{0}, 0, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
};

static void check_size(struct sieve_checker *checker, struct sieve_call *call)
{
	if (sieve_call_tag(call, LIMIT) == NULL)
		sieve_checker_tell(checker, call->place, "the size test wants ':over' or ':under'");
}

static int run_size(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_given_tag *limit = sieve_call_tag(call, LIMIT);
	uint64_t size = run->message->bytes.len, than = call->arguments[0].number;

	return limit->tag->value == OVER ? size > than : size < than;
}

const struct sieve_type sieve_size = {
    .name = STR_INIT("size"),
    .is_test = true,
    .own_tags = size_tags,
    .parameters = {{SIEVE_NUMBER, "limit"}},
    .check = check_size,
    .run = run_size,
};
