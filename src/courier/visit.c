#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "courier/state.h"
#include "mail/mta_sts.h"

/* --- why no server took the message --- */

/* A reason to try later outweighs one to give up: the next time may be another. */
static void keep(struct fate *kept, const struct fate *fate)
{
	if (kept->text[0] == '\0' || kept->outcome == CARRY_NEVER || fate->outcome == CARRY_LATER)
		*kept = *fate;
}

/* --- addresses --- */

static void address_of(const char *text, sa_family_t family, struct sockaddr_storage *ret_address)
{
	struct sockaddr_storage address = {.ss_family = family};
	void *to = family == AF_INET ? (void *)&((struct sockaddr_in *)&address)->sin_addr
	                             : (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;

	if (inet_pton(family, text, to) == 1)
		*ret_address = address;
}

/* Where to connect from: as the message says, or as the configuration does; else as the system
 * likes. */
static void source_of(const struct courier *c, const struct ipc_carry *carry, sa_family_t family,
    struct sockaddr_storage *ret_source)
{
	const struct config *config = c->start->config;
	const char *text =
	    family == AF_INET ? config->outbound_source_ipv4 : config->outbound_source_ipv6;
	char own[DNS_ADDRESS_TEXT_MAX];

	*ret_source = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
	if (config_is_given(text))
		address_of(text, family, ret_source);
	if (carry->source.len > 0 && str_to_cstr(carry->source, own, sizeof(own)) == 0)
		address_of(own, family, ret_source);
}

static struct str bytes_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return str_of(
		    &((const struct sockaddr_in *)address)->sin_addr, sizeof(struct in_addr));
	return str_of(&((const struct sockaddr_in6 *)address)->sin6_addr, sizeof(struct in6_addr));
}

static bool is_own_port(const struct config *config, uint16_t port)
{
	const uint64_t ports[] = {config->smtp, config->submission, config->submissions};

	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (port != 0 && ports[i] == port)
			return true;
	return false;
}

/* A connection whose two ends have one address stays on this machine: where the port is one of
 * ours, it is this server that answers. */
static bool leads_to_itself(const struct courier *c)
{
	struct sockaddr_storage here, there;
	socklen_t here_len = sizeof(here), there_len = sizeof(there);

	if (!is_own_port(c->start->config, c->port) ||
	    getsockname(c->link.fd, (struct sockaddr *)&here, &here_len) < 0 ||
	    getpeername(c->link.fd, (struct sockaddr *)&there, &there_len) < 0)
		return false;
	return str_eq(bytes_of(&here), bytes_of(&there));
}

/* --- how TLS is to be had --- */

static bool is_named_by_policy(const struct ipc_carry *carry, const char *host)
{
	return mta_sts_allows(carry->sts_mx.v, carry->sts_mx.n, str_of_cstr(host));
}

/* Of one server. */
struct visit {
	struct courier *c;
	struct job *job;
	const struct hosts *hosts;
	const struct host *host;
	struct addresses addresses;
	struct tlsa_set tlsa;
	bool has_tlsa;
	enum tls_way way;
	struct fate *kept;
};

static bool refuse_server(
    struct visit *v, enum carry_outcome outcome, const char *status, const char *what)
{
	struct fate fate;

	fate_set(&fate, outcome, status, "%s %s", v->host->name, what);
	if (str_to_cstr(str_of_cstr(v->host->name), fate.mta, sizeof(fate.mta)) < 0)
		return false;
	keep(v->kept, &fate);
	return false;
}

static void tell_tls_result(
    const struct visit *v, enum tls_policy policy, enum tls_result result, const char *detail)
{
	const struct ipc_tls_result message = {.policy = (uint8_t)policy,
	    .result = (uint8_t)result,
	    .mx = str_of_cstr(v->host->name),
	    .detail = str_of_cstr(detail)};

	if (ipc_send(v->c->start->queue, IPC_TLS_RESULT, &message) < 0)
		return;
}

