/*
 * cli/dns_records.h: the records that a domain needs in the DNS so that mail comes here and what is
 * sent from here is trusted: as text for a person, as lines of a zone file, as JSON.
 *
 * It asks nobody: what it knows of server, certificate and keys it is told.
 */
#ifndef CLI_DNS_RECORDS_H
#define CLI_DNS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "config/config.h"

enum { DNS_RECORDS_MAX = 48, DNS_STRING_MAX = 255, DNS_KEYS_MAX = 12 };

struct dns_key {
	const char *selector, *state, *record; /* "rsa-20261123", "active", "v=DKIM1; …" */
};

struct dns_facts {
	const char *domain; /* A-labels, without a dot at the end */
	const struct config *config;
	const char
	    *tlsa; /* SHA-256 of the certificate's public key in hexadecimal, NULL: unknown */
	const struct dns_key *keys;
	size_t n_keys;
};

struct dns_record {
	struct buf name;   /* with a dot at the end */
	const char *type;  /* "MX" */
	struct buf value;  /* as in a zone file, but for TXT: without quotes */
	const char *about; /* what it is for */
	bool is_optional;  /* needs more than this server */
};

struct dns_records {
	struct dns_record v[DNS_RECORDS_MAX];
	size_t n;
};

/* Given: dns_records_done. False when something did not fit. */
MUST_USE bool dns_records_make(const struct dns_facts *facts, struct dns_records *ret_records);
void dns_records_done(struct dns_records *records); /* for CLEANUP */

/* Appends the value as a zone file has it: a TXT in strings of at most DNS_STRING_MAX bytes. */
bool dns_record_value(const struct dns_record *record, struct buf *out);

/* Each appends all records; the policy of MTA-STS, which is a file, is told beside them. */
bool dns_records_text(
    const struct dns_records *records, const struct dns_facts *facts, struct buf *out);
bool dns_records_zone(const struct dns_records *records, struct buf *out);

/* Appends the policy for https://mta-sts.DOMAIN/.well-known/mta-sts.txt (RFC 8461 §3.2). */
bool dns_records_policy(const struct dns_facts *facts, struct buf *out);

#endif
