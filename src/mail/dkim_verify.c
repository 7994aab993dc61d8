/* Verifying the signatures of a message (RFC 6376 §6). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mail/address.h"
#include "mail/dkim.h"
#include "mail/header.h"
#include "mail/tag_list.h"

enum { CANON_HEADER_MAX = 4 * 1024 * 1024, KEY_NAME_MAX = 512 };

const char *dkim_result_word(enum dkim_result result)
{
	static const char *const words[] = {
	    [DKIM_PASS] = "pass",
	    [DKIM_FAIL] = "fail",
	    [DKIM_NEUTRAL] = "neutral",
	    [DKIM_TEMPERROR] = "temperror",
	    [DKIM_PERMERROR] = "permerror",
	};
	return words[result];
}

/* --- the header --- */

struct indexed {
	struct str name, whole;
	bool is_taken;
};

static struct indexed *index_header(struct str header, size_t *ret_n)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;
	struct indexed *v = NULL;
	size_t n = 0;

	while (header_next(&reader, &field)) {
		if ((n & (n - 1)) == 0) /* room doubles at powers of two */
			v = reallocarray(v, n == 0 ? 1 : 2 * n, sizeof(*v));
		if (v == NULL)
			abort();
		v[n++] = (struct indexed){.name = field.name, .whole = field.whole};
	}
	*ret_n = n;
	return v;
}

/* The last one of that name that was not taken yet. */
static struct indexed *take(struct indexed *v, size_t n, struct str name)
{
	while (n-- > 0)
		if (!v[n].is_taken && str_eq_nocase(v[n].name, name)) {
			v[n].is_taken = true;
			return &v[n];
		}
	return NULL;
}

bool dkim_canon_header(struct str header, struct str names, enum dkim_canon canon, struct buf *out)
{
	size_t n, n_names = 0;
	struct indexed *v = index_header(header, &n);

	while (names.len > 0 && ++n_names <= DKIM_HEADER_NAMES_MAX) {
		struct indexed *field = take(v, n, str_trim(str_cut(&names, ':')));
		if (field != NULL)
			dkim_canon_field(canon, field->whole, out);
	}
	free(v);
	return !buf_failed(out) && n_names <= DKIM_HEADER_NAMES_MAX;
}

/* --- keys --- */

/* What is ASCII is a name as it is: "_" and others stand in selectors. */
static bool add_labels(struct str labels, struct buf *out)
{
	if (!utf8_is_ascii(labels))
		return address_domain_canonical(labels, out);
	for (size_t i = 0; i < labels.len; i++)
		buf_add_c(out, ascii_lower(labels.p[i]));
	return !buf_failed(out);
}

bool dkim_key_name(const struct dkim_signature *signature, struct buf *out)
{
	return add_labels(signature->selector, out) && buf_add(out, STR("._domainkey.")) &&
	       add_labels(signature->domain, out);
}

const char *dkim_find_key(const struct dkim_signature *signature,
    const struct dkim_lookups *lookups, struct arena *a, struct dkim_key *ret_key,
    enum dkim_result *ret_result)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(KEY_NAME_MAX);
	struct str record = STR("");

	*ret_result = DKIM_PERMERROR;
	if (!dkim_key_name(signature, &name))
		return "name of the key is too long";
	switch (lookups->find(lookups->ctx, buf_str(&name), a, &record)) {
	case DKIM_KEY_FOUND:
		break;
	case DKIM_KEY_MISSING:
		return "no key in the DNS";
	default:
		*ret_result = DKIM_TEMPERROR;
		return "key cannot be had now";
	}
	const char *why = dkim_key_parse(record, ret_key);
	if (why == NULL && ret_key->kind != signature->kind)
		why = "key is of another kind";
	return why;
}

/* --- signatures --- */

/* NULL: it was hashed in too many ways already. */
static const uint8_t *body_hash(
    struct dkim_message *v, const struct dkim_signature *s, uint64_t *ret_len)
{
	size_t i = 0;

	while (i < v->n_bodies &&
	       (v->bodies[i].canon != s->body_canon || v->bodies[i].limit != s->body_limit))
		i++;
	if (i == ARRAY_LEN(v->bodies))
		return NULL;
	if (i == v->n_bodies) {
		struct dkim_body body;
		dkim_body_begin(&body, s->body_canon, s->body_limit);
		dkim_body_add(&body, v->body);
		dkim_body_end(&body, v->bodies[i].hash);
		v->bodies[i].canon = s->body_canon;
		v->bodies[i].limit = s->body_limit;
		v->bodies[i].len = body.len;
		v->n_bodies++;
	}
	*ret_len = v->bodies[i].len;
	return v->bodies[i].hash;
}

