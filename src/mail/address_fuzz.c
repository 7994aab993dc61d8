/* Any bytes as an address list: groups balance, and what is written back parses to the same. */
#include <assert.h>
#include <stdint.h>

#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_list(const struct address *address)
{
	size_t n = 0;
	bool in_group = false;

	for (; address != NULL; address = address->next) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 24);
		if (address->kind == ADDRESS_GROUP_START)
			in_group = true;
		if (address->kind == ADDRESS_GROUP_END)
			assert(in_group);
		if (address->kind == ADDRESS_GROUP_END)
			in_group = false;
		if (address->kind == ADDRESS_MAILBOX)
			assert(address_format(address, &text));
		assert(str_index(buf_str(&text), '\0') == text.len);
		n++;
	}
	/* At the list's limit the last mark may be missing. */
	assert(n <= ADDRESS_LIST_MAX && (!in_group || n == ADDRESS_LIST_MAX));
}

static void check_one(struct str text)
{
	struct str local, domain, user, tag;
	struct buf once CLEANUP(buf_done) = BUF_MAX(4096), again CLEANUP(buf_done) = BUF_MAX(4096);

	if (address_split(text, &local, &domain)) {
		assert(local.len + domain.len + 1 == text.len);
		(void)address_local_unquote(local, &once);
		(void)address_subaddress(local, '+', &user, &tag);
	}
	buf_clear(&once);
	if (address_domain_canonical(text, &once)) {
		assert(once.len > 0 && once.len <= ADDRESS_DOMAIN_LEN_MAX);
		assert(address_domain_canonical(buf_str(&once), &again));
		assert(str_eq(buf_str(&once), buf_str(&again)));
		assert(address_domain_eq(text, buf_str(&once)));
		buf_clear(&again);
		if (address_domain_display(text, &again))
			assert(address_domain_eq(text, buf_str(&again)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX((len + 1) * 256);
	struct address *first;

	assert(address_list_parse(str_of(data, len), &a, &first) == 0);
	check_list(first);
	check_one(str_of(data, len));
	return 0;
}
