/*
 * dns/rdata.h: what stands in the records that mail needs, from their bytes on the wire.
 *
 * Names in rdata are not compressed here (dns/message.h expands them; IPC_DNS_ANSWER carries them
 * so). Each function takes the rdata of one record, must consume all of it, and gives false for
 * what is none; the caller then goes on as if that record was not there.
 */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H

#include <stdint.h>

#include "dns/name.h"

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

enum { DNS_ADDRESS_TEXT_MAX = 46 }; /* with the NUL */

struct dns_mx {
	uint16_t preference;
	struct dns_name exchange; /* the root, "": this domain takes no mail (RFC 7505 §3) */
};

/* RFC 1035 §3.3.9 */
MUST_USE bool dns_mx_parse(struct str rdata, struct dns_mx *ret_mx);

/* Appends the strings of a TXT record one behind the other, with nothing between (RFC 7208 §3.3).
 * RFC 1035 §3.3.14 */
MUST_USE bool dns_txt_parse(struct str rdata, struct buf *out);

/* An A or AAAA record as text: "192.0.2.1", "2001:db8::1". RFC 1035 §3.4.1, RFC 3596 §2.2 */
MUST_USE bool dns_address_parse(
    struct str rdata, enum dns_type type, char ret_text[static DNS_ADDRESS_TEXT_MAX]);

/* A CNAME or PTR record. RFC 1035 §3.3.1, §3.3.12 */
MUST_USE bool dns_target_parse(struct str rdata, struct dns_name *ret_name);

struct dns_tlsa {
	uint8_t usage, selector, matching;
	struct str data; /* borrowed from the rdata; never empty */
};

/* RFC 6698 §2.1. Does not judge the values: which of them count is the business of who uses it. */
MUST_USE bool dns_tlsa_parse(struct str rdata, struct dns_tlsa *ret_tlsa);

/* As a zone file has it: "3 1 1 0b9f…", for logs and reports. */
void dns_tlsa_print(const struct dns_tlsa *tlsa, struct buf *out);

#endif
