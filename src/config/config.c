#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

#define TEXT(s, member, standard, words)                                                           \
	{                                                                                          \
		.section = (s), .name = #member, .type = CONFIG_TEXT,                              \
		.offset = offsetof(struct config, member), .text = (standard), .help = (words)     \
	}
#define NUMBER(s, member, standard, low, high, words)                                              \
	{                                                                                          \
		.section = (s), .name = #member, .type = CONFIG_NUMBER,                            \
		.offset = offsetof(struct config, member), .number = (standard), .least = (low),   \
		.most = (high), .help = (words)                                                    \
	}

#define OUTBOUND_TEXT(key, standard, words)                                                        \
	{                                                                                          \
		.section = "outbound", .name = #key, .type = CONFIG_TEXT,                          \
		.offset = offsetof(struct config, outbound_##key), .text = (standard),             \
		.help = (words)                                                                    \
	}
#define OUTBOUND_NUMBER(key, standard, low, high, words)                                           \
	{                                                                                          \
		.section = "outbound", .name = #key, .type = CONFIG_NUMBER,                        \
		.offset = offsetof(struct config, outbound_##key), .number = (standard),           \
		.least = (low), .most = (high), .help = (words)                                    \
	}

#define SMARTHOST_TEXT(key_name, member, words)                                                    \
	{                                                                                          \
		.section = "outbound", .name = (key_name), .type = CONFIG_TEXT,                    \
		.offset = offsetof(struct config, relays[0].member), .text = "none",               \
		.help = (words)                                                                    \
	}
#define SMARTHOST_NUMBER(key_name, member, standard, low, high, words)                             \
	{                                                                                          \
		.section = "outbound", .name = (key_name), .type = CONFIG_NUMBER,                  \
		.offset = offsetof(struct config, relays[0].member), .number = (standard),         \
		.least = (low), .most = (high), .help = (words)                                    \
	}
#define RELAY_TEXT(member, standard, words)                                                        \
	{                                                                                          \
		.section = CONFIG_RELAY_SECTION, .name = #member, .type = CONFIG_TEXT,             \
		.offset = offsetof(struct config_relay, member), .text = (standard),               \
		.help = (words)                                                                    \
	}
#define RELAY_NUMBER(member, standard, low, high, words)                                           \
	{                                                                                          \
		.section = CONFIG_RELAY_SECTION, .name = #member, .type = CONFIG_NUMBER,           \
		.offset = offsetof(struct config_relay, member), .number = (standard),             \
		.least = (low), .most = (high), .help = (words)                                    \
	}

#define TLS_HELP                                                                                   \
	"1: TLS with a certificate for its name, or nothing; 0: TLS where it is offered, and no "  \
	"password"

enum { MIB = 1 << 20 };
#define GIB ((uint64_t)1 << 30)

/* clang-format off */
static const struct config_key keys[] = {
	TEXT("server", hostname, NULL,
	    "the server's own name, as other servers find it in DNS"),
	TEXT("server", data, ".",
	    "the folder with everything the server keeps; relative to this file"),
	NUMBER("server", delivery_workers, 4, 1, 64,
	    "processes that write incoming mail"),

	TEXT("listen", address, "127.0.0.1",
	    "the IPv4 or IPv6 address to listen on; 0.0.0.0 or :: for all"),
	NUMBER("listen", smtp, 25, 0, 65535, "port of SMTP; 0: do not listen"),
	NUMBER("listen", submissions, 0, 0, 65535,
	    "port of submission inside TLS, usually 465; 0: do not listen"),
	NUMBER("listen", submission, 0, 0, 65535,
	    "port of submission with STARTTLS, usually 587; 0: do not listen"),
	NUMBER("listen", imap, 143, 0, 65535, "port of IMAP with STARTTLS; 0: do not listen"),
	NUMBER("listen", imaps, 993, 0, 65535, "port of IMAP inside TLS; 0: do not listen"),
	NUMBER("listen", pop3, 110, 0, 65535, "port of POP3 with STLS; 0: do not listen"),
	NUMBER("listen", pop3s, 995, 0, 65535, "port of POP3 inside TLS; 0: do not listen"),

	TEXT("tls", certificate, "tls/cert.pem",
	    "certificate chain (PEM); relative to the data folder"),
	TEXT("tls", key, "tls/key.pem", "its private key (PEM); relative to the data folder"),

	OUTBOUND_NUMBER(port, 25, 1, 65535, "port at which other servers take mail"),
	OUTBOUND_NUMBER(couriers, 200, 1, 10000, "connections to other servers at once"),
	OUTBOUND_NUMBER(connections_per_destination, 20, 1, 10000,
	    "of them to one domain"),
	OUTBOUND_NUMBER(lifetime, 432000, 60, 2592000,
	    "seconds after which a message that cannot be delivered is returned"),
	OUTBOUND_NUMBER(delay_notice, 14400, 0, 2592000,
	    "seconds after which a sender is told that a message is late; 0: never"),
	OUTBOUND_TEXT(source_ipv4, "none",
	    "the IPv4 address to connect from; none: the system chooses"),
	OUTBOUND_TEXT(source_ipv6, "none",
	    "the IPv6 address to connect from; none: the system chooses"),
	OUTBOUND_TEXT(ca_file, "/etc/ssl/certs/ca-certificates.crt",
	    "certificates (PEM) of the authorities that MTA-STS and a relay are held to"),
	OUTBOUND_NUMBER(allow_private, 0, 0, 1,
	    "1: mail may go to private and loopback addresses, for networks of one's own"),
	OUTBOUND_NUMBER(show_client, 0, 0, 1,
	    "1: the trace of a submitted message shows the address of the user's device"),
	OUTBOUND_TEXT(trust_anchor, "/usr/share/dns/root.key",
	    "the key of the DNS's root (DNSKEY or DS records) that answers are held to"),
	OUTBOUND_TEXT(root_hints, "none",
	    "a zone file with the DNS's root servers; none: those of the internet"),
	OUTBOUND_TEXT(resolver, "none",
	    "a name server (address, or address@port) to ask; none: beginning at the root"),
	SMARTHOST_TEXT("smarthost", host,
	    "a relay that takes all mail for others; none: deliver it directly"),
	SMARTHOST_NUMBER("smarthost_port", port, 587, 1, 65535,
	    "its port; 465: TLS before the first word"),
	SMARTHOST_NUMBER("smarthost_tls", tls, 1, 0, 1, TLS_HELP),
	SMARTHOST_TEXT("smarthost_user", user, "the name to sign in there with"),
	SMARTHOST_TEXT("smarthost_password_file", password_file,
	    "the file with its password; relative to the data folder"),

	{.section = CONFIG_RELAY_SECTION, .name = "domain", .type = CONFIG_DOMAIN,
	    .help = "a domain whose senders' mail goes this way; one line for each"},
	RELAY_TEXT(host, NULL, "the relay: its name, or its address"),
	RELAY_NUMBER(port, 587, 1, 65535, "its port; 465: TLS before the first word"),
	RELAY_NUMBER(tls, 1, 0, 1, TLS_HELP),
	RELAY_TEXT(user, "none", "the name to sign in there with"),
	RELAY_TEXT(password_file, "none", "the file with its password; relative to the data folder"),

	NUMBER("limits", message_size, 50 * MIB, 64 * 1024, CONFIG_MESSAGE_SIZE_MAX,
	    "bytes of the largest message"),
	NUMBER("limits", message_memory, 512 * MIB, MIB, 1024 * GIB,
	    "bytes of all messages being received at once"),
	NUMBER("limits", recipients, 100, 1, 200, "recipients of one message"),
	NUMBER("limits", connections, 2000, 1, 60000, "connections at once, of each protocol"),
	NUMBER("limits", connections_per_network, 100, 1, 60000,
	    "of them from one IPv4 address or one IPv6 /64"),
	NUMBER("limits", smtp_errors, 10, 1, 1000, "wrong commands before a connection is ended"),
	NUMBER("limits", smtp_timeout, 300, 1, 3600, "seconds to wait for a command or for data"),
	NUMBER("limits", smtp_duration, 3600, 1, 86400, "seconds that a connection may last"),
	NUMBER("limits", imap_timeout, 1860, 1, 86400,
	    "seconds without a command after sign-in (RFC 9051: at least 1800)"),
	NUMBER("limits", pop3_timeout, 600, 1, 86400,
	    "seconds without a command of POP3 after sign-in (RFC 1939: at least 600)"),
	NUMBER("limits", messages_per_command, 1000000, 1000, UINT32_MAX,
	    "messages that one command of IMAP may be about (MESSAGELIMIT, RFC 9738)"),
	NUMBER("limits", sign_in_timeout, 120, 1, 3600,
	    "seconds that a connection may last without signing in"),
	NUMBER("limits", sign_in_anew, 1, 0, 1,
	    "1: a connection of IMAP may sign in anew (UNAUTHENTICATE, RFC 8437); 0: it may not"),
	NUMBER("limits", sign_in_failures, 20, 1, 100000,
	    "failed sign-ins of a network or an account in ten minutes before they are slowed"),
	NUMBER("limits", key_cache, 300, 0, 86400,
	    "seconds that an account's unlocked key is kept after its last use"),
	NUMBER("limits", submit_queue, 10000, 1, 1000000000,
	    "messages of one account that wait to be sent"),
	NUMBER("limits", submit_messages_hour, 1000, 1, 1000000000,
	    "messages that one account may send in an hour"),
	NUMBER("limits", submit_recipients_hour, 5000, 1, 1000000000,
	    "recipients of these, counted each time"),
	NUMBER("limits", submit_recipients_day, 20000, 1, 1000000000, "the same in a day"),
	NUMBER("limits", forward_alias_hour, 2000, 1, 1000000000,
	    "addresses of other servers that one alias' mail goes on to in an hour; more goes "
	    "later"),
	NUMBER("limits", forward_domain_hour, 10000, 1, 1000000000,
	    "the same for all aliases of a domain"),
	NUMBER("limits", submit_hold, 2592000, 0, 31536000,
	    "seconds that a message may be held before it is sent (RFC 4865)"),
	NUMBER("limits", quota, 0, 0, UINT64_MAX, "bytes of a new account; 0: no limit"),
};
/* clang-format on */

bool config_is_given(const char *text)
{
	return strcmp(text, "none") != 0;
}

const struct config_key *config_keys(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(keys);
	return keys;
}

struct parsing {
	struct config *config;
	const char *name;
	struct str rest; /* lines that inih has not asked for yet */
	int line;        /* the one it works on */
	struct config_error *error;
	bool failed;
	bool seen[1 + CONFIG_RELAYS_MAX][ARRAY_LEN(keys)]; /* 0: all but [relay NAME] */
};

static void PRINTF(3, 4) fail(struct parsing *p, int line, const char *fmt, ...)
{
	va_list args;
	size_t room = sizeof(p->error->text);
	int len = line > 0 ? snprintf(p->error->text, room, "%s:%d: ", p->name, line)
	                   : snprintf(p->error->text, room, "%s: ", p->name);

	p->failed = true;
	if (len < 0 || (size_t)len >= room)
		return;
	va_start(args, fmt);
	(void)vsnprintf(p->error->text + len, room - (size_t)len, fmt, args);
	va_end(args);
}

static const struct config_key *find(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool is_relay_key(const struct config_key *key)
{
	return strcmp(key->section, CONFIG_RELAY_SECTION) == 0;
}

/* Where a key that nobody knows may have been meant to stand. */
static void fail_unknown(struct parsing *p, int line, const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0) {
			fail(p, line, "`%s` does not belong into [%.64s]; write it below [%s%s]",
			    name, section, keys[i].section, is_relay_key(&keys[i]) ? " NAME" : "");
			return;
		}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].section, section) == 0) {
			fail(p, line,
			    "[%s] has no key `%.64s`; remove the line or correct the name "
			    "(docs/configuration.md lists them)",
			    section, name);
			return;
		}
	fail(p, line,
	    "there is no section [%.64s]; the sections are [server], [listen], [tls], [outbound], "
	    "[relay NAME] and [limits]",
	    section);
}