/* False: whether there are TLSA records cannot be known now. */
static bool choose_dane(struct visit *v)
{
	switch (hosts_tlsa(v->c->start->resolver, v->host, &v->addresses, v->c->port, &v->tlsa)) {
	case TLSA_FAILED:
		if (v->job->carry->host.len == 0)
			tell_tls_result(v, TLS_POLICY_TLSA, TLS_DNSSEC_INVALID,
			    "the TLSA records cannot be had");
		return refuse_server(v, CARRY_LATER, "4.7.5",
		    "may have TLSA records that cannot be looked up now, and is not spoken with "
		    "without them");
	case TLSA_FOUND:
		v->has_tlsa = true;
		v->way = WAY_DANE;
		break;
	case TLSA_NONE:
		break;
	}
	return true;
}

/* DANE before MTA-STS (RFC 8461 §2) before what there is. False: this server will not do. */
static bool choose_by_policy(struct visit *v)
{
	const struct ipc_carry *carry = v->job->carry;

	if (!choose_dane(v) || v->way == WAY_DANE)
		return v->way == WAY_DANE;
	if (carry->sts_mode == STS_NONE)
		return true;
	if (is_named_by_policy(carry, v->host->name)) {
		v->way = carry->sts_mode == STS_ENFORCE ? WAY_STS : WAY_STS_TESTING;
		return true;
	}
	tell_tls_result(v, TLS_POLICY_STS, TLS_VALIDATION_FAILURE,
	    "the server is not among those that the policy names");
	return carry->sts_mode == STS_TESTING ||
	       refuse_server(v, CARRY_LATER, "4.7.5",
	           "is not among the servers that the domain's MTA-STS policy names");
}

/* Records of usages 2 and 3 alone count (RFC 7672 §3.1.3): with none of them a server is encrypted
 * to, but not known. */
static bool has_usable_tlsa(const struct visit *v)
{
	for (size_t i = 0; v->has_tlsa && i < v->tlsa.n; i++)
		if (v->tlsa.v[i].usage == 2 || v->tlsa.v[i].usage == 3)
			return true;
	return false;
}

/* A relay, or an address in brackets. MTA-STS is of domains' MX hosts. TLSA records of a relay
 * (RFC 7672 is about its name and port as it is about an MX host's) say who it is where there are
 * any that count, else a certificate for its name does. */
static bool choose_way_to_host(struct visit *v)
{
	const struct ipc_carry *carry = v->job->carry;
	bool must = carry->tls_must || job_requires_tls(&carry->mail);

	if (carry->relay && !choose_dane(v))
		return false;
	if (must && !has_usable_tlsa(v))
		v->way = WAY_PKIX;
	return true;
}

static bool choose_way(struct visit *v)
{
	const struct ipc_carry *carry = v->job->carry;

	v->way = WAY_OPPORTUNISTIC;
	if (carry->host.len > 0)
		return choose_way_to_host(v);
	/* RFC 8689 §4.1: the sender wants delivery more than secrecy. */
	if (carry->tls_optional && !carry->mail.require_tls)
		return true;
	if (!choose_by_policy(v))
		return false;
	if (!job_requires_tls(&carry->mail) || v->way == WAY_DANE || v->way == WAY_STS)
		return true;
	/* RFC 8689 §4.2.1: the name must be known for sure, and so must who answers to it. */
	if (v->hosts->secure || (v->way == WAY_STS_TESTING)) {
		v->way = WAY_PKIX;
		return true;
	}
	return refuse_server(v, CARRY_NEVER, "5.7.10",
	    "is not known for sure to be the domain's server (neither DNSSEC nor MTA-STS vouches "
	    "for it), and the message requires that");
}

/* --- one address --- */