static bool hash_header(struct dkim_message *v, const struct dkim_verdict *verdict,
    uint8_t ret_hash[static DKIM_HASH_LEN])
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(CANON_HEADER_MAX);
	const struct dkim_signature *s = &verdict->signature;

	if (!dkim_canon_header(v->header, s->names, s->header_canon, &text) ||
	    !dkim_canon_signature(s->header_canon, verdict->field, &text))
		return false;
	dkim_hash(buf_str(&text), ret_hash);
	return true;
}

const char *dkim_check_times(const struct dkim_signature *s, uint64_t now)
{
	if (s->expires_at != 0 && s->expires_at < now)
		return "signature has expired";
	if (s->made_at > now + DKIM_CLOCK_SKEW_S)
		return "signature is from the future";
	return NULL;
}

static const char *verify_body(struct dkim_message *v, struct dkim_verdict *verdict)
{
	const struct dkim_signature *s = &verdict->signature;
	uint64_t len;
	const uint8_t *hash = body_hash(v, s, &len);

	if (hash == NULL)
		return "body is hashed in too many ways";
	if (s->body_limit != DKIM_BODY_WHOLE && s->body_limit > len)
		return "body is shorter than what was signed";
	if (memcmp(hash, s->body_hash.p, DKIM_HASH_LEN) != 0)
		return "body hash did not verify";
	verdict->unsigned_bytes = s->body_limit == DKIM_BODY_WHOLE ? 0 : len - s->body_limit;
	return NULL;
}

/* An identity is what DKIM-Signature alone has. */
static bool is_identity_of_domain(const struct dkim_signature *s)
{
	return s->identity.len == 0 ||
	       (s->identity.len > s->domain.len &&
	           s->identity.p[s->identity.len - s->domain.len - 1] == '@');
}

void dkim_verify_read(struct dkim_message *v, struct dkim_verdict *verdict)
{
	uint8_t hash[DKIM_HASH_LEN];
	struct dkim_key key;

	verdict->result = DKIM_FAIL;
	verdict->reason = dkim_check_times(&verdict->signature, v->now);
	if (verdict->reason == NULL)
		verdict->reason = verify_body(v, verdict);
	if (verdict->reason == NULL && !hash_header(v, verdict, hash))
		verdict->reason = "header is too large";
	if (verdict->reason != NULL)
		return;
	verdict->reason =
	    dkim_find_key(&verdict->signature, v->lookups, v->arena, &key, &verdict->result);
	if (verdict->reason != NULL)
		return;
	verdict->is_testing = key.is_testing;
	verdict->result = DKIM_PERMERROR;
	if (key.is_strict && !is_identity_of_domain(&verdict->signature)) {
		verdict->reason = "key is for the domain itself alone";
		return;
	}
	verdict->reason = dkim_key_verify(&key, hash, verdict->signature.signature, &verdict->bits);
	bool is_unfit = verdict->bits == 0 ||
	                (key.kind == DKIM_KEY_RSA && (verdict->bits < DKIM_RSA_BITS_LEAST ||
	                                                 verdict->bits > DKIM_RSA_BITS_MAX));
	if (!is_unfit)
		verdict->result = verdict->reason == NULL ? DKIM_PASS : DKIM_FAIL;
}

static void verify_one(struct dkim_message *v, struct str value, struct dkim_verdict *verdict)
{
	verdict->result = DKIM_NEUTRAL;
	verdict->reason = dkim_signature_parse(value, v->arena, &verdict->signature);
	if (verdict->reason == NULL)
		dkim_verify_read(v, verdict);
}

int dkim_verify(struct str header, struct str body, uint64_t now,
    const struct dkim_lookups *lookups, struct arena *a,
    struct dkim_verdict ret_verdicts[static DKIM_SIGNATURES_MAX], size_t *ret_n)
{
	struct dkim_message v = {
	    .header = header, .body = body, .now = now, .lookups = lookups, .arena = a};
	struct header_reader reader = {.rest = header};
	struct header_field field;
	size_t n = 0;

	while (n < DKIM_SIGNATURES_MAX && header_next(&reader, &field)) {
		if (!str_eq_nocase(field.name, STR(DKIM_FIELD)))
			continue;
		if (a->used >= a->max)
			return -E2BIG;
		ret_verdicts[n] = (struct dkim_verdict){.field = field.whole};
		verify_one(&v, field.value, &ret_verdicts[n]);
		n++;
	}
	*ret_n = n;
	return 0;
}
