#include "scribe/sealing.h"

#include <assert.h>
#include <errno.h>

#include "base/fd.h"
#include "dns/rdata.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "mail/arc_seal.h"
#include "mail/auth_results.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"
#include "scribe/scribe.h"

enum {
	ARENA_LEN = 16 << 20,
	TEXT_MAX = 4 << 20, /* what is signed: never more than a header and some */
};

static_assert((int)KEY_NAMES_MAX == (int)OUTGOING_KEYS_MAX, "as many as the message takes");
static_assert((int)KEY_NAME_LEN_MAX <= (int)IPC_STRS_ITEM_MAX, "as long");

/* --- keys --- */

int sealing_ask(struct sealing *s, int channel, struct str header)
{
	*s = (struct sealing){.arena = ARENA_MAX(ARENA_LEN)};
	arc_read(header, &s->chain);
	key_names_collect(header, &s->chain, &s->arena, &s->names);
	struct ipc_keys_wanted m = {.names = {s->names.v, s->names.n}};
	return ipc_send(channel, IPC_KEYS_WANTED, &m);
}

/* RFC 6376 §3.6.2.2: there is one. Beside it may stand what is no key at all. */
static void pick_record(struct sealing *s, struct ipc_strs records, struct str *ret_record)
{
	for (size_t i = records.n; i-- > 0;) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(DKIM_RECORD_MAX);
		bool is_key = dns_txt_parse(records.v[i], &text) &&
		              (str_starts(buf_str(&text), STR("v=DKIM1")) || ret_record->len == 0);
		if (is_key && !arena_dup(&s->arena, buf_str(&text), ret_record))
			return;
	}
}

int sealing_take_key(struct sealing *s, const struct ipc_key *key)
{
	if (key->index >= s->names.n || s->keys[key->index].has_come)
		return -EPROTO;
	s->keys[key->index].has_come = true;
	s->keys[key->index].result = key->result;
	if (key->result == DNS_FOUND)
		pick_record(s, key->records, &s->keys[key->index].record);
	return 0;
}

static enum dkim_lookup find_key(
    void *ctx, struct str name, struct arena *a UNUSED, struct str *ret_record)
{
	struct sealing *s = ctx;
	size_t i = key_names_find(&s->names, name);

	if (i == s->names.n)
		return DKIM_KEY_MISSING;
	if (!s->keys[i].has_come || s->keys[i].result == DNS_FAILED)
		return DKIM_KEY_LATER;
	*ret_record = s->keys[i].record;
	return s->keys[i].result == DNS_FOUND ? DKIM_KEY_FOUND : DKIM_KEY_MISSING;
}

/* --- what is found --- */

/* ARC-Authentication-Results; `*ret_verdict` says with what the chain goes on. */
static int judge(struct sealing *s, const struct ipc_finish *finish,
    const struct sealing_message *message, struct arc_verdict *ret_verdict, struct buf *results)
{
	struct dkim_lookups lookups = {find_key, s};
	struct dkim_message m = {.header = message->header,
	    .body = message->body,
	    .now = finish->at / 1000,
	    .lookups = &lookups,
	    .arena = &s->arena};
	struct dkim_verdict signatures[DKIM_SIGNATURES_MAX];
	size_t n = 0;
	int r = arc_verify(&s->chain, &m, ret_verdict);

	if (r == 0 && ret_verdict->next == 0)
		return 0;
	if (r == 0)
		r = dkim_verify(m.header, m.body, m.now, &lookups, &s->arena, signatures, &n);
	if (r < 0)
		return r;
	struct auth_results found = {.id = finish->name,
	    .signatures = signatures,
	    .n_signatures = n,
	    .chain = ret_verdict,
	    .remote_ip = finish->peer};
	struct buf text CLEANUP(buf_done) = BUF_MAX(ARC_RESULTS_MAX);
	bool ok = auth_results_format(&found, &text) &&
	          arc_seal_results(ret_verdict->next, buf_str(&text), results);
	return ok ? 0 : -E2BIG;
}

/* --- signatures --- */

/* Has the text signed, and appends the whole field. */
static int sign(int channel, const struct buf *field, const struct buf *text, struct buf *out)
{
	struct ipc_received m;
	int fd CLEANUP(fd_close) = -1;
	int r = fd_sealed_memfd("seal", buf_str(text), &fd);
	struct ipc_seal ask = {.text = fd};

	if (r == 0)
		r = ipc_send(channel, IPC_SEAL, &ask);
	if (r == 0)
		r = ipc_wait(channel, SCRIBE_WAIT_MS, &m);
	if (r < 0)
		return r;
	const struct ipc_sealed *answer = m.msg;
	r = m.type == IPC_SEALED ? 0 : -EPROTO;
	if (r == 0 && !dkim_sign_complete(buf_str(field), answer->signature, out))
		r = -E2BIG;
	ipc_received_done(&m);
	return r;
}

static int sign_message(const struct arc_sealer *sealer, int channel,
    const struct sealing_message *message, struct buf *out)
{
	struct buf field CLEANUP(buf_done) = BUF_MAX(ARC_SEAL_FIELD_MAX);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);

	if (!arc_seal_message(sealer, message->goes, message->body_hash, &field, &text))
		return -E2BIG;
	return sign(channel, &field, &text, out);
}

static int sign_chain(const struct arc_sealer *sealer, int channel, const struct arc_chain *chain,
    enum arc_status status, const struct arc_set *set, struct buf *out)
{
	struct buf field CLEANUP(buf_done) = BUF_MAX(ARC_SEAL_FIELD_MAX);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);

	if (!arc_seal_chain(sealer, chain, status, set, &field, &text))
		return -E2BIG;
	return sign(channel, &field, &text, out);
}

int sealing_make(struct sealing *s, int channel, const struct ipc_finish *finish,
    const struct sealing_message *message, struct buf *out)
{
	struct buf results CLEANUP(buf_done) = BUF_MAX(ARC_RESULTS_MAX + 64);
	struct buf signature CLEANUP(buf_done) = BUF_MAX(ARC_FIELD_MAX);
	struct arc_verdict verdict;
	int r = judge(s, finish, message, &verdict, &results);

	if (r < 0 || verdict.next == 0)
		return r;
	struct arc_sealer sealer = {.domain = finish->domain,
	    .selector = finish->selectors.v[0],
	    .instance = verdict.next,
	    .at = finish->at / 1000};
	r = sign_message(&sealer, channel, message, &signature);
	if (r < 0)
		return r;
	struct arc_set set = {.results = buf_str(&results), .signature = buf_str(&signature)};
	r = sign_chain(&sealer, channel, &s->chain, verdict.status, &set, out);
	buf_add(out, set.signature);
	buf_add(out, set.results);
	return r == 0 && buf_failed(out) ? -E2BIG : r;
}

void sealing_done(struct sealing *s)
{
	arena_done(&s->arena);
}

/* --- the header --- */

bool sealing_add_header(struct str header, struct str id, struct buf *out)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;
	size_t from = 0; /* what is not looked at yet; lines that are no fields stay */

	while (header_next(&reader, &field)) {
		if (!str_eq_nocase(field.name, STR(AUTH_RESULTS_FIELD)) ||
		    !auth_results_claims(field.value, id))
			continue;
		size_t at = (size_t)(field.whole.p - header.p);
		buf_add(out, str_first(str_from(header, from), at - from));
		from = at + field.whole.len;
	}
	return buf_add(out, str_from(header, from)) && !buf_failed(out);
}
