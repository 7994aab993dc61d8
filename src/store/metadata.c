#include "store/metadata.h"

#include <errno.h>
#include <stddef.h>

#include "base/num.h"

enum value_kind { VALUE_U8, VALUE_U16, VALUE_U64, VALUE_STR };

/* The tags, in the order in which they are written. A tag's number never changes its meaning. */
static const struct field {
	uint8_t tag;
	uint8_t kind; /* enum value_kind */
	uint8_t of;   /* enum metadata_kind */
	uint16_t offset;
	uint16_t max; /* of a string */
} fields[] = {
    {1, VALUE_STR, METADATA_DELIVERED, offsetof(struct metadata, reverse_path),
        METADATA_ADDRESS_MAX},
    {2, VALUE_STR, METADATA_DELIVERED, offsetof(struct metadata, recipient), METADATA_ADDRESS_MAX},
    {3, VALUE_STR, METADATA_DELIVERED, offsetof(struct metadata, envelope_id),
        METADATA_ENVELOPE_ID_MAX},
    {4, VALUE_U8, METADATA_DELIVERED, offsetof(struct metadata, body), 0},
    {5, VALUE_U8, METADATA_DELIVERED, offsetof(struct metadata, smtputf8), 0},
    {16, VALUE_U64, METADATA_APPENDED, offsetof(struct metadata, mailbox_id), 0},
    {17, VALUE_STR, METADATA_APPENDED, offsetof(struct metadata, mailbox), METADATA_MAILBOX_MAX},
    {18, VALUE_U64, METADATA_APPENDED, offsetof(struct metadata, system_flags), 0},
    {19, VALUE_STR, METADATA_APPENDED, offsetof(struct metadata, keywords), METADATA_KEYWORDS_MAX},
    {20, VALUE_U64, METADATA_APPENDED, offsetof(struct metadata, internal_at), 0},
    {21, VALUE_U16, METADATA_APPENDED, offsetof(struct metadata, internal_zone), 0},
    {22, VALUE_U64, METADATA_APPENDED, offsetof(struct metadata, group), 0},
    {23, VALUE_U16, METADATA_APPENDED, offsetof(struct metadata, group_index), 0},
    {24, VALUE_U16, METADATA_APPENDED, offsetof(struct metadata, group_n), 0},
    {25, VALUE_U64, METADATA_APPENDED, offsetof(struct metadata, replaced_mailbox), 0},
    {26, VALUE_U64, METADATA_APPENDED, offsetof(struct metadata, replaced_validity), 0},
    {27, VALUE_U64, METADATA_APPENDED, offsetof(struct metadata, replaced_uid), 0},
    {28, VALUE_STR, METADATA_APPENDED, offsetof(struct metadata, replaced_proof),
        METADATA_PROOF_LEN},
};

enum { TAG_KIND = 255, TAG_REPLACED_FIRST = 25, TAG_REPLACED_LAST = 28, PREFIX_LEN = 3 };

static bool put(struct buf *out, uint8_t tag, struct str value)
{
	char prefix[PREFIX_LEN] = {(char)tag};
	num_put16(prefix + 1, (uint16_t)value.len);
	return buf_add(out, str_of(prefix, sizeof(prefix))) && buf_add(out, value);
}

static bool put_field(struct buf *out, const struct field *f, const void *at)
{
	uint8_t bytes[8];
	switch ((enum value_kind)f->kind) {
	case VALUE_U8:
		return put(out, f->tag, str_of(at, 1));
	case VALUE_U16:
		num_put16(bytes, *(const uint16_t *)at);
		return put(out, f->tag, str_of(bytes, 2));
	case VALUE_U64:
		num_put64(bytes, *(const uint64_t *)at);
		return put(out, f->tag, str_of(bytes, 8));
	case VALUE_STR:
		return put(out, f->tag, str_first(*(const struct str *)at, f->max));
	}
	return false;
}

/* What only some messages have takes no room in the others. */
static bool is_left_out(const struct metadata *m, uint8_t tag)
{
	return tag >= TAG_REPLACED_FIRST && tag <= TAG_REPLACED_LAST && m->replaced_mailbox == 0;
}

bool metadata_encode(const struct metadata *m, struct buf *out)
{
	uint8_t kind = (uint8_t)m->kind;
	bool ok = buf_add_c(out, METADATA_VERSION) && put(out, TAG_KIND, str_of(&kind, 1));
	for (size_t i = 0; ok && i < ARRAY_LEN(fields); i++) {
		if (fields[i].of == kind && !is_left_out(m, fields[i].tag))
			ok = put_field(out, &fields[i], (const char *)m + fields[i].offset);
	}
	return ok;
}

static const struct field *field_of(uint8_t tag)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (fields[i].tag == tag)
			return &fields[i];
	}
	return NULL;
}

static bool get_field(const struct field *f, struct str value, void *at)
{
	switch ((enum value_kind)f->kind) {
	case VALUE_U8:
		if (value.len != 1)
			return false;
		*(uint8_t *)at = (uint8_t)value.p[0];
		return true;
	case VALUE_U16:
		if (value.len != 2)
			return false;
		*(uint16_t *)at = num_get16(value.p);
		return true;
	case VALUE_U64:
		if (value.len != 8)
			return false;
		*(uint64_t *)at = num_get64(value.p);
		return true;
	case VALUE_STR:
		if (value.len > f->max)
			return false;
		*(struct str *)at = value;
		return true;
	}
	return false;
}

/* The values that are more than bytes. */
static bool is_sound(const struct metadata *m)
{
	if (m->kind == METADATA_DELIVERED)
		return true;
	return m->kind == METADATA_APPENDED && m->group_n > 0 && m->group_index < m->group_n;
}

static int get_pair(struct metadata *m, uint8_t tag, struct str value)
{
	if (tag == TAG_KIND) {
		if (value.len != 1 || m->kind)
			return -EBADMSG;
		m->kind = (enum metadata_kind)(uint8_t)value.p[0];
		return 0;
	}
	const struct field *f = field_of(tag);
	if (!f)
		return 0;
	/* `smtputf8` is a bool: no value but 0 and 1 may get into it. */
	if (f->offset == offsetof(struct metadata, smtputf8) &&
	    (value.len != 1 || (uint8_t)value.p[0] > 1))
		return -EBADMSG;
	return get_field(f, value, (char *)m + f->offset) ? 0 : -EBADMSG;
}

int metadata_decode(struct str bytes, struct metadata *ret_m)
{
	if (bytes.len == 0)
		return -EBADMSG;
	if (bytes.p[0] != METADATA_VERSION)
		return -EPROTONOSUPPORT;
	struct metadata m = {0};
	bool seen[256] = {false};
	struct str rest = str_from(bytes, 1);
	while (rest.len > 0) {
		if (rest.len < PREFIX_LEN)
			return -EBADMSG;
		uint8_t tag = (uint8_t)rest.p[0];
		size_t len = num_get16(rest.p + 1);
		rest = str_from(rest, PREFIX_LEN);
		if (len > rest.len || seen[tag])
			return -EBADMSG;
		seen[tag] = true;
		int error = get_pair(&m, tag, str_first(rest, len));
		if (error)
			return error;
		rest = str_from(rest, len);
	}
	if (!is_sound(&m))
		return -EBADMSG;
	*ret_m = m;
	return 0;
}