static bool set_text(
    struct parsing *p, int line, const struct config_key *key, void *base, const char *value)
{
	char *to = (char *)base + key->offset;
	struct str text = str_of_cstr(value);

	if (text.len == 0) {
		fail(p, line, "%s.%s is empty; write %s", key->section, key->name, key->help);
		return false;
	}
	if (str_to_cstr(text, to, CONFIG_STR_MAX) < 0) {
		fail(p, line, "%s.%s is longer than %d bytes; shorten it", key->section, key->name,
		    CONFIG_STR_MAX - 1);
		return false;
	}
	return true;
}

static bool set_number(
    struct parsing *p, int line, const struct config_key *key, void *base, const char *value)
{
	uint64_t number;

	if (!num_parse(str_of_cstr(value), key->most, &number) || number < key->least) {
		fail(p, line,
		    "%s.%s: `%.64s` is not a number from %llu to %llu; write %s, for example %llu",
		    key->section, key->name, value, (unsigned long long)key->least,
		    (unsigned long long)key->most, key->help, (unsigned long long)key->number);
		return false;
	}
	memcpy((char *)base + key->offset, &number, sizeof(number));
	return true;
}

/* --- relays --- */

static void set_key_defaults(void *base, const struct config_key *key)
{
	char *to = (char *)base + key->offset;

	if (key->type == CONFIG_NUMBER)
		memcpy(to, &key->number, sizeof(key->number));
	else if (key->text != NULL)
		memcpy(to, key->text, strlen(key->text));
}

