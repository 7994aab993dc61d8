/*
 * dns/message.h: what a DNS message answers to one question.
 *
 * Reads the bytes of a response (RFC 1035 §4), follows the chain of CNAME records from the name
 * that was asked for, and takes the records of the type behind it, their names uncompressed. The
 * records of a chain stand in its order (RFC 1034 §4.3.2: each is added as it is found); one that
 * comes before the CNAME that leads to it is not seen.
 *
 * It does not validate (libunbound did), does not cache, and does not look at the additional
 * section.
 *
 * Limits: at most DNS_RECORDS_MAX records, DNS_RECORD_LEN_MAX bytes each and DNS_RECORDS_LEN_MAX in
 * all; what is beyond is left out and counted. At most DNS_CHAIN_MAX CNAMEs.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stddef.h>

#include "base/arena.h"
#include "dns/rdata.h"

enum {
	DNS_RECORDS_MAX = 64,
	DNS_RECORD_LEN_MAX = 1024,
	DNS_RECORDS_LEN_MAX = 48 * 1024,
	DNS_CHAIN_MAX = 16,
};

enum dns_rcode { DNS_RCODE_OK = 0, DNS_RCODE_SERVFAIL = 2, DNS_RCODE_NXDOMAIN = 3 };

struct dns_message {
	unsigned rcode;            /* enum dns_rcode, or another up to 15 */
	uint32_t ttl;              /* seconds: the least of what was used; without records that of
	                              the SOA (RFC 2308 §5), 0 when there is none */
	bool is_alias;             /* there was a CNAME */
	struct dns_name canonical; /* the name at the end of the chain */
	struct str *records;       /* in the arena */
	size_t n;
	size_t n_left_out;
};

/* Reads `bytes` as the response to a question of `type`. 0; -EBADMSG when it is none; -ENOMEM at
 * the arena's ceiling. */
MUST_USE int dns_message_read(
    struct str bytes, uint16_t type, struct arena *a, struct dns_message *ret_message);

#endif
