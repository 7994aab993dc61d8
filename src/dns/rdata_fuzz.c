/* Any bytes as the rdata of each type. */
#include <assert.h>
#include <stdint.h>

#include "dns/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str rdata = str_of(data, len);
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 16);
	char address[DNS_ADDRESS_TEXT_MAX];
	struct dns_mx mx;
	struct dns_name name;
	struct dns_tlsa tlsa;

	if (dns_mx_parse(rdata, &mx))
		assert(dns_target_parse(str_from(rdata, 2), &name) &&
		       strcmp(name.text, mx.exchange.text) == 0);
	if (dns_txt_parse(rdata, &text))
		assert(text.len < len);
	assert(dns_address_parse(rdata, DNS_A, address) == (len == 4));
	assert(dns_address_parse(rdata, DNS_AAAA, address) == (len == 16));
	if (dns_tlsa_parse(rdata, &tlsa)) {
		assert(tlsa.data.len == len - 3);
		buf_clear(&text);
		dns_tlsa_print(&tlsa, &text);
	}
	return 0;
}