static bool is_name_byte(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool is_relay_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_byte((unsigned char)name.p[i]))
			return false;
	return name.len > 0 && name.len <= CONFIG_RELAY_NAME_MAX;
}

/* The number of the section's relay, which is made at the first line of it; 0: it cannot be. */
static size_t relay_of_section(struct parsing *p, struct str name)
{
	struct config *c = p->config;
	char label[CONFIG_RELAY_LABEL_MAX + 1];

	if (!is_relay_name(name)) {
		fail(p, p->line,
		    "[relay NAME]: the name has up to %d of the bytes a to z, 0 to 9, `-` and `.`",
		    CONFIG_RELAY_NAME_MAX);
		return 0;
	}
	snprintf(label, sizeof(label), CONFIG_RELAY_SECTION " %.*s", STR_FMT(name));
	for (size_t i = 1; i < c->n_relays; i++)
		if (strcmp(c->relays[i].label, label) == 0)
			return i;
	if (c->n_relays == ARRAY_LEN(c->relays)) {
		fail(p, p->line, "there are more than %d sections [relay NAME]; remove some",
		    CONFIG_RELAYS_MAX);
		return 0;
	}
	struct config_relay *relay = &c->relays[c->n_relays];
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (is_relay_key(&keys[i]) && keys[i].type != CONFIG_DOMAIN)
			set_key_defaults(relay, &keys[i]);
	memcpy(relay->label, label, sizeof(label));
	return c->n_relays++;
}

