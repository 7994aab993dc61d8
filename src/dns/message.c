#include "dns/message.h"

#include <errno.h>

enum {
	HEADER_LEN = 12,
	RECORD_FIXED_LEN = 10, /* type, class, TTL, length of rdata */
	CLASS_IN = 1,
	POINTER = 0xc0,
	MINIMUM_LEN = 4, /* the last field of a SOA record */
};

struct reading {
	struct str bytes;
	size_t at;
	uint16_t type;
	struct arena *arena;
	struct buf owner; /* wire form, lower case, of the name that is looked for now */
	size_t n_chain, len;
	struct dns_message *message;
};

struct record {
	struct buf owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t data, end; /* where its rdata begins and ends */
};

static unsigned byte_at(const struct reading *r, size_t at)
{
	return (unsigned char)r->bytes.p[at];
}

static uint16_t number16(const struct reading *r, size_t at)
{
	return (uint16_t)(byte_at(r, at) << 8 | byte_at(r, at + 1));
}

static uint32_t number32(const struct reading *r, size_t at)
{
	return (uint32_t)number16(r, at) << 16 | number16(r, at + 2);
}

/*
 * Expands the name at `*at` (not beyond `end`) into `out`, in lower case, and moves `*at` behind
 * it. A pointer (RFC 1035 §4.1.4) leads to before the label that it stands for, so that no chain of
 * them is endless.
 */
static bool expand(const struct reading *r, size_t *at, size_t end, struct buf *out)
{
	size_t from = *at, before = *at;
	bool jumped = false;

	for (;;) {
		if (from >= end)
			return false;
		unsigned label = byte_at(r, from);
		if (label >= POINTER) {
			if (from + 2 > end)
				return false;
			size_t to = (label & ~(unsigned)POINTER) << 8 | byte_at(r, from + 1);
			if (!jumped)
				*at = from + 2;
			if (to >= before)
				return false;
			jumped = true;
			before = from = to;
			continue;
		}
		if (label > DNS_LABEL_MAX || from + 1 + label > end)
			return false;
		buf_add_c(out, (char)label);
		for (size_t i = 0; i < label; i++)
			buf_add_c(out, ascii_lower((char)byte_at(r, from + 1 + i)));
		from += 1 + label;
		if (label == 0)
			break;
	}
	if (!jumped)
		*at = from;
	return !buf_failed(out);
}

/* NAME TYPE CLASS TTL RDLENGTH RDATA (RFC 1035 §4.1.3) */
static bool cut_record(struct reading *r, struct record *ret)
{
	ret->owner = BUF_MAX(DNS_WIRE_NAME_MAX);
	if (!expand(r, &r->at, r->bytes.len, &ret->owner) ||
	    r->bytes.len - r->at < RECORD_FIXED_LEN)
		return false;
	ret->type = number16(r, r->at);
	ret->class = number16(r, r->at + 2);
	ret->ttl = number32(r, r->at + 4);
	ret->data = r->at + RECORD_FIXED_LEN;
	size_t len = number16(r, r->at + 8);
	if (len > r->bytes.len - ret->data)
		return false;
	r->at = ret->end = ret->data + len;
	/* RFC 2181 §8: with the highest bit set it counts as zero. */
	if (ret->ttl > INT32_MAX)
		ret->ttl = 0;
	return true;
}

static bool has_owner(const struct reading *r, const struct record *record)
{
	return record->class == CLASS_IN && str_eq(buf_str(&record->owner), buf_str(&r->owner));
}

static void limit_ttl(struct reading *r, uint32_t ttl)
{
	if (ttl < r->message->ttl)
		r->message->ttl = ttl;
}

static int follow(struct reading *r, const struct record *record)
{
	struct buf target CLEANUP(buf_done) = BUF_MAX(DNS_WIRE_NAME_MAX);
	size_t at = record->data;

	if (++r->n_chain > DNS_CHAIN_MAX || !expand(r, &at, record->end, &target) ||
	    at != record->end)
		return -EBADMSG;
	limit_ttl(r, record->ttl);
	buf_clear(&r->owner);
	buf_add(&r->owner, buf_str(&target));
	r->message->is_alias = true;
	return 0;
}

