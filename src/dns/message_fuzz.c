/* Any bytes as a response: within the limits, records in the arena. */
#include <assert.h>
#include <stdint.h>

#include "dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint16_t types[] = {DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_TLSA};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 18);
		struct dns_message m;
		size_t all = 0;
		if (dns_message_read(str_of(data, len), types[i], &a, &m) < 0)
			continue;
		assert(m.n <= DNS_RECORDS_MAX && m.rcode <= 15);
		for (size_t n = 0; n < m.n; n++) {
			assert(m.records[n].len <= DNS_RECORD_LEN_MAX);
			all += m.records[n].len;
		}
		assert(all <= DNS_RECORDS_LEN_MAX);
	}
	return 0;
}
