#include "sieve/fields.h"

#include <errno.h>

#include "mail/encoded_word.h"
#include "mail/header.h"

enum { BYTES_OF_A_STEP = 64 };

static int load(struct sieve_run *run)
{
	struct header_reader reader = {.rest = run->header};
	struct sieve_field **tail = &run->fields;
	struct header_field field;

	while (header_next(&reader, &field)) {
		struct sieve_field *made = ARENA_NEW(run->arena, struct sieve_field);
		if (made == NULL)
			return -E2BIG;
		made->name = field.name;
		made->raw = field.value;
		*tail = made;
		tail = &made->next;
	}
	run->has_fields = true;
	return sieve_run_spend(run, run->header.len / BYTES_OF_A_STEP);
}

/* The next field of that name behind `*at`, from the first for NULL: 1, 0, or an error. */
static int field_next(struct sieve_run *run, struct str name, struct sieve_field **at)
{
	struct sieve_field *field = *at == NULL ? run->fields : (*at)->next;
	uint64_t steps = 1;

	for (; field != NULL && !str_eq_nocase(field->name, name); field = field->next)
		steps++;
	if (sieve_run_spend(run, steps / 4 + 1) < 0)
		return -E2BIG;
	if (field == NULL)
		return 0;
	*at = field;
	return 1;
}

/* The next of all fields, whichever it is that counts. */
static int walk_on(struct sieve_walk *walk)
{
	for (;;) {
		int result =
		    walk->wanted.len > 0 ? field_next(walk->run, walk->wanted, &walk->at) : 0;
		if (result != 0) {
			walk->n += result == 1;
			return result;
		}
		if (walk->name == NULL)
			return 0;
		result = sieve_run_text(walk->run, walk->name, &walk->wanted);
		if (result < 0)
			return result;
		walk->name = walk->name->next;
		walk->at = NULL;
	}
}

int sieve_walk_next(struct sieve_walk *walk, struct sieve_field **ret_field)
{
	int result;

	do
		result = walk_on(walk);
	while (result == 1 && walk->only != 0 && walk->n != walk->only);
	*ret_field = walk->at;
	return result;
}

/* How many fields there are of these names: or an error, below zero. */
static int count_all(struct sieve_walk walk, uint64_t *ret_n)
{
	int result;

	while ((result = walk_on(&walk)) == 1)
		;
	*ret_n = walk.n;
	return result;
}

int sieve_walk_begin(struct sieve_run *run, const struct sieve_call *call,
    const struct sieve_text *names, struct sieve_walk *ret_walk)
{
	const struct sieve_given_tag *index = sieve_call_tag(call, SIEVE_GROUP_INDEX);
	struct sieve_walk walk = {.run = run, .name = names};
	uint64_t n = 0;

	int result = run->has_fields ? 0 : load(run);
	if (result == 0 && index != NULL)
		walk.only = index->number;
	if (result == 0 && sieve_call_tag(call, SIEVE_GROUP_LAST) != NULL) {
		result = count_all(walk, &n);
		/* one that is not there: no field has the number */
		walk.only = index->number <= n ? n - index->number + 1 : n + 1;
	}
	*ret_walk = walk;
	return result;
}

void sieve_check_index(struct sieve_checker *checker, struct sieve_call *call)
{
	const struct sieve_given_tag *index = sieve_call_tag(call, SIEVE_GROUP_INDEX);

	if (index == NULL && sieve_call_tag(call, SIEVE_GROUP_LAST) != NULL)
		sieve_checker_tell(
		    checker, call->place, "':last' stands beside ':index', not alone");
	if (index != NULL && index->number == 0)
		sieve_checker_tell(checker, call->place, "':index' counts from 1");
}

int sieve_field_value(struct sieve_run *run, struct sieve_field *field, struct str *ret_value)
{
	if (!field->is_decoded) {
		struct buf decoded CLEANUP(buf_done) = BUF_MAX(SIEVE_VALUE_LEN_MAX);
		/* what does not fit is beyond what is compared */
		(void)encoded_word_decode(field->raw, &decoded);
		if (sieve_run_spend(run, field->raw.len / BYTES_OF_A_STEP + 1) < 0 ||
		    !arena_dup(run->arena, str_trim(buf_str(&decoded)), &field->value))
			return -E2BIG;
		field->is_decoded = true;
	}
	*ret_value = field->value;
	return 0;
}
