/* Any bytes as a name of the wire and of text: what is taken comes back the same. */
#include <assert.h>
#include <stdint.h>

#include "dns/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct dns_name *name)
{
	struct buf wire CLEANUP(buf_done) = BUF_MAX(DNS_WIRE_NAME_MAX);
	struct dns_name again;

	assert(dns_name_add(name, &wire));
	struct str rest = buf_str(&wire);
	assert(dns_name_cut(&rest, &again) && rest.len == 0);
	assert(strcmp(name->text, again.text) == 0);
	if (name->text[0] != 0)
		assert(dns_name_parse(str_of_cstr(name->text), &again) &&
		       strcmp(name->text, again.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str rest = str_of(data, len);
	struct dns_name name;

	if (dns_name_parse(rest, &name))
		check(&name);
	if (dns_name_cut(&rest, &name)) {
		assert(rest.len < len);
		check(&name);
	}
	return 0;
}