/* As it is looked for: lower case, A-labels. */
static bool is_domain(struct str domain)
{
	for (size_t i = 0; i < domain.len; i++)
		if (!is_name_byte((unsigned char)ascii_lower(domain.p[i])))
			return false;
	return domain.len > 0 && domain.p[0] != '.' && domain.p[domain.len - 1] != '.';
}

static bool add_route(struct parsing *p, size_t relay, struct str domain)
{
	struct config *c = p->config;
	struct config_route *route = &c->routes[c->n_routes];

	if (!is_domain(domain)) {
		fail(p, p->line,
		    "`%.*s` is not the name of a domain; write one, in the form that begins with "
		    "`xn--` where it is not ASCII",
		    STR_FMT(str_first(domain, 64)));
		return false;
	}
	if (c->n_routes == CONFIG_ROUTES_MAX) {
		fail(p, p->line, "the sections [relay NAME] have more than %d domains",
		    CONFIG_ROUTES_MAX);
		return false;
	}
	for (size_t i = 0; i < c->n_routes; i++)
		if (str_eq_nocase(str_of_cstr(c->routes[i].domain), domain)) {
			fail(p, p->line,
			    "the domain %.*s has a relay already, [%s]; remove one of the lines",
			    STR_FMT(str_first(domain, 64)), c->relays[c->routes[i].relay].label);
			return false;
		}
	for (size_t i = 0; i < domain.len; i++)
		route->domain[i] = ascii_lower(domain.p[i]);
	route->domain[domain.len] = '\0';
	route->relay = relay;
	c->n_routes++;
	return true;
}

