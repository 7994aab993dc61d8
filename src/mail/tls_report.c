#include "mail/tls_report.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#include "base/utf8.h"
#include "mail/date.h"
#include "mail/transfer.h"

enum { GZIP_WINDOW_BITS = 15 + 16, GZIP_MEMORY = 8, DATE_LEN = 32 };

/* --- JSON --- */

/* With "?" for every byte of what is not UTF-8. */
static json_t *text(struct str s)
{
	struct buf clean CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_TEXT_LEN_MAX);

	s = str_first(s, TLS_REPORT_TEXT_LEN_MAX);
	while (s.len > 0) {
		struct str rest = s;
		bool is_character = utf8_next(&rest) != UTF8_INVALID;
		buf_add(&clean, is_character ? str_first(s, s.len - rest.len) : STR("?"));
		s = rest;
	}
	return json_stringn(clean.len > 0 ? clean.p : "", clean.len);
}

static void add(json_t *object, const char *name, json_t *value)
{
	int r = json_object_set_new(object, name, value);

	assert(r == 0); /* no memory, or a value that could not be made */
}

static void add_text_if_any(json_t *object, const char *name, struct str value)
{
	if (value.len > 0)
		add(object, name, text(value));
}

static void append(json_t *array, json_t *value)
{
	int r = json_array_append_new(array, value);

	assert(r == 0);
}

