/* Validating a chain (RFC 8617 §5.2). */
#include <errno.h>
#include <string.h>

#include "mail/arc.h"
#include "mail/tag_list.h"

enum { SEALED_MAX = 3 * ARC_SETS_MAX * (ARC_FIELD_MAX + 8) };

static struct str value_of(struct str field)
{
	return str_from(field, str_index(field, ':') + 1);
}

/* --- ARC-Message-Signature --- */

static const char *read_signature(
    const struct arc_set *set, struct arena *a, struct dkim_signature *ret_signature)
{
	const char *why =
	    dkim_signature_read(value_of(set->signature), DKIM_FIELD_ARC, a, ret_signature);

	if (why == NULL && tag_list_has_word(ret_signature->names, STR("ARC-Seal")))
		why = "ARC-Message-Signature signs a seal"; /* §4.1.2 */
	return why;
}

static const char *verify_signature(const struct arc_set *set, struct dkim_message *message)
{
	struct dkim_verdict verdict = {.field = set->signature};
	const char *why = read_signature(set, message->arena, &verdict.signature);

	if (why != NULL)
		return why;
	dkim_verify_read(message, &verdict);
	return verdict.reason;
}

/* --- ARC-Seal --- */

/* Appends the sets in their form: each field with CRLF (§5.1.1). */
static void add_set(const struct arc_set *set, struct buf *text)
{
	dkim_canon_field(DKIM_RELAXED, set->results, text);
	dkim_canon_field(DKIM_RELAXED, set->signature, text);
	dkim_canon_field(DKIM_RELAXED, set->seal, text);
}

static const char *check_seal(const struct dkim_signature *s, const struct dkim_message *message,
    const uint8_t hash[static DKIM_HASH_LEN])
{
	enum dkim_result result;
	struct dkim_key key;
	unsigned bits;
	const char *why = dkim_check_times(s, message->now);

	if (why == NULL)
		why = dkim_find_key(s, message->lookups, message->arena, &key, &result);
	if (why == NULL)
		why = dkim_key_verify(&key, hash, s->signature, &bits);
	return why;
}

/* The seals from the first on: each covers all before it. `text` holds the sets so far. */
static const char *verify_seals(const struct arc_chain *chain, struct dkim_message *message)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SEALED_MAX);
	uint8_t hash[DKIM_HASH_LEN];

	for (size_t i = 0; i < chain->n; i++) {
		const struct arc_set *set = &chain->sets[i];
		struct dkim_signature s;
		size_t before = text.len;
		const char *why =
		    dkim_signature_read(value_of(set->seal), DKIM_FIELD_SEAL, message->arena, &s);
		if (why != NULL)
			return why;
		dkim_canon_field(DKIM_RELAXED, set->results, &text);
		dkim_canon_field(DKIM_RELAXED, set->signature, &text);
		dkim_canon_signature(DKIM_RELAXED, set->seal, &text);
		if (buf_failed(&text))
			return "the chain is too large";
		dkim_hash(buf_str(&text), hash);
		why = check_seal(&s, message, hash);
		if (why != NULL)
			return why;
		text.len = before;
		add_set(set, &text);
	}
	return NULL;
}

/* --- the chain --- */

/* §5.2, step 5: 0 when all verify, else the oldest in a row from the newest down that does. */
static unsigned oldest_pass(const struct arc_chain *chain, struct dkim_message *message)
{
	size_t i = chain->n; /* which has passed */

	while (i > 1 && verify_signature(&chain->sets[i - 2], message) == NULL)
		i--;
	return i > 1 ? (unsigned)i : 0;
}

int arc_verify(
    const struct arc_chain *chain, struct dkim_message *message, struct arc_verdict *ret_verdict)
{
	struct arc_verdict v = {.status = ARC_FAIL, .reason = chain->reason};
	bool is_over = chain->n > 0 && chain->sets[chain->n - 1].says_fail;

	v.next = is_over || chain->n >= ARC_SETS_MAX ? 0 : (unsigned)chain->n + 1;
	if (!chain->has_fields) {
		v.status = ARC_NONE;
	} else if (v.reason == NULL) {
		v.reason = verify_signature(&chain->sets[chain->n - 1], message);
		if (v.reason == NULL)
			v.reason = verify_seals(chain, message);
		if (v.reason == NULL) {
			v.status = ARC_PASS;
			v.oldest_pass = oldest_pass(chain, message);
		}
	}
	if (message->arena->used >= message->arena->max)
		return -E2BIG;
	*ret_verdict = v;
	return 0;
}

void arc_key_names(const struct arc_chain *chain, struct arena *a,
    bool (*add)(void *ctx, const struct dkim_signature *signature), void *ctx)
{
	struct dkim_signature s;

	if (chain->reason != NULL || chain->n == 0)
		return;
	if (read_signature(&chain->sets[chain->n - 1], a, &s) != NULL || !add(ctx, &s))
		return;
	for (size_t i = chain->n; i > 0; i--)
		if (dkim_signature_read(
		        value_of(chain->sets[i - 1].seal), DKIM_FIELD_SEAL, a, &s) != NULL ||
		    !add(ctx, &s))
			return;
}
