/* gatepost domain dns, gatepost domain rotate-keys */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmd_domain.h"
#include "cli/dns_records.h"
#include "mail/address.h"

enum { CERTIFICATE_MAX = 256 * 1024, OUTPUT_MAX = 256 * 1024 };

/* --- what is known --- */

/* "3 1 1": SHA-256 of the public key (RFC 6698 §2.1). */
static bool hash_public_key(struct str pem, struct buf *ret_hex)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL, hash[SHA256_DIGEST_LENGTH];
	int len =
	    certificate != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der) : -1;
	bool ok = len > 0 && SHA256(der, (size_t)len, hash) != NULL &&
	          hex_encode(str_of(hash, sizeof(hash)), ret_hex);
	OPENSSL_free(der);
	X509_free(certificate);
	BIO_free(bio);
	return ok;
}

static bool read_tlsa(const struct config *config, struct buf *ret_hex)
{
	int data CLEANUP(fd_close) = open(config->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *pem = NULL;
	size_t len = 0;
	bool ok = data >= 0 &&
	          fd_read_file(data, config->certificate, CERTIFICATE_MAX, &pem, &len) == 0 &&
	          hash_public_key(str_of(pem, len), ret_hex);
	free(pem);
	return ok && buf_add_c(ret_hex, '\0');
}

/* Columns: selector, algorithm, state, record, created_at. */
static size_t read_keys(const struct cli_rows *rows, struct dns_key keys[static DNS_KEYS_MAX])
{
	size_t n = 0;
	for (size_t r = 0; r < rows->n_rows && rows->n_columns >= 4 && n < DNS_KEYS_MAX; r++)
		keys[n++] =
		    (struct dns_key){rows->cells[r][0], rows->cells[r][2], rows->cells[r][3]};
	return n;
}

/* --- printing --- */

static json_t *json_of_text(struct str s)
{
	return json_stringn(s.p != NULL ? s.p : "", s.len);
}

/* An array of records; that of MTA-STS has the policy too, which is a file. */
static int print_json(const struct dns_records *records, const struct dns_facts *facts)
{
	struct buf policy CLEANUP(buf_done) = BUF_MAX(1024);
	json_t *list = json_array();
	dns_records_policy(facts, &policy);
	for (size_t i = 0; i < records->n; i++) {
		const struct dns_record *r = &records->v[i];
		json_t *object =
		    json_pack("{s:o, s:s, s:o, s:s, s:b}", "name", json_of_text(buf_str(&r->name)),
		        "type", r->type, "value", json_of_text(buf_str(&r->value)), "about",
		        r->about, "optional", (int)r->is_optional);
		if (str_starts(buf_str(&r->name), STR("_mta-sts.")))
			json_object_set_new(object, "policy", json_of_text(buf_str(&policy)));
		json_array_append_new(list, object);
	}
	json_dumpf(list, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(list);
	return CLI_OK;
}

static int print(const struct dns_facts *facts, bool as_zone, bool as_json)
{
	struct dns_records records CLEANUP(dns_records_done);
	struct buf out CLEANUP(buf_done) = BUF_MAX(OUTPUT_MAX);
	if (!dns_records_make(facts, &records))
		return cli_fail("%s: the name is too long", facts->domain);
	if (as_json)
		return print_json(&records, facts);
	if (!(as_zone ? dns_records_zone(&records, &out) : dns_records_text(&records, facts, &out)))
		return cli_fail("%s: there are too many records", facts->domain);
	fwrite(out.p, 1, out.len, stdout);
	return CLI_OK;
}

int domain_dns(int argc, char **argv)
{
	static const struct cli_spec spec = {"domain dns", "DOMAIN",
	    "Prints every record that a domain needs in the DNS, with what it is for. Publish "
	    "them\n"
	    "where the domain's DNS is kept; those of a domain that has new keys, too.",
	    1, 1, CLI_CONFIG | CLI_JSON};
	bool as_zone = false;
	const struct cli_option options[] = {
	    {"--zone", NULL, "as lines of a zone file", NULL, &as_zone}};
	struct cli_arguments arguments;
	struct config config;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status == CLI_GO_ON)
		status = cli_load_config(arguments.config, &config);
	if (status != CLI_GO_ON)
		return status;
	struct buf domain CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX + 1);
	if (!address_domain_canonical(str_of_cstr(arguments.operands[0]), &domain) ||
	    !buf_add_c(&domain, '\0'))
		return cli_fail("%s: not a domain name; write it like example.org, without @",
		    arguments.operands[0]);
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_control request = {.verb = CONTROL_DOMAIN_KEYS, .name = str_of_cstr(domain.p)};
	status = cli_ask(server, &request, &rows);
	if (status != CLI_OK)
		return status;
	struct buf tlsa CLEANUP(buf_done) = BUF_MAX(2 * SHA256_DIGEST_LENGTH + 1);
	struct dns_key keys[DNS_KEYS_MAX];
	struct dns_facts facts = {
	    .domain = domain.p, .config = &config, .keys = keys, .n_keys = read_keys(&rows, keys)};
	if (read_tlsa(&config, &tlsa))
		facts.tlsa = tlsa.p;
	return print(&facts, as_zone, arguments.json);
}

/* --- rotation --- */

static void say_what_is_next(enum control_verb verb, const char *domain)
{
	if (verb == CONTROL_DOMAIN_ROTATE)
		printf("made new keys for %s; publish their records (`gatepost domain dns %s`),\n"
		       "wait until they can be seen everywhere (a day), then:\n"
		       "  gatepost domain rotate-keys %s --switch\n",
		    domain, domain, domain);
	else if (verb == CONTROL_DOMAIN_SWITCH)
		printf(
		    "mail of %s is signed with the new keys; leave the old ones' records until no\n"
		    "mail is on its way that they signed (a week), then:\n"
		    "  gatepost domain rotate-keys %s --retire\n",
		    domain, domain);
	else
		printf("the old keys of %s are forgotten; remove their records from the DNS\n",
		    domain);
}

int domain_rotate_keys(int argc, char **argv)
{
	static const struct cli_spec spec = {"domain rotate-keys", "DOMAIN",
	    "Replaces the keys of DKIM that mail of a domain is signed with, in three steps: "
	    "without\n"
	    "an option new keys are made, to be published in the DNS; with --switch mail is "
	    "signed\n"
	    "with them; with --retire the old ones are forgotten.",
	    1, 1, CLI_CONFIG};
	bool switches = false, retires = false;
	const struct cli_option options[] = {
	    {"--switch", NULL, "sign with the new keys", NULL, &switches},
	    {"--retire", NULL, "forget the old keys", NULL, &retires},
	};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	if (switches && retires) {
		(void)cli_fail(
		    "domain rotate-keys: --switch and --retire are two steps; the second "
		    "comes days after the first");
		return CLI_USAGE;
	}
	enum control_verb verb = switches  ? CONTROL_DOMAIN_SWITCH
	                         : retires ? CONTROL_DOMAIN_RETIRE
	                                   : CONTROL_DOMAIN_ROTATE;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_control request = {
	    .verb = (uint8_t)verb, .name = str_of_cstr(arguments.operands[0])};
	status = cli_ask(server, &request, NULL);
	if (status == CLI_OK)
		say_what_is_next(verb, arguments.operands[0]);
	return status;
}