static bool connect_to(struct visit *v, const struct server_address *address)
{
	struct courier *c = v->c;
	struct sockaddr_storage source;
	struct fate fate;

	source_of(c, v->job->carry, address->socket.ss_family, &source);
	c->link.ends_at_ms = v->job->ends_at_ms;
	c->link.interruptible = true;
	int r = link_connect(&c->link, &address->socket, &source, c->start->times->connect);
	v->job->n_tries++;
	if (r < 0)
		fate_set(&fate, CARRY_LATER, "4.4.1", "%s [%s] %s", v->host->name, address->text,
		    link_error(r));
	else if (leads_to_itself(c))
		fate_set(&fate, CARRY_NEVER, "5.4.6", "%s [%s] is this server itself: a loop",
		    v->host->name, address->text);
	else
		return true;
	link_close(&c->link);
	if (str_to_cstr(str_of_cstr(v->host->name), fate.mta, sizeof(fate.mta)) == 0)
		keep(v->kept, &fate);
	return false;
}

static enum session_end try_address(
    struct visit *v, const struct server_address *address, enum tls_way way)
{
	struct session s = {.way = way,
	    .host = v->host,
	    .address = address,
	    .tlsa = v->has_tlsa ? &v->tlsa : NULL,
	    .carry = v->job->carry,
	    .domain = v->c->domain};

	if (!connect_to(v, address))
		return SESSION_NEXT_SERVER;
	enum session_end end = session_begin(v->c, &s);
	if (end == SESSION_READY)
		return end;
	link_close(&v->c->link);
	keep(v->kept, &s.fate);
	return end;
}

static bool is_over(const struct visit *v)
{
	struct fate fate;

	if (v->job->n_tries < COURIER_TRIES_MAX && clock_ms() < v->job->ends_at_ms)
		return false;
	fate_set(&fate, CARRY_LATER, "4.4.1", "many servers were tried, the last of them: %.1000s",
	    v->kept->text);
	keep(v->kept, &fate);
	return true;
}

/* True when a session stands. */
static bool try_server(struct visit *v)
{
	for (size_t i = 0; i < v->addresses.n && !is_over(v); i++) {
		const struct server_address *address = &v->addresses.v[i];
		enum session_end end = try_address(v, address, v->way);
		if (end == SESSION_IN_CLEAR)
			end = try_address(v, address, WAY_CLEAR);
		if (end == SESSION_READY)
			return true;
	}
	return false;
}

static bool visit_server(struct visit *v)
{
	const struct config *config = v->c->start->config;
	/* Who configures a relay means its addresses, whatever they are; no others. */
	bool may_be_private = config->outbound_allow_private != 0 || v->job->carry->relay != 0;
	struct fate fate;

	if (hosts_addresses(v->c->start->resolver, v->host->name, v->c->port, may_be_private,
	        &v->addresses, &fate) < 0) {
		keep(v->kept, &fate);
		return false;
	}
	bool stands = choose_way(v) && try_server(v);
	if (v->has_tlsa)
		tlsa_done(&v->tlsa);
	return stands;
}

int visit_next(
    struct courier *c, struct job *job, struct hosts *hosts, size_t *next, struct fate *ret_fate)
{
	while (*next < hosts->n) {
		struct visit v = {.c = c,
		    .job = job,
		    .hosts = hosts,
		    .host = &hosts->v[(*next)++],
		    .kept = ret_fate};
		if (!visit_server(&v))
			continue;
		job->spoken = true;
		c->is_ready = true;
		c->n_messages = 0;
		c->began_ms = clock_ms();
		if (str_to_cstr(str_of_cstr(v.host->name), c->host, sizeof(c->host)) < 0)
			return -1;
		log_event(LOG_DEBUG, "courier.connected", "server=%s tls=%s",
		    log_quote(str_of_cstr(c->mta)).text, log_quote(str_of_cstr(c->tls_text)).text);
		return 0;
	}
	return -1;
}

void visit_end(struct courier *c)
{
	struct smtp_answer answer;

	if (c->link.fd >= 0 && c->is_ready) {
		link_say(&c->link, "QUIT\r\n");
		if (link_answer(&c->link, c->start->times->quit, &answer) == 0 &&
		    c->link.tls != NULL)
			tls_shutdown(c->link.tls, clock_ms() + c->start->times->quit);
	}
	link_close(&c->link);
	c->is_ready = false;
}
