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

int sieve_field_next(struct sieve_run *run, struct str name, struct sieve_field **at)
{
	int result = run->has_fields ? 0 : load(run);
	uint64_t steps = 1;

	if (result < 0)
		return result;
	struct sieve_field *field = *at == NULL ? run->fields : (*at)->next;
	for (; field != NULL && !str_eq_nocase(field->name, name); field = field->next)
		steps++;
	if (sieve_run_spend(run, steps / 4 + 1) < 0)
		return -E2BIG;
	if (field == NULL)
		return 0;
	*at = field;
	return 1;
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
