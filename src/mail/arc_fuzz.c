/* Any bytes as a message with a chain: read, validated, sealed once more, and read again. */
#include <assert.h>
#include <stdint.h>

#include "mail/arc_seal.h"
#include "mail/auth_results.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"
#include "mail/key_names.h"

enum { ARENA_LEN = 4 << 20, NOW = 1700000000, TEXT_MAX = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The record is what stands in the message, behind the header. */
static enum dkim_lookup find(void *ctx, struct str name, struct arena *a, struct str *ret_record)
{
	assert(name.len > 0);
	return arena_dup(a, *(struct str *)ctx, ret_record) ? DKIM_KEY_FOUND : DKIM_KEY_LATER;
}

static void check_names(struct str header, const struct arc_chain *chain, struct arena *a)
{
	struct key_names names;

	key_names_collect(header, chain, a, &names);
	assert(names.n <= KEY_NAMES_MAX);
	for (size_t i = 0; i < names.n; i++) {
		assert(key_name_is_valid(names.v[i]));
		assert(key_names_find(&names, names.v[i]) == i);
	}
}

/* The sets on top of the header are one more, and nothing of what was there is read otherwise. */
static void check_sealed(struct str header, const struct arc_chain *before, unsigned next,
    const struct arc_set *set, struct str seal)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct arc_chain after;

	buf_add(&text, seal);
	buf_add(&text, set->signature);
	buf_add(&text, set->results);
	buf_add(&text, header);
	assert(!buf_failed(&text));
	arc_read(buf_str(&text), &after);
	assert(after.n == next && after.sets[next - 1].seal.len == seal.len);
	for (size_t i = 0; i < before->n; i++)
		assert(str_eq(after.sets[i].seal, before->sets[i].seal));
}

static void check_sealing(struct str header, const struct arc_chain *chain,
    const struct arc_verdict *verdict, struct str found)
{
	struct buf results CLEANUP(buf_done) = BUF_MAX(ARC_RESULTS_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(ARC_SEAL_FIELD_MAX);
	struct buf signature CLEANUP(buf_done) = BUF_MAX(ARC_FIELD_MAX);
	struct buf seal CLEANUP(buf_done) = BUF_MAX(ARC_FIELD_MAX);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct arc_sealer sealer = {STR("example.org"), STR("s"), verdict->next, NOW};
	uint8_t hash[DKIM_HASH_LEN] = {0};

	bool ok = arc_seal_results(verdict->next, found, &results) &&
	          arc_seal_message(&sealer, header, hash, &field, &text);
	assert(ok && arc_seal_is_text(buf_str(&text)));
	ok = dkim_sign_complete(buf_str(&field), STR("signature"), &signature);
	struct arc_set set = {.results = buf_str(&results), .signature = buf_str(&signature)};
	buf_clear(&field);
	buf_clear(&text);
	ok = ok && arc_seal_chain(&sealer, chain, verdict->status, &set, &field, &text) &&
	     arc_seal_is_text(buf_str(&text)) &&
	     dkim_sign_complete(buf_str(&field), STR("signature"), &seal);
	assert(ok);
	check_sealed(header, chain, verdict->next, &set, buf_str(&seal));
}

static void check_message(struct str text)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct buf found CLEANUP(buf_done) = BUF_MAX(ARC_RESULTS_MAX);
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	struct arc_chain chain;
	struct arc_verdict verdict;
	struct str body;
	struct dkim_lookups lookups = {find, &body};
	struct dkim_message m = {.now = NOW, .lookups = &lookups, .arena = &a};
	size_t n;

	header_split(text, &m.header, &m.body);
	body = m.body;
	arc_read(m.header, &chain);
	check_names(m.header, &chain, &a);
	if (arc_verify(&chain, &m, &verdict) < 0 ||
	    dkim_verify(m.header, body, NOW, &lookups, &a, v, &n) < 0)
		return;
	assert((verdict.status == ARC_NONE) == !chain.has_fields);
	assert((verdict.status == ARC_FAIL) == (verdict.reason != NULL));
	assert(verdict.next <= ARC_SETS_MAX && (verdict.next == 0 || verdict.next == chain.n + 1));
	struct auth_results r = {STR("mail.example.org"), v, n, &verdict, STR("192.0.2.1")};
	bool ok = auth_results_format(&r, &found);
	assert(ok && !auth_results_claims(buf_str(&found), STR("other.example")));
	assert(auth_results_claims(buf_str(&found), r.id));
	if (verdict.next > 0)
		check_sealing(m.header, &chain, &verdict, buf_str(&found));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_of(data, len);

	check_message(text);
	(void)auth_results_claims(text, STR("mail.example.org"));
	(void)key_name_is_valid(text);
	return 0;
}
