/*
 * config/config.h: gatepost.conf, read into one flat struct.
 *
 * The file is INI: sections, `key = value`, comments behind `;` or `#` at the start of a line. One
 * table (config.c) says for each key its section, type, default, range and a line of help; the
 * parser, the defaults and `docs/` come from that table, so a key exists there or not at all.
 *
 * It does not open what the values name, and does not reload: each role gets the text that the
 * supervisor read at its start.
 *
 * An unknown section or key, a key given twice and a value out of its range are errors: a typing
 * error in a limit must not silently be the default. An error says file, line, what is wrong and
 * what would be right.
 *
 * Relays, through which mail may leave, have sections of their own, [relay NAME], beside the one of
 * [outbound] smarthost…: `config_relay_of` says which takes the mail of a sender's domain.
 *
 * Limits: CONFIG_FILE_MAX bytes, CONFIG_LINE_MAX a line, CONFIG_STR_MAX - 1 a string,
 * CONFIG_RELAYS_MAX sections [relay NAME] for CONFIG_ROUTES_MAX domains together.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { CONFIG_FILE_MAX = 65536, CONFIG_LINE_MAX = 198, CONFIG_STR_MAX = 512 };
/* Of message_size: the store takes such a message with what delivery puts on top. */
enum { CONFIG_MESSAGE_SIZE_MAX = 96 << 20 };
enum {
	CONFIG_RELAYS_MAX = 16,
	CONFIG_ROUTES_MAX = 128,
	CONFIG_RELAY_NAME_MAX = 32,
	CONFIG_RELAY_LABEL_MAX = CONFIG_RELAY_NAME_MAX + 8,
};

/* The label of the relay of [outbound] smarthost…; it is the first of all relays. */
#define CONFIG_SMARTHOST "outbound smarthost"

/* A server that takes mail for others from us. Its label names it in the queue and the log: it has
 * a space, so it is no domain's name. */
struct config_relay {
	char label[CONFIG_RELAY_LABEL_MAX + 1]; /* "relay NAME", or CONFIG_SMARTHOST */
	char host[CONFIG_STR_MAX];              /* a name or an address */
	uint64_t port;
	uint64_t tls;                       /* 1: verified, or nothing */
	char user[CONFIG_STR_MAX];          /* "none": without AUTH */
	char password_file[CONFIG_STR_MAX]; /* relative to the data folder unless absolute */
};

/* Mail of senders in this domain goes through relays[relay]. */
struct config_route {
	char domain[CONFIG_LINE_MAX + 1];
	size_t relay;
};

struct config {
	/* [server] */
	char hostname[CONFIG_STR_MAX]; /* the name in greetings, Received: and the certificate */
	char data[CONFIG_STR_MAX];     /* the data folder; as written (config_load resolves it) */
	uint64_t delivery_workers;

	/* [listen] port 0: not listening */
	char address[CONFIG_STR_MAX]; /* one IPv4 or IPv6 address */
	uint64_t smtp, submissions, submission, imap, imaps, pop3, pop3s;

	/* [tls] paths, relative to the data folder unless absolute */
	char certificate[CONFIG_STR_MAX];
	char key[CONFIG_STR_MAX];

	/* [outbound] a text "none": not given (config_is_given) */
	uint64_t outbound_port;
	uint64_t outbound_couriers; /* connections to other servers at once */
	uint64_t outbound_connections_per_destination;
	uint64_t outbound_lifetime;     /* seconds until an undeliverable message is returned */
	uint64_t outbound_delay_notice; /* seconds until its sender hears of it; 0: never */
	char outbound_source_ipv4[CONFIG_STR_MAX];
	char outbound_source_ipv6[CONFIG_STR_MAX];
	char outbound_ca_file[CONFIG_STR_MAX];
	uint64_t outbound_allow_private;
	uint64_t outbound_show_client; /* the submitter's address in Received: */
	char outbound_trust_anchor[CONFIG_STR_MAX];
	char outbound_root_hints[CONFIG_STR_MAX];
	char outbound_resolver[CONFIG_STR_MAX];
	/* The first is that of smarthost…, given or not; then one for each section [relay NAME]. */
	struct config_relay relays[1 + CONFIG_RELAYS_MAX];
	size_t n_relays;
	struct config_route routes[CONFIG_ROUTES_MAX];
	size_t n_routes;

