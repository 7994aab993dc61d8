/* Collecting the ARC sets of a header (RFC 8617 §4.2, §5.2 steps 1 to 3). */
#include "mail/arc.h"

#include "base/num.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/tag_list.h"

const char *arc_status_word(enum arc_status status)
{
	static const char *const words[] = {
	    [ARC_NONE] = "none", [ARC_FAIL] = "fail", [ARC_PASS] = "pass"};
	return words[status];
}

/* position = 1*2DIGIT ; 1 - 50 */
static bool read_position(struct str text, unsigned *ret_instance)
{
	uint64_t n;

	if (text.len > 2 || !num_parse(text, ARC_SETS_MAX, &n) || n == 0)
		return false;
	*ret_instance = (unsigned)n;
	return true;
}

/* instance = [CFWS] %s"i" [CFWS] "=" [CFWS] position
 * arc-info = instance [CFWS] ";" authres-payload */
static bool read_results_instance(struct str value, unsigned *ret_instance)
{
	size_t n = 0;

	if (!tag_list_skip_comments(&value) || !str_skip(&value, STR("i")) ||
	    !tag_list_skip_comments(&value) || !str_skip(&value, STR("=")) ||
	    !tag_list_skip_comments(&value))
		return false;
	while (n < value.len && ascii_is_digit(value.p[n]))
		n++;
	if (!read_position(str_first(value, n), ret_instance))
		return false;
	value = str_from(value, n);
	return tag_list_skip_comments(&value) && str_starts(value, STR(";"));
}

static bool read_tagged_instance(struct str value, struct tag_list *tags, unsigned *ret_instance)
{
	struct str text;

	return tag_list_parse(value, tags) && tag_list_find(tags, STR("i"), &text) &&
	       read_position(text, ret_instance);
}

/* --- one field --- */

static void blame(struct arc_chain *chain, const char *reason)
{
	if (chain->reason == NULL)
		chain->reason = reason;
}

static struct arc_set *set_of(struct arc_chain *chain, unsigned instance)
{
	if (instance > chain->n)
		chain->n = instance;
	return &chain->sets[instance - 1];
}

static void put(struct arc_chain *chain, struct str *place, struct str whole)
{
	if (place->len > 0)
		blame(chain, "two fields of one instance");
	*place = whole;
}

static void take_results(struct arc_chain *chain, const struct header_field *field)
{
	unsigned instance;

	if (field->whole.len > ARC_FIELD_MAX || !read_results_instance(field->value, &instance))
		blame(chain, "ARC-Authentication-Results cannot be read");
	else
		put(chain, &set_of(chain, instance)->results, field->whole);
}

static void take_signature(struct arc_chain *chain, const struct header_field *field)
{
	struct tag_list tags;
	unsigned instance;

	if (field->whole.len > ARC_FIELD_MAX ||
	    !read_tagged_instance(field->value, &tags, &instance))
		blame(chain, "ARC-Message-Signature cannot be read");
	else
		put(chain, &set_of(chain, instance)->signature, field->whole);
}

/* The first says "none", all others "pass" (§5.2, step 3.C). */
static void take_seal(struct arc_chain *chain, const struct header_field *field)
{
	struct tag_list tags;
	struct str status;
	unsigned instance;

	if (field->whole.len > ARC_FIELD_MAX ||
	    !read_tagged_instance(field->value, &tags, &instance)) {
		blame(chain, "ARC-Seal cannot be read");
		return;
	}
	struct arc_set *set = set_of(chain, instance);
	put(chain, &set->seal, field->whole);
	(void)tag_list_find(&tags, STR("cv"), &status);
	set->says_fail = str_eq_nocase(status, STR("fail"));
	if (!str_eq_nocase(status, instance == 1 ? STR("none") : STR("pass")))
		blame(chain, set->says_fail ? "a seal says that the chain failed"
		                            : "a seal says what it cannot know");
	if (tag_list_find(&tags, STR("h"), &status))
		blame(chain, "a seal with h="); /* §4.1.3 */
}

void arc_read(struct str header, struct arc_chain *ret_chain)
{
	static const struct {
		struct str name;
		void (*take)(struct arc_chain *chain, const struct header_field *field);
	} kinds[] = {
	    {STR_INIT("ARC-Authentication-Results"), take_results},
	    {STR_INIT("ARC-Message-Signature"), take_signature},
	    {STR_INIT("ARC-Seal"), take_seal},
	};
	struct header_reader reader = {.rest = header};
	struct header_field field;

	*ret_chain = (struct arc_chain){0};
	while (header_next(&reader, &field)) {
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			if (!str_eq_nocase(field.name, kinds[i].name))
				continue;
			ret_chain->has_fields = true;
			kinds[i].take(ret_chain, &field);
		}
	}
	for (size_t i = 0; i < ret_chain->n; i++) {
		const struct arc_set *set = &ret_chain->sets[i];
		if (set->results.len == 0 || set->signature.len == 0 || set->seal.len == 0)
			blame(ret_chain, "a set is not complete");
	}
}