/* The rdata with its name, where its type has one, in full. */
static bool expand_rdata(const struct reading *r, const struct record *record, struct buf *out)
{
	size_t at = record->data;
	struct str raw = str_first(str_from(r->bytes, at), record->end - at);

	switch (record->type) {
	case DNS_MX:
		if (raw.len < 2)
			return false;
		buf_add(out, str_first(raw, 2));
		at += 2;
		break;
	case DNS_CNAME:
	case DNS_PTR:
		break;
	default:
		return buf_add(out, raw);
	}
	struct buf name CLEANUP(buf_done) = BUF_MAX(DNS_WIRE_NAME_MAX);
	return expand(r, &at, record->end, &name) && at == record->end &&
	       buf_add(out, buf_str(&name));
}

static int take(struct reading *r, const struct record *record)
{
	struct dns_message *m = r->message;
	struct buf rdata CLEANUP(buf_done) = BUF_MAX(DNS_RECORD_LEN_MAX);

	limit_ttl(r, record->ttl);
	if (m->n == DNS_RECORDS_MAX || !expand_rdata(r, record, &rdata) ||
	    r->len + rdata.len > DNS_RECORDS_LEN_MAX) {
		m->n_left_out++;
		return 0;
	}
	if (!arena_dup(r->arena, buf_str(&rdata), &m->records[m->n]))
		return -ENOMEM;
	r->len += rdata.len;
	m->n++;
	return 0;
}

static int read_answers(struct reading *r, unsigned n)
{
	int error = 0;

	for (unsigned i = 0; i < n && error == 0; i++) {
		struct record record;
		if (!cut_record(r, &record))
			error = -EBADMSG;
		else if (has_owner(r, &record) && record.type == r->type)
			error = take(r, &record);
		else if (has_owner(r, &record) && record.type == DNS_CNAME)
			error = follow(r, &record);
		buf_done(&record.owner);
	}
	return error;
}

/* How long it may be remembered that there is nothing: RFC 2308 §5. */
static int read_authority(struct reading *r, unsigned n)
{
	bool found = false;
	int error = 0;

	for (unsigned i = 0; i < n && error == 0; i++) {
		struct record record;
		if (!cut_record(r, &record)) {
			error = -EBADMSG;
		} else if (record.type == DNS_SOA && record.end - record.data >= MINIMUM_LEN) {
			limit_ttl(r, record.ttl);
			limit_ttl(r, number32(r, record.end - MINIMUM_LEN));
			found = true;
		}
		buf_done(&record.owner);
	}
	if (!found)
		r->message->ttl = 0;
	return error;
}

static int read_sections(struct reading *r)
{
	struct dns_message *m = r->message;
	int error;

	m->rcode = byte_at(r, 3) & 0x0f;
	r->at = HEADER_LEN;
	if (number16(r, 4) != 1 || !expand(r, &r->at, r->bytes.len, &r->owner) ||
	    r->bytes.len - r->at < 4 || number16(r, r->at) != r->type)
		return -EBADMSG;
	r->at += 4;
	if ((error = read_answers(r, number16(r, 6))) < 0)
		return error;
	if (m->n == 0 && (error = read_authority(r, number16(r, 8))) < 0)
		return error;
	struct str canonical = buf_str(&r->owner);
	return dns_name_cut(&canonical, &m->canonical) || !m->is_alias ? 0 : -EBADMSG;
}

int dns_message_read(
    struct str bytes, uint16_t type, struct arena *a, struct dns_message *ret_message)
{
	struct dns_message message = {.ttl = UINT32_MAX};
	struct buf owner CLEANUP(buf_done) = BUF_MAX(DNS_WIRE_NAME_MAX);

	if (bytes.len < HEADER_LEN)
		return -EBADMSG;
	message.records = ARENA_NEW_ARRAY(a, struct str, DNS_RECORDS_MAX);
	if (message.records == NULL)
		return -ENOMEM;
	struct reading r = {
	    .bytes = bytes, .type = type, .arena = a, .owner = owner, .message = &message};
	int error = read_sections(&r);
	owner = r.owner;
	if (error == 0)
		*ret_message = message;
	return error;
}
