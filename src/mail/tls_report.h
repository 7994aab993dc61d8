/*
 * mail/tls_report.h: TLS reports (RFC 8460): who wants them, their JSON, and the mail that carries
 * them.
 *
 * It does not count sessions, remember, look up or send: that is the queue's. Strings that come
 * from other servers may hold any bytes; what is not UTF-8 is written with "?".
 */
#ifndef MAIL_TLS_REPORT_H
#define MAIL_TLS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

/* In front of a domain, for the TXT record that says where its reports go. */
#define TLS_REPORT_RECORD_PREFIX "_smtp._tls."

enum {
	TLS_REPORT_TARGETS_MAX = 8, /* of one record; more are left out */
	TLS_REPORT_TARGET_LEN_MAX = 1024,
	TLS_REPORT_HOST_LEN_MAX = 253,    /* of an https target: no name in the DNS is longer */
	TLS_REPORT_ADDRESS_LEN_MAX = 254, /* of a mailto target (RFC 5321 §4.5.3.1.3) */
	TLS_REPORT_LEN_MAX = 8 << 20,     /* JSON */
	TLS_REPORT_TEXT_LEN_MAX = 1024,   /* of a string in it; longer ones are cut */
};

/* --- who wants them (§3) --- */

struct tls_report_target {
	bool is_mail;      /* otherwise by HTTPS */
	struct str target; /* an address, or an URL of https; in the arena */
};

/*
 * Where reports about a domain go, from all TXT records at _smtp._tls.DOMAIN, each with its strings
 * joined: the number of targets in `v`, 0 when it wants none. Those that do not begin with
 * "v=TLSRPTv1;" do not count; of the rest there must be one, and it must be valid. Targets of other
 * schemes than mailto and https are left out.
 */
size_t tls_report_targets(const struct str *records, size_t n, struct arena *a,
    struct tls_report_target v[static TLS_REPORT_TARGETS_MAX]);

/* --- what is in them (§4) --- */

/* §4.3, in the order of enum tls_result of ipc/outgoing.h */
enum tls_report_result {
	TLS_REPORT_SUCCESS,
	TLS_REPORT_STARTTLS_NOT_SUPPORTED,
	TLS_REPORT_CERTIFICATE_HOST_MISMATCH,
	TLS_REPORT_CERTIFICATE_EXPIRED,
	TLS_REPORT_CERTIFICATE_NOT_TRUSTED,
	TLS_REPORT_VALIDATION_FAILURE,
	TLS_REPORT_TLSA_INVALID,
	TLS_REPORT_DNSSEC_INVALID,
	TLS_REPORT_DANE_REQUIRED,
	TLS_REPORT_STS_POLICY_FETCH_ERROR,
	TLS_REPORT_STS_POLICY_INVALID,
	TLS_REPORT_STS_WEBPKI_INVALID,
	N_TLS_REPORT_RESULTS
};

/* §4.4 "policy-type", in the order of enum tls_policy of ipc/outgoing.h */
enum tls_report_policy_type {
	TLS_REPORT_NO_POLICY,
	TLS_REPORT_STS,
	TLS_REPORT_TLSA,
	N_TLS_REPORT_POLICY_TYPES
};

/* Failures of one kind, counted. Texts may be empty: then they are left out. */
struct tls_report_failure {
	enum tls_report_result result; /* not TLS_REPORT_SUCCESS */
	struct str sending_ip;
	struct str receiving_mx, receiving_ip;
	struct str reason; /* "failure-reason-code" */
	uint64_t sessions;
};

struct tls_report_policy {
	enum tls_report_policy_type type;
	struct str domain;
	const struct str *strings; /* TLSA records, or the lines of an MTA-STS policy */
	size_t n_strings;
	const struct str *mx; /* patterns of an MTA-STS policy */
	size_t n_mx;
	uint64_t successes, failures;
	const struct tls_report_failure *details;
	size_t n_details;
};

struct tls_report {
	struct str organization;   /* who sends it: a name for people */
	struct str submitter;      /* the domain that sends it */
	struct str contact;        /* an address */
	struct str domain;         /* about whom */
	struct str id;             /* unique, without "<" and ">": "…@our.host" */
	uint64_t begins_s, ends_s; /* of a day: the second is its last second */
	const struct tls_report_policy *policies;
	size_t n_policies;
};

/* Appends the JSON (§4.4). False when it does not fit. */
MUST_USE bool tls_report_json(const struct tls_report *report, struct buf *out);

/* Appends `json` in the form of gzip. False when it does not fit. */
MUST_USE bool tls_report_gzip(struct str json, struct buf *out);

/* "submitter!domain!begin!end.json.gz" (§5.1) */
bool tls_report_file_name(const struct tls_report *report, struct buf *out);

/* --- how they go out by mail (§5.3) --- */

struct tls_report_mail {
	const struct tls_report *report;
	struct str gzip;       /* what tls_report_gzip made */
	struct str from, to;   /* addresses */
	struct str message_id; /* without "<" and ">" */
	struct str boundary;   /* at most 70 bytes, in no content: random */
	int64_t at_s;          /* now */
};

/*
 * Appends the whole message. It says `TLS-Required: No` (RFC 8689 §5): a report that TLS fails must
 * arrive where TLS fails. It is to be signed with DKIM for the submitter's domain. False when it
 * does not fit.
 */
MUST_USE bool tls_report_mail(const struct tls_report_mail *mail, struct buf *out);

#endif
