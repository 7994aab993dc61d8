/*
 * courier/hosts.h: where a domain's mail goes: its servers in their order, their addresses, and the
 * TLSA records that say who they are. All of it is asked of the resolver, over this courier's
 * channel.
 *
 * Order: by preference; among equals by chance (RFC 5321 §5.1). A domain without MX is its own
 * server; a null MX (RFC 7505) takes no mail. Where this server stands among them, it and whatever
 * is not better is left out.
 */
#ifndef COURIER_HOSTS_H
#define COURIER_HOSTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "courier/courier.h"
#include "dns/rdata.h"
#include "ipc/channel.h"
#include "ipc/outgoing.h"
#include "smtp/reply_parse.h"
#include "tls/client.h"

enum { FATE_TEXT_MAX = 1500 };

/* What became of a recipient, or of a try. */
struct fate {
	enum carry_outcome outcome;
	uint16_t code; /* of the reply; 0: none */
	char status[SMTP_STATUS_MAX];
	char mta[DNS_NAME_MAX + 1]; /* who said it */
	char text[FATE_TEXT_MAX];
};

void fate_set(struct fate *fate, enum carry_outcome outcome, const char *status, const char *fmt,
    ...) PRINTF(4, 5);

struct host {
	char name[DNS_NAME_MAX + 1];
	uint16_t preference;
	bool secure; /* DNSSEC vouches for the way from the domain to this name */
};

struct hosts {
	struct host v[COURIER_HOSTS_MAX];
	size_t n;
	bool secure;
};

/* 0, or -1 and why not. `domain` in A-labels. */
MUST_USE int hosts_find(int resolver, const char *domain, const char *own_name,
    struct hosts *ret_hosts, struct fate *ret_fate);

struct server_address {
	struct sockaddr_storage socket; /* with the port */
	char text[DNS_ADDRESS_TEXT_MAX];
};

struct addresses {
	struct server_address v[COURIER_ADDRESSES_MAX]; /* IPv6 first */
	size_t n;
	bool secure;
	char canonical[DNS_NAME_MAX + 1]; /* the name behind CNAMEs, or "" */
};

/* The addresses of a server (a name or an address) that mail may go to. 0, or -1 and why not. */
MUST_USE int hosts_addresses(int resolver, const char *host, uint16_t port, bool allow_private,
    struct addresses *ret_addresses, struct fate *ret_fate);

enum tlsa_found { TLSA_NONE, TLSA_FOUND, TLSA_FAILED };

struct tlsa_set {
	struct ipc_received received; /* what the records borrow from */
	struct tls_tlsa v[OUTGOING_RECORDS_MAX];
	size_t n;
	char base[DNS_NAME_MAX + 1]; /* the name that they stand at (RFC 7672 §2.2.3) */
};

/* The TLSA records of a server whose name is secure, and whose addresses are, or it is a secure
 * alias. FOUND is given (tlsa_done). FAILED: it cannot be known whether there are any, so that
 * server must not be spoken with. */
enum tlsa_found hosts_tlsa(int resolver, const struct host *host, const struct addresses *addresses,
    uint16_t port, struct tlsa_set *ret_set);
void tlsa_done(struct tlsa_set *set);

#endif
