/* Tests of the header and of the whole message: header, exists, size (RFC 5228 §5.5, §5.7, §5.9).
 */
#include "sieve/types.h"

#include "sieve/fields.h"

#define TAKES_MATCH (SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR))

/* All fields of one name: 1 when a key matches one, 0, or an error. */
static int look_at_fields(
    struct sieve_run *run, const struct sieve_call *call, struct str name, uint64_t *n)
{
	struct sieve_field *field = NULL;
	struct str value;
	int result;

	while ((result = sieve_field_next(run, name, &field)) == 1) {
		++*n;
		if (call->counts)
			continue;
		result = sieve_field_value(run, field, &value);
		if (result == 0)
			result = sieve_run_match(run, call, value, call->arguments[1].texts);
		if (result != 0)
			return result;
	}
	return result;
}

static int run_header(struct sieve_run *run, const struct sieve_call *call)
{
	uint64_t n = 0;

	for (const struct sieve_text *t = call->arguments[0].texts; t != NULL; t = t->next) {
		struct str name;
		int result = sieve_run_text(run, t, &name);
		if (result == 0)
			result = look_at_fields(run, call, name, &n);
		if (result != 0)
			return result;
	}
	return call->counts ? sieve_run_count(run, call, n, call->arguments[1].texts) : 0;
}

const struct sieve_type sieve_header = {
    .name = STR_INIT("header"),
    .is_test = true,
    .groups = TAKES_MATCH,
    .parameters = {{SIEVE_STRINGS, "header names"}, {SIEVE_STRINGS, "key list"}},
    .run = run_header,
};

/* True when all of them are there. */
static int run_exists(struct sieve_run *run, const struct sieve_call *call)
{
	for (const struct sieve_text *name = call->arguments[0].texts; name != NULL;
	     name = name->next) {
		struct sieve_field *field = NULL;
		struct str wanted;
		int result = sieve_run_text(run, name, &wanted);
		if (result == 0)
			result = sieve_field_next(run, wanted, &field);
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