static bool has_domain(const struct config *c, size_t relay)
{
	for (size_t i = 0; i < c->n_routes; i++)
		if (c->routes[i].relay == relay)
			return true;
	return false;
}

/* A relay has what it needs; where there is a name, there is a password. */
static bool check_relays(struct parsing *p)
{
	const struct config *c = p->config;

	for (size_t i = 0; i < c->n_relays; i++) {
		const struct config_relay *r = &c->relays[i];
		bool has_user = config_is_given(r->user);
		if (i > 0 && r->host[0] == '\0')
			fail(p, 0, "[%s] has no host; add `host = …`: the relay's name", r->label);
		else if (i > 0 && !has_domain(c, i))
			fail(p, 0,
			    "[%s] is for no domain; add `domain = …`, a line for each domain",
			    r->label);
		else if (has_user != config_is_given(r->password_file))
			fail(p, 0, "[%s] has a %s; add `%s`", r->label,
			    has_user ? "name but no password" : "password but no name",
			    has_user ? "password_file = …" : "user = …");
		if (p->failed)
			return false;
	}
	return true;
}

const struct config_relay *config_relay_of(const struct config *config, struct str domain)
{
	for (size_t i = 0; i < config->n_routes; i++)
		if (str_eq(str_of_cstr(config->routes[i].domain), domain))
			return &config->relays[config->routes[i].relay];
	return config_relay_by_label(config, STR(CONFIG_SMARTHOST));
}

const struct config_relay *config_relay_by_label(const struct config *config, struct str label)
{
	for (size_t i = 0; i < config->n_relays; i++)
		if (str_eq(str_of_cstr(config->relays[i].label), label))
			return config_is_given(config->relays[i].host) ? &config->relays[i] : NULL;
	return NULL;
}

/* --- pairs --- */

static bool set_key(
    struct parsing *p, const struct config_key *key, size_t relay, void *base, const char *value)
{
	switch (key->type) {
	case CONFIG_TEXT:
		return set_text(p, p->line, key, base, value);
	case CONFIG_NUMBER:
		return set_number(p, p->line, key, base, value);
	case CONFIG_DOMAIN:
		return add_route(p, relay, str_of_cstr(value));
	}
	return false;
}

/* inih calls this for each pair; 0 makes it remember the line and go on. */
static int take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct parsing *p = user;
	struct str relay_name = str_of_cstr(section);
	size_t relay = 0;

	if (p->failed)
		return 0;
	if (str_eq(str_cut(&relay_name, ' '), STR(CONFIG_RELAY_SECTION))) {
		relay = relay_of_section(p, relay_name);
		section = CONFIG_RELAY_SECTION;
		if (relay == 0)
			return 0;
	}
	const struct config_key *key = find(section, name);
	if (key == NULL) {
		fail_unknown(p, p->line, section, name);
		return 0;
	}
	bool *seen = &p->seen[relay][key - keys];
	if (*seen && key->type != CONFIG_DOMAIN) {
		fail(p, p->line, "%s.%s stands here a second time; remove one", section, name);
		return 0;
	}
	*seen = true;
	void *base = relay > 0 ? (void *)&p->config->relays[relay] : (void *)p->config;
	return set_key(p, key, relay, base, value);
}

static void set_defaults(struct config *config)
{
	*config = (struct config){.n_relays = 1};
	memcpy(config->relays[0].label, CONFIG_SMARTHOST, sizeof(CONFIG_SMARTHOST));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!is_relay_key(&keys[i]))
			set_key_defaults(config, &keys[i]);
}

