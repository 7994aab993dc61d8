#include "cli/dns_records.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

enum { VALUE_MAX = 4096, NAME_LEN_MAX = 512, POLICY_ID_LEN = 16 };

static struct dns_record *add(struct dns_records *r, const char *type, const char *about)
{
	static struct dns_record spare;
	if (r->n == DNS_RECORDS_MAX)
		return &spare;
	struct dns_record *record = &r->v[r->n++];
	*record = (struct dns_record){.name = BUF_MAX(NAME_LEN_MAX),
	    .type = type,
	    .value = BUF_MAX(VALUE_MAX),
	    .about = about};
	return record;
}

/* A record of `under` (may be "") below the domain. */
static struct dns_record *add_below(struct dns_records *r, const struct dns_facts *f,
    const char *under, const char *type, const char *about)
{
	struct dns_record *record = add(r, type, about);
	buf_printf(&record->name, "%s%s%s.", under, under[0] != '\0' ? "." : "", f->domain);
	return record;
}

static void add_delivery(struct dns_records *r, const struct dns_facts *f)
{
	struct dns_record *mx = add_below(r, f, "", "MX", "mail for the domain comes here");
	buf_printf(&mx->value, "10 %s.", f->config->hostname);
	struct dns_record *spf =
	    add_below(r, f, "", "TXT", "SPF: the servers in MX send for the domain, no others");
	buf_printf(&spf->value, "v=spf1 mx -all");
	if (strcmp(f->domain, f->config->hostname) == 0)
		return;
	struct dns_record *own = add(r, "TXT", "SPF for notices, which this server sends itself");
	buf_printf(&own->name, "%s.", f->config->hostname);
	buf_printf(&own->value, "v=spf1 a -all");
}

static void add_keys(struct dns_records *r, const struct dns_facts *f)
{
	for (size_t i = 0; i < f->n_keys && i < DNS_KEYS_MAX; i++) {
		char under[128];
		const char *about = "DKIM: the key that mail is signed with";
		if (strcmp(f->keys[i].state, "new") == 0)
			about =
			    "DKIM: the next key; publish it before `domain rotate-keys --switch`";
		else if (strcmp(f->keys[i].state, "old") == 0)
			about =
			    "DKIM: the key before; remove it after `domain rotate-keys --retire`";
		snprintf(under, sizeof(under), "%s._domainkey", f->keys[i].selector);
		struct dns_record *key = add_below(r, f, under, "TXT", about);
		buf_printf(&key->value, "%s", f->keys[i].record);
	}
}

bool dns_records_policy(const struct dns_facts *f, struct buf *out)
{
	return buf_printf(out, "version: STSv1\r\nmode: enforce\r\nmx: %s\r\nmax_age: 604800\r\n",
	    f->config->hostname);
}

static void add_policies(struct dns_records *r, const struct dns_facts *f)
{
	struct buf policy CLEANUP(buf_done) = BUF_MAX(1024);
	struct dns_record *dmarc = add_below(r, f, "_dmarc", "TXT",
	    "DMARC: mail in the domain's name that is not its own is suspicious");
	buf_printf(&dmarc->value, "v=DMARC1; p=quarantine; rua=mailto:postmaster@%s", f->domain);
	struct dns_record *report =
	    add_below(r, f, "_smtp._tls", "TXT", "TLS-RPT: reports of failed TLS go here");
	buf_printf(&report->value, "v=TLSRPTv1; rua=mailto:postmaster@%s", f->domain);
	if (f->tlsa != NULL) {
		struct dns_record *tlsa =
		    add(r, "TLSA", "DANE: the key of this server's certificate (needs DNSSEC)");
		buf_printf(&tlsa->name, "_25._tcp.%s.", f->config->hostname);
		buf_printf(&tlsa->value, "3 1 1 %s", f->tlsa);
	}
	dns_records_policy(f, &policy);
	struct digest_text id = digest_of(buf_str(&policy));
	struct dns_record *sts = add_below(r, f, "_mta-sts", "TXT",
	    "MTA-STS: there is a policy; needs a web server that offers it");
	buf_printf(&sts->value, "v=STSv1; id=%.*s", POLICY_ID_LEN, id.text);
	sts->is_optional = true;
	struct dns_record *host =
	    add_below(r, f, "mta-sts", "CNAME", "MTA-STS: the web server with the policy");
	buf_printf(&host->value, "%s.", f->config->hostname);
	host->is_optional = true;
}

/* RFC 6186, RFC 8314 §5.1: what is not offered has the target ".". */
static void add_service(
    struct dns_records *r, const struct dns_facts *f, const char *under, uint64_t port)
{
	struct dns_record *srv = add_below(
	    r, f, under, "SRV", port != 0 ? "mail programs find the server" : "not offered here");
	if (port != 0)
		buf_printf(&srv->value, "0 1 %" PRIu64 " %s.", port, f->config->hostname);
	else
		buf_printf(&srv->value, "0 0 0 .");
}

