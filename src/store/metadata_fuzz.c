/* Any bytes as a record's metadata: what is read can be written, and reads the same. */
#include <assert.h>
#include <stdint.h>

#include "store/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool is_same(const struct metadata *a, const struct metadata *b)
{
	return a->kind == b->kind && str_eq(a->reverse_path, b->reverse_path) &&
	       str_eq(a->recipient, b->recipient) && str_eq(a->envelope_id, b->envelope_id) &&
	       a->body == b->body && a->smtputf8 == b->smtputf8;
}

static bool is_same_append(const struct metadata *a, const struct metadata *b)
{
	return a->kind == b->kind && a->mailbox_id == b->mailbox_id &&
	       str_eq(a->mailbox, b->mailbox) && a->system_flags == b->system_flags &&
	       str_eq(a->keywords, b->keywords) && a->internal_at == b->internal_at &&
	       a->internal_zone == b->internal_zone && a->group == b->group &&
	       a->group_index == b->group_index && a->group_n == b->group_n &&
	       a->replaced_mailbox == b->replaced_mailbox &&
	       (a->replaced_mailbox == 0 || (a->replaced_validity == b->replaced_validity &&
	                                        a->replaced_uid == b->replaced_uid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct metadata m, again;
	if (metadata_decode(str_of(data, len), &m) < 0)
		return 0;
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 20);
	assert(metadata_encode(&m, &out));
	assert(metadata_decode(buf_str(&out), &again) == 0);
	if (m.kind == METADATA_DELIVERED)
		assert(is_same(&m, &again));
	else
		assert(is_same_append(&m, &again));
	return 0;
}
