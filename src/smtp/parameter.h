/*
 * smtp/parameter.h: what follows the path of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152,
 * RFC 3030), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461).
 *
 * Each keyword may stand once. It does not judge values against each other or against what the
 * session allows, and decodes nothing but numbers: ENVID and ORCPT stay in xtext, checked;
 * `smtp_xtext_decode` opens them.
 */
#ifndef SMTP_PARAMETER_H
#define SMTP_PARAMETER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	SMTP_ENVID_MAX = 100, /* RFC 3461 §5.4 */
	SMTP_ORCPT_MAX = 500,
	SMTP_AUTH_PARAMETER_MAX = 500, /* RFC 4954 §3 (4) */
	SMTP_BY_MAX = 999999999,       /* seconds: nine digits, RFC 2852 §4 */
	SMTP_HOLD_MAX = 999999999,     /* the same of RFC 4865 */
};

/* Extensions that not every port offers; parameters name theirs, so that it can be refused. */
enum {
	SMTP_EXTENSION_DELIVERBY = 1,
	SMTP_EXTENSION_FUTURERELEASE = 2,
	SMTP_EXTENSION_REQUIRETLS = 4,
	SMTP_EXTENSION_AUTH = 8,
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };
enum smtp_by { SMTP_BY_NONE, SMTP_BY_RETURN, SMTP_BY_NOTIFY };
enum smtp_ret { SMTP_RET_DEFAULT, SMTP_RET_FULL, SMTP_RET_HDRS };
enum {
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8
};

struct smtp_mail_parameters {
	uint64_t size; /* 0: not said */
	enum smtp_body body;
	enum smtp_ret ret;
	struct str envid; /* xtext; "" when not given */
	bool smtputf8;
	bool require_tls;     /* RFC 8689 §2 */
	enum smtp_by by_mode; /* RFC 2852; the rest holds where it is not SMTP_BY_NONE */
	bool by_trace;
	int64_t by_seconds;    /* from now; 0 and less with SMTP_BY_NOTIFY only */
	uint64_t hold_seconds; /* RFC 4865: HOLDFOR; 0: not given; and HOLDUNTIL: */
	uint64_t hold_until;   /* seconds since 1970; 0: not given; never both */
	unsigned extensions;   /* SMTP_EXTENSION_ bits of those whose parameters stand there */
};

struct smtp_rcpt_parameters {
	unsigned notify;       /* SMTP_NOTIFY_ bits; 0: not given */
	struct str orcpt_type; /* "rfc822", "utf-8", …; "" when not given */
	struct str orcpt;      /* xtext */
};

enum smtp_parameter_result {
	SMTP_PARAMETER_OK,
	SMTP_PARAMETER_SYNTAX,  /* no parameter, or a value it cannot have: 501 5.5.4 */
	SMTP_PARAMETER_UNKNOWN, /* 555 5.5.4 */
	SMTP_PARAMETER_TWICE,   /* 501 5.5.4 */
};

/*
 * All of `s`, from after the path to the end of the line without its CRLF: "" or " KEY=VALUE…".
 * Strings in the result are borrowed from `s`. Untouched unless OK.
 */
MUST_USE enum smtp_parameter_result smtp_mail_parameters_parse(
    struct str s, struct smtp_mail_parameters *ret);
MUST_USE enum smtp_parameter_result smtp_rcpt_parameters_parse(
    struct str s, struct smtp_rcpt_parameters *ret);

/* Appends what an xtext (RFC 3461 §4) says; false, nothing added, when it is none or does not fit.
 */
MUST_USE bool smtp_xtext_decode(struct str s, struct buf *out);
MUST_USE bool smtp_xtext_is_valid(struct str s);

#endif