	/* [limits] */
	uint64_t message_size;            /* bytes; the SIZE and APPENDLIMIT that we announce */
	uint64_t message_memory;          /* bytes of messages under way, all connections of SMTP */
	uint64_t recipients;              /* per message */
	uint64_t connections;             /* per gatekeeper */
	uint64_t connections_per_network; /* per IPv4 address or IPv6 /64, per gatekeeper */
	uint64_t smtp_errors;             /* bad commands before a connection is ended */
	uint64_t smtp_timeout;            /* seconds to wait for a command or for data */
	uint64_t smtp_duration;           /* seconds a connection may last */
	uint64_t imap_timeout;            /* seconds without a command after sign-in */
	uint64_t pop3_timeout;            /* the same of POP3 */
	uint64_t messages_per_command;    /* of IMAP: MESSAGELIMIT (RFC 9738) */
	uint64_t sign_in_timeout;         /* seconds a connection may last without sign-in */
	uint64_t sign_in_anew;            /* 1: UNAUTHENTICATE (RFC 8437), 0: not */
	uint64_t sign_in_failures; /* per network or account in ten minutes: then slow down */
	uint64_t key_cache;        /* seconds an unlocked key stays after its last use */
	uint64_t submit_queue;     /* messages of one account that wait to be sent */
	uint64_t submit_messages_hour, submit_recipients_hour, submit_recipients_day;
	uint64_t forward_alias_hour, forward_domain_hour;
	uint64_t submit_hold; /* seconds a message may be held before it is sent */
	uint64_t quota;       /* bytes of a new account, 0: none */
};

/* CONFIG_DOMAIN: may be given many times */
enum config_type { CONFIG_TEXT, CONFIG_NUMBER, CONFIG_DOMAIN };

/* In the table; in the file a name follows: [relay NAME]. */
#define CONFIG_RELAY_SECTION "relay"

struct config_key {
	const char *section, *name;
	enum config_type type;
	size_t offset;    /* in struct config; of CONFIG_RELAY_SECTION: in struct config_relay */
	const char *text; /* default of a text; NULL: must be given */
	uint64_t number;  /* default of a number */
	uint64_t least, most; /* of a number */
	const char *help;
};

/* False for the text "none". */
bool config_is_given(const char *text);

/*
 * The relay that takes the mail of senders in `domain` (lower case, A-labels; empty: none, as of
 * notices): that of the section which names the domain, else the one of [outbound] smarthost. NULL:
 * it goes to the recipients' servers.
 */
const struct config_relay *config_relay_of(const struct config *config, struct str domain);

/* The relay of that label that is given, or NULL. */
const struct config_relay *config_relay_by_label(const struct config *config, struct str label);

/* The table, for documentation and `gatepost init`; `*ret_n` entries. */
const struct config_key *config_keys(size_t *ret_n);

struct config_error {
	char text[1024]; /* "gatepost.conf:7: limits.recipients: … ; write …" */
};

/*
 * Parses a whole file's text; `name` is what errors call it. 0, or -EINVAL with the first error in
 * `*ret_error`.
 */
MUST_USE int config_parse(
    struct str text, const char *name, struct config *ret_config, struct config_error *ret_error);

/*
 * Reads and parses the file `path` and makes `data` absolute or relative to the working folder: a
 * relative `data` counts from the file's folder (default ".": the file stands in its data folder).
 * 0, -EINVAL (*ret_error says what), or -errno of reading (*ret_error too). The text is given in
 * `*ret_text` (free) when `ret_text` is not NULL.
 */
MUST_USE int config_load(const char *path, struct config *ret_config,
    struct config_error *ret_error, char **ret_text, size_t *ret_text_len);

#endif