static json_t *texts(const struct str *v, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		append(array, text(v[i]));
	return array;
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* RFC 3339 §5.6 */
static json_t *date(uint64_t at_s)
{
	char formatted[DATE_LEN];
	struct tm parts;
	time_t at = (time_t)at_s;

	if (gmtime_r(&at, &parts) == NULL ||
	    strftime(formatted, sizeof(formatted), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return json_string("");
	return json_string(formatted);
}

static json_t *failure_of(const struct tls_report_failure *f)
{
	static const char *const names[N_TLS_REPORT_RESULTS] = {
	    [TLS_REPORT_SUCCESS] = "",
	    [TLS_REPORT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
	    [TLS_REPORT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
	    [TLS_REPORT_CERTIFICATE_EXPIRED] = "certificate-expired",
	    [TLS_REPORT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
	    [TLS_REPORT_VALIDATION_FAILURE] = "validation-failure",
	    [TLS_REPORT_TLSA_INVALID] = "tlsa-invalid",
	    [TLS_REPORT_DNSSEC_INVALID] = "dnssec-invalid",
	    [TLS_REPORT_DANE_REQUIRED] = "dane-required",
	    [TLS_REPORT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
	    [TLS_REPORT_STS_POLICY_INVALID] = "sts-policy-invalid",
	    [TLS_REPORT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
	};
	json_t *object = json_object();

	assert(f->result > TLS_REPORT_SUCCESS && f->result < N_TLS_REPORT_RESULTS);
	add(object, "result-type", json_string(names[f->result]));
	add_text_if_any(object, "sending-mta-ip", f->sending_ip);
	add_text_if_any(object, "receiving-mx-hostname", f->receiving_mx);
	add_text_if_any(object, "receiving-ip", f->receiving_ip);
	add(object, "failed-session-count", count(f->sessions));
	add_text_if_any(object, "failure-reason-code", f->reason);
	return object;
}

static json_t *policy_of(const struct tls_report_policy *p)
{
	static const char *const types[N_TLS_REPORT_POLICY_TYPES] = {
	    [TLS_REPORT_NO_POLICY] = "no-policy-found",
	    [TLS_REPORT_STS] = "sts",
	    [TLS_REPORT_TLSA] = "tlsa",
	};
	json_t *policy = json_object(), *summary = json_object(), *object = json_object();

	add(policy, "policy-type", json_string(types[p->type]));
	if (p->n_strings > 0)
		add(policy, "policy-string", texts(p->strings, p->n_strings));
	add(policy, "policy-domain", text(p->domain));
	if (p->n_mx > 0)
		add(policy, "mx-host", texts(p->mx, p->n_mx));
	add(summary, "total-successful-session-count", count(p->successes));
	add(summary, "total-failure-session-count", count(p->failures));
	add(object, "policy", policy);
	add(object, "summary", summary);
	if (p->n_details > 0) {
		json_t *details = json_array();
		for (size_t i = 0; i < p->n_details; i++)
			append(details, failure_of(&p->details[i]));
		add(object, "failure-details", details);
	}
	return object;
}

static int take_piece(const char *piece, size_t len, void *out)
{
	return buf_add(out, str_of(piece, len)) ? 0 : -1;
}

bool tls_report_json(const struct tls_report *report, struct buf *out)
{
	json_t *object = json_object(), *range = json_object(), *policies = json_array();

	add(range, "start-datetime", date(report->begins_s));
	add(range, "end-datetime", date(report->ends_s));
	add(object, "organization-name", text(report->organization));
	add(object, "date-range", range);
	add(object, "contact-info", text(report->contact));
	add(object, "report-id", text(report->id));
	for (size_t i = 0; i < report->n_policies; i++)
		append(policies, policy_of(&report->policies[i]));
	add(object, "policies", policies);
	int r = json_dump_callback(object, take_piece, out, JSON_COMPACT);
	json_decref(object);
	return r == 0 && !buf_failed(out);
}

bool tls_report_gzip(struct str json, struct buf *out)
{
	z_stream z = {0};
	int r = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY,
	    Z_DEFAULT_STRATEGY);

	assert(r == Z_OK);
	size_t room = deflateBound(&z, json.len);
	char *to = buf_reserve(out, room);
	if (to != NULL) {
		z.next_in = (z_const Bytef *)json.p;
		z.avail_in = (uInt)json.len;
		z.next_out = (Bytef *)to;
		z.avail_out = (uInt)room;
		r = deflate(&z, Z_FINISH);
		assert(r == Z_STREAM_END);
		buf_commit(out, z.total_out);
	}
	deflateEnd(&z);
	return to != NULL;
}

/* --- the mail --- */

/* Of a value that stands in a header field: nothing that could end it. */
static void add_plain(struct buf *out, struct str s)
{
	s = str_first(s, TLS_REPORT_TEXT_LEN_MAX);
	for (size_t i = 0; i < s.len; i++)
		buf_add_c(out, s.p[i] > ' ' && s.p[i] < 0x7f ? s.p[i] : '?');
}

/* filename = sender "!" policy-domain "!" begin-timestamp "!" end-timestamp "." extension */
bool tls_report_file_name(const struct tls_report *report, struct buf *out)
{
	add_plain(out, report->submitter);
	buf_add_c(out, '!');
	add_plain(out, report->domain);
	buf_printf(out, "!%llu!%llu.json.gz", (unsigned long long)report->begins_s,
	    (unsigned long long)report->ends_s);
	return !buf_failed(out);
}

/* One value after each of the texts, as many as there are. */
static void add_pieces(struct buf *out, const struct str (*pieces)[2], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_add(out, pieces[i][0]);
		add_plain(out, pieces[i][1]);
	}
}

static void add_header(const struct tls_report_mail *mail, struct buf *out)
{
	const struct tls_report *report = mail->report;
	const struct str pieces[][2] = {
	    {STR("From: <"), mail->from},
	    {STR(">\r\nTo: <"), mail->to},
	    {STR(">\r\nSubject: Report Domain: "), report->domain},
	    {STR("\r\n Submitter: "), report->submitter},
	    {STR("\r\n Report-ID: <"), report->id},
	    {STR(">\r\nMessage-ID: <"), mail->message_id},
	    {STR(">\r\nTLS-Report-Domain: "), report->domain},
	    {STR("\r\nTLS-Report-Submitter: "), report->submitter},
	    {STR("\r\nTLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	         "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\""),
	        mail->boundary},
	};

	buf_add(out, STR("Date: "));
	date_format((struct date){.epoch_s = mail->at_s}, out);
	buf_add(out, STR("\r\n"));
	add_pieces(out, pieces, ARRAY_LEN(pieces));
	buf_add(out, STR("\"\r\n\r\n"));
}

static void add_words(const struct tls_report_mail *mail, struct buf *out)
{
	const struct str pieces[][2] = {
	    {STR("--"), mail->boundary},
	    {STR("\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
	         "This is a report about how connections to the mail servers of\r\n\r\n    "),
	        mail->report->domain},
	    {STR("\r\n\r\nwere encrypted, from the mail server\r\n\r\n    "),
	        mail->report->submitter},
	    {STR("\r\n\r\nIt is sent because the domain asks for it (a TXT record "
	         "at\r\n" TLS_REPORT_RECORD_PREFIX),
	        mail->report->domain},
	};

	add_pieces(out, pieces, ARRAY_LEN(pieces));
	buf_add(
	    out, STR(").\r\nThe report itself is in the file below; RFC 8460 describes it.\r\n"));
}

static void add_file(const struct tls_report_mail *mail, struct buf *out)
{
	buf_add(out, STR("\r\n--"));
	add_plain(out, mail->boundary);
	buf_add(out, STR("\r\nContent-Type: application/tlsrpt+gzip\r\n"
	                 "Content-Transfer-Encoding: base64\r\n"
	                 "Content-Disposition: attachment;\r\n filename=\""));
	tls_report_file_name(mail->report, out);
	buf_add(out, STR("\"\r\n\r\n"));
	transfer_encode_base64(mail->gzip, out);
	buf_add(out, STR("\r\n--"));
	add_plain(out, mail->boundary);
	buf_add(out, STR("--\r\n"));
}

bool tls_report_mail(const struct tls_report_mail *mail, struct buf *out)
{
	add_header(mail, out);
	add_words(mail, out);
	add_file(mail, out);
	return !buf_failed(out);
}