/*
 * What inih would take in silence: it cuts lines longer than its own buffer (200 bytes in Debian)
 * into two, stops at a NUL, and joins indented lines to the value before. Such lines are refused.
 */
static bool check_line(struct parsing *p, struct str l)
{
	if (str_index(l, '\0') < l.len)
		fail(p, p->line, "there is a NUL byte in this line; remove it");
	else if (l.len > CONFIG_LINE_MAX)
		fail(p, p->line, "the line is longer than %d bytes; shorten it", CONFIG_LINE_MAX);
	else if (l.len > 0 && (l.p[0] == ' ' || l.p[0] == '\t') && str_trim(l).len > 0)
		fail(p, p->line, "the line begins with a space; remove the space");
	return !p->failed;
}

/* inih asks for the next line, as of fgets. This way the line's number is known here: Debian's inih
 * does not tell its handler. */
static char *next_line(char *to, int room, void *stream)
{
	struct parsing *p = stream;

	if (p->failed || p->rest.len == 0)
		return NULL;
	p->line++;
	struct str line = str_cut_line(&p->rest);
	if (!check_line(p, line) || str_to_cstr(line, to, (size_t)room) < 0)
		return NULL;
	return to;
}

static bool check_given(struct parsing *p)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].type == CONFIG_TEXT && keys[i].text == NULL &&
		    !is_relay_key(&keys[i]) && !p->seen[0][i]) {
			fail(p, 0, "%s.%s is missing; add `%s = …` below [%s]: %s", keys[i].section,
			    keys[i].name, keys[i].name, keys[i].section, keys[i].help);
			return false;
		}
	return true;
}

/* The stream's and the handler's context are one, but inih names them apart. */
static int parse(struct parsing *p)
{
	return ini_parse_stream(next_line, p, take_pair, p);
}

int config_parse(
    struct str text, const char *name, struct config *ret_config, struct config_error *ret_error)
{
	struct config config;
	struct parsing p = {.config = &config, .name = name, .error = ret_error};

	set_defaults(&config);
	if (text.len > CONFIG_FILE_MAX) {
		fail(&p, 0, "the file is larger than %d bytes; shorten it", CONFIG_FILE_MAX);
		return -EINVAL;
	}
	p.rest = text;
	int bad_line = parse(&p);
	if (!p.failed && bad_line != 0)
		fail(&p, bad_line,
		    "this is neither `[section]`, `key = value`, nor a comment; correct the line");
	if (p.failed || !check_given(&p) || !check_relays(&p))
		return -EINVAL;
	*ret_config = config;
	return 0;
}

/* A relative `data` counts from the folder of the file. */
static int resolve_data(struct config *config, const char *path)
{
	char resolved[2 * CONFIG_STR_MAX];
	const char *slash = strrchr(path, '/');

	if (config->data[0] == '/' || slash == NULL)
		return 0;
	int len = snprintf(resolved, sizeof(resolved), "%.*s/%s", (int)(slash - path), path,
	    strcmp(config->data, ".") == 0 ? "" : config->data);
	if (len < 0 || len >= CONFIG_STR_MAX)
		return -ENAMETOOLONG;
	memcpy(config->data, resolved, (size_t)len + 1);
	return 0;
}

int config_load(const char *path, struct config *ret_config, struct config_error *ret_error,
    char **ret_text, size_t *ret_text_len)
{
	struct parsing p = {.name = path, .error = ret_error};
	struct config config;
	char *text;
	size_t len;
	int r = fd_read_file(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &len);

	if (r < 0) {
		fail(&p, 0, "cannot be read (%s); name the configuration with -c FILE",
		    strerror(-r));
		return r;
	}
	r = config_parse(str_of(text, len), path, &config, ret_error);
	if (r == 0 && (r = resolve_data(&config, path)) < 0)
		fail(&p, 0, "server.data: the path of the data folder is too long; shorten it");
	if (r < 0) {
		free(text);
		return r;
	}
	*ret_config = config;
	if (ret_text != NULL) {
		*ret_text = text;
		*ret_text_len = len;
		return 0;
	}
	free(text);
	return 0;
}
