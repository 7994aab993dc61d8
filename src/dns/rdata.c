#include "dns/rdata.h"

#include <arpa/inet.h>

#include "base/base64.h"

enum { IPV4_LEN = 4, IPV6_LEN = 16, TLSA_FIXED_LEN = 3 };

/* PREFERENCE EXCHANGE */
bool dns_mx_parse(struct str rdata, struct dns_mx *ret_mx)
{
	struct dns_mx mx;

	if (rdata.len < 2)
		return false;
	mx.preference = (uint16_t)((unsigned char)rdata.p[0] << 8 | (unsigned char)rdata.p[1]);
	struct str rest = str_from(rdata, 2);
	if (!dns_name_cut(&rest, &mx.exchange) || rest.len > 0)
		return false;
	*ret_mx = mx;
	return true;
}

/* 1*( length octets ) */
bool dns_txt_parse(struct str rdata, struct buf *out)
{
	struct str rest = rdata;

	if (rdata.len == 0)
		return false;
	while (rest.len > 0) {
		size_t len = (unsigned char)rest.p[0];
		if (len >= rest.len)
			return false;
		rest = str_from(rest, 1 + len);
	}
	while (rdata.len > 0) {
		size_t len = (unsigned char)rdata.p[0];
		buf_add(out, str_first(str_from(rdata, 1), len));
		rdata = str_from(rdata, 1 + len);
	}
	return !buf_failed(out);
}

bool dns_address_parse(
    struct str rdata, enum dns_type type, char ret_text[static DNS_ADDRESS_TEXT_MAX])
{
	bool is_ipv4 = type == DNS_A;

	if ((type != DNS_A && type != DNS_AAAA) || rdata.len != (is_ipv4 ? IPV4_LEN : IPV6_LEN))
		return false;
	return inet_ntop(is_ipv4 ? AF_INET : AF_INET6, rdata.p, ret_text, DNS_ADDRESS_TEXT_MAX) !=
	       NULL;
}

bool dns_target_parse(struct str rdata, struct dns_name *ret_name)
{
	struct dns_name name;

	if (!dns_name_cut(&rdata, &name) || rdata.len > 0)
		return false;
	*ret_name = name;
	return true;
}

/* usage selector matching-type certificate-association-data */
bool dns_tlsa_parse(struct str rdata, struct dns_tlsa *ret_tlsa)
{
	if (rdata.len <= TLSA_FIXED_LEN)
		return false;
	*ret_tlsa = (struct dns_tlsa){
	    .usage = (uint8_t)rdata.p[0],
	    .selector = (uint8_t)rdata.p[1],
	    .matching = (uint8_t)rdata.p[2],
	    .data = str_from(rdata, TLSA_FIXED_LEN),
	};
	return true;
}

void dns_tlsa_print(const struct dns_tlsa *tlsa, struct buf *out)
{
	buf_printf(out, "%u %u %u ", tlsa->usage, tlsa->selector, tlsa->matching);
	hex_encode(tlsa->data, out);
}