static void add_programs(struct dns_records *r, const struct dns_facts *f)
{
	static const char *const hosts[] = {"autoconfig", "autodiscover"};
	add_service(r, f, "_submissions._tcp", f->config->submissions);
	add_service(r, f, "_submission._tcp", f->config->submission);
	add_service(r, f, "_imaps._tcp", f->config->imaps);
	add_service(r, f, "_imap._tcp", f->config->imap);
	add_service(r, f, "_pop3s._tcp", f->config->pop3s);
	add_service(r, f, "_pop3._tcp", f->config->pop3);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct dns_record *cname = add_below(r, f, hosts[i], "CNAME",
		    "settings for mail programs; needs a web server that offers them");
		buf_printf(&cname->value, "%s.", f->config->hostname);
		cname->is_optional = true;
	}
	struct dns_record *caa =
	    add(r, "CAA", "only this authority may issue certificates for the server; name yours");
	buf_printf(&caa->name, "%s.", f->config->hostname);
	buf_printf(&caa->value, "0 issue \"letsencrypt.org\"");
	caa->is_optional = true;
}

bool dns_records_make(const struct dns_facts *facts, struct dns_records *ret_records)
{
	bool ok = true;
	*ret_records = (struct dns_records){.n = 0};
	add_delivery(ret_records, facts);
	add_keys(ret_records, facts);
	add_policies(ret_records, facts);
	add_programs(ret_records, facts);
	for (size_t i = 0; i < ret_records->n; i++)
		ok = ok && !buf_failed(&ret_records->v[i].name) &&
		     !buf_failed(&ret_records->v[i].value);
	return ok;
}

void dns_records_done(struct dns_records *records)
{
	for (size_t i = 0; i < records->n; i++) {
		buf_done(&records->v[i].name);
		buf_done(&records->v[i].value);
	}
	records->n = 0;
}

bool dns_record_value(const struct dns_record *record, struct buf *out)
{
	struct str rest = buf_str(&record->value);
	if (strcmp(record->type, "TXT") != 0)
		return buf_add(out, rest);
	do {
		buf_add_c(out, '"');
		buf_add(out, str_first(rest, DNS_STRING_MAX));
		buf_add(out, rest.len > DNS_STRING_MAX ? STR("\" ") : STR("\""));
		rest = str_from(rest, DNS_STRING_MAX);
	} while (rest.len > 0);
	return !buf_failed(out);
}

static size_t widest(const struct dns_records *records)
{
	size_t width = 0;
	for (size_t i = 0; i < records->n; i++)
		if (records->v[i].name.len > width)
			width = records->v[i].name.len;
	return width;
}

static void add_line(
    const struct dns_record *record, size_t width, const char *class, struct buf *out)
{
	buf_add(out, buf_str(&record->name));
	for (size_t i = record->name.len; i < width + 2; i++)
		buf_add_c(out, ' ');
	buf_printf(out, "%s%-5s  ", class, record->type);
	dns_record_value(record, out);
	buf_add_c(out, '\n');
}

static void add_part(const struct dns_records *records, bool optional, struct buf *out)
{
	size_t width = widest(records);
	for (size_t i = 0; i < records->n; i++) {
		if (records->v[i].is_optional != optional)
			continue;
		if (i == 0 || strcmp(records->v[i].about, records->v[i - 1].about) != 0)
			buf_printf(out, "\n# %s\n", records->v[i].about);
		add_line(&records->v[i], width, "", out);
	}
}

bool dns_records_text(const struct dns_records *records, const struct dns_facts *f, struct buf *out)
{
	buf_printf(out,
	    "What %s needs in the DNS. %s itself needs A and AAAA records with this server's\n"
	    "addresses, and these addresses the name %s in reverse (PTR).\n",
	    f->domain, f->config->hostname, f->config->hostname);
	add_part(records, false, out);
	buf_printf(out, "\nFurther, where the server named offers what is said:\n");
	add_part(records, true, out);
	buf_printf(
	    out, "\nThe policy, for https://mta-sts.%s/.well-known/mta-sts.txt:\n\n", f->domain);
	return dns_records_policy(f, out) && !buf_failed(out);
}

bool dns_records_zone(const struct dns_records *records, struct buf *out)
{
	size_t width = widest(records);
	for (size_t i = 0; i < records->n; i++) {
		buf_printf(out, "; %s\n", records->v[i].about);
		if (records->v[i].is_optional)
			buf_add(out, STR("; "));
		add_line(&records->v[i], width, "3600  IN  ", out);
	}
	return !buf_failed(out);
}
