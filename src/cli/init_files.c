/* The certificate and the configuration of a new instance. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/fd.h"
#include "cli/init.h"
#include "keyholder/dkim_keys.h"
#include "tls/selfsigned.h"

enum { PEM_LEN_MAX = 65536, KEY_MODE = 0600, PUBLIC_MODE = 0644 };

int init_certificate(int data_fd, const struct init *init)
{
	const char *names[SELFSIGNED_NAMES_MAX] = {init->hostname};
	size_t n = 1;
	if (init->domain && strcmp(init->domain, init->hostname) != 0)
		names[n++] = init->domain;
	if (strcmp(init->hostname, "localhost") != 0)
		names[n++] = "localhost";
	names[n++] = "127.0.0.1";
	names[n++] = "::1";
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_LEN_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_LEN_MAX);
	int error = selfsigned_make(names, n, &key, &certificate);
	if (!error)
		error = fd_write_file(data_fd, "tls/key.pem", buf_str(&key), KEY_MODE);
	if (!error)
		error = fd_write_file(data_fd, "tls/cert.pem", buf_str(&certificate), PUBLIC_MODE);
	if (key.p)
		sodium_memzero(key.p, key.len);
	struct secret *dkim CLEANUP(secret_free) = NULL;
	if (!error)
		error = dkim_keys_read_key(data_fd, &dkim);
	return error ? cli_fail("the certificate cannot be made (%s)", strerror(-error))
	             : CLI_GO_ON;
}

/* Values that differ from the table's; a text given, or a port. */
static bool write_own_value(struct buf *out, const struct config_key *key, const struct init *init)
{
	static const struct {
		const char *name;
		uint64_t port;
	} ports[] = {{"smtp", 25}, {"submissions", 465}, {"submission", 587}, {"imap", 143},
	    {"imaps", 993}, {"pop3", 110}, {"pop3s", 995}};
	if (strcmp(key->name, "hostname") == 0)
		return buf_printf(out, "hostname = %s\n", init->hostname);
	if (strcmp(key->name, "address") == 0)
		return buf_printf(out, "address = %s\n", init->address);
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (strcmp(key->name, ports[i].name) == 0)
			return buf_printf(
			    out, "%s = %" PRIu64 "\n", key->name, init->port_base + ports[i].port);
	return false;
}

static void write_default(struct buf *out, const struct config_key *key)
{
	if (key->type != CONFIG_NUMBER)
		buf_printf(out, "; %s = %s\n", key->name, key->text ? key->text : "");
	else
		buf_printf(out, "; %s = %" PRIu64 "\n", key->name, key->number);
}

int init_config(int data_fd, const struct init *init)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(CONFIG_FILE_MAX);
	const char *section = "";
	size_t n;
	const struct config_key *keys = config_keys(&n);
	buf_printf(&text,
	    "; The configuration of Gatepost; read when the server starts. Lines that "
	    "begin\n; with \"; name =\" show defaults.\n");
	for (size_t i = 0; i < n; i++) {
		if (strcmp(section, keys[i].section) != 0) {
			section = keys[i].section;
			bool is_relay = strcmp(section, CONFIG_RELAY_SECTION) == 0;
			buf_printf(&text, is_relay ? "\n; [%s NAME]\n" : "\n[%s]\n", section);
		}
		buf_printf(&text, "; %s\n", keys[i].help);
		if (!write_own_value(&text, &keys[i], init))
			write_default(&text, &keys[i]);
	}
	struct config config;
	struct config_error problem;
	if (buf_failed(&text) || config_parse(buf_str(&text), "gatepost.conf", &config, &problem))
		return cli_fail(
		    "%s", buf_failed(&text) ? "the configuration is too long" : problem.text);
	int error = fd_write_file(data_fd, "gatepost.conf", buf_str(&text), PUBLIC_MODE);
	return error ? cli_fail("gatepost.conf: cannot be written (%s)", strerror(-error))
	             : CLI_GO_ON;
}
