#include "courier/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/num.h"
#include "dns/address_policy.h"
#include "ipc/messages.h"

void fate_set(
    struct fate *fate, enum carry_outcome outcome, const char *status, const char *fmt, ...)
{
	va_list args;

	*fate = (struct fate){.outcome = outcome};
	if (str_to_cstr(str_of_cstr(status), fate->status, sizeof(fate->status)) < 0)
		abort();
	va_start(args, fmt);
	(void)vsnprintf(fate->text, sizeof(fate->text), fmt, args);
	va_end(args);
}

/* Asks for one type of a name. NULL when nobody answers; `*m` is then not to be released. */
static const struct ipc_dns_answer *ask(
    int resolver, const char *name, enum dns_type type, struct ipc_received *ret_m)
{
	static uint64_t last_request;
	const struct ipc_dns question = {
	    .request = ++last_request, .name = str_of_cstr(name), .type = (uint16_t)type};

	if (ipc_call(resolver, IPC_DNS, &question, IPC_DNS_ANSWER, COURIER_DNS_MS, ret_m) < 0)
		return NULL;
	const struct ipc_dns_answer *answer = ret_m->msg;
	if (answer->request == question.request)
		return answer;
	ipc_received_done(ret_m);
	return NULL;
}

static void tell_dns_failure(
    struct fate *fate, const char *name, const struct ipc_dns_answer *answer)
{
	struct str why = answer != NULL ? answer->detail : STR("the resolver does not answer");
	bool bogus = answer != NULL && answer->security == DNS_BOGUS;

	fate_set(fate, CARRY_LATER, bogus ? "4.7.5" : "4.4.3",
	    bogus ? "the name %s is not signed as its domain says (%.*s)"
	          : "the name %s cannot be looked up now (%.*s)",
	    name, (int)num_min(why.len, 300), why.p != NULL ? why.p : "");
}

/* --- the domain's servers --- */

static void add_host(struct hosts *hosts, const char *name, uint16_t preference, bool secure)
{
	size_t at = hosts->n;

	/* The best ones are kept: sorted by preference, the new one behind its equals. */
	while (at > 0 && hosts->v[at - 1].preference > preference)
		at--;
	if (at == COURIER_HOSTS_MAX)
		return;
	size_t last = num_min(hosts->n, COURIER_HOSTS_MAX - 1);
	memmove(&hosts->v[at + 1], &hosts->v[at], (last - at) * sizeof(hosts->v[0]));
	hosts->n = last + 1;
	hosts->v[at] = (struct host){.preference = preference, .secure = secure};
	if (str_to_cstr(str_of_cstr(name), hosts->v[at].name, sizeof(hosts->v[at].name)) < 0)
		abort();
}

static uint32_t chance(uint32_t below)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		return 0;
	return value % below;
}

static void shuffle_equals(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++) {
		size_t end = i;
		while (end < hosts->n && hosts->v[end].preference == hosts->v[i].preference)
			end++;
		size_t other = i + chance((uint32_t)(end - i));
		struct host moved = hosts->v[i];
		hosts->v[i] = hosts->v[other];
		hosts->v[other] = moved;
	}
}

/* This server, and those that are no better: they would send the mail here again (RFC 5321 §5.1).
 */
static void leave_out_own(struct hosts *hosts, const char *own_name)
{
	for (size_t i = 0; i < hosts->n; i++) {
		if (!str_eq_nocase(str_of_cstr(hosts->v[i].name), str_of_cstr(own_name)))
			continue;
		uint16_t own = hosts->v[i].preference;
		while (hosts->n > 0 && hosts->v[hosts->n - 1].preference >= own)
			hosts->n--;
		return;
	}
}

/* 0, or -1 for a domain that says that it takes no mail. */
static int take_mx(
    const struct ipc_dns_answer *answer, const char *domain, struct hosts *hosts, struct fate *fate)
{
	hosts->secure = answer->security == DNS_SECURE;
	for (size_t i = 0; i < answer->records.n; i++) {
		struct dns_mx mx;
		if (!dns_mx_parse(answer->records.v[i], &mx))
			continue;
		if (mx.exchange.text[0] == '\0') {
			if (answer->records.n > 1)
				continue;
			fate_set(fate, CARRY_NEVER, "5.1.10",
			    "the domain %s takes no mail (its MX record says so)", domain);
			return -1;
		}
		add_host(hosts, mx.exchange.text, mx.preference, hosts->secure);
	}
	return 0;
}

static int judge_mx(const struct ipc_dns_answer *answer, const char *domain, const char *own_name,
    struct hosts *hosts, struct fate *fate)
{
	if (answer == NULL || answer->result == DNS_FAILED || answer->security == DNS_BOGUS) {
		tell_dns_failure(fate, domain, answer);
		return -1;
	}
	if (answer->result == DNS_NO_NAME) {
		fate_set(fate, CARRY_NEVER, "5.1.2", "the domain %s does not exist", domain);
		return -1;
	}
	if (take_mx(answer, domain, hosts, fate) < 0)
		return -1;
	if (answer->records.n > 0 && hosts->n == 0) {
		fate_set(fate, CARRY_NEVER, "5.4.4", "no MX record of %s names a server", domain);
		return -1;
	}
	if (answer->records.n == 0)
		add_host(hosts, domain, 0, hosts->secure);
	shuffle_equals(hosts);
	leave_out_own(hosts, own_name);
	if (hosts->n == 0) {
		fate_set(fate, CARRY_NEVER, "5.4.6",
		    "the mail of %s comes to this server, which does not keep it: a loop", domain);
		return -1;
	}
	return 0;
}

int hosts_find(int resolver, const char *domain, const char *own_name, struct hosts *ret_hosts,
    struct fate *ret_fate)
{
	struct ipc_received m;
	const struct ipc_dns_answer *answer = ask(resolver, domain, DNS_MX, &m);

	*ret_hosts = (struct hosts){0};
	int r = judge_mx(answer, domain, own_name, ret_hosts, ret_fate);
	if (answer != NULL)
		ipc_received_done(&m);
	return r;
}

/* --- their addresses --- */

static bool add_address(struct addresses *a, const char *text, uint16_t port)
{
	struct server_address *to = &a->v[a->n];
	struct sockaddr_in *in4 = (struct sockaddr_in *)&to->socket;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to->socket;

	*to = (struct server_address){0};
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	} else {
		return false;
	}
	if (str_to_cstr(str_of_cstr(text), to->text, sizeof(to->text)) < 0)
		return false;
	a->n++;
	return true;
}

struct finding {
	uint16_t port;
	bool allow_private;
	size_t most;         /* of this type */
	const char *refused; /* the kind of an address that mail may not go to */
	bool failed;
};

static void take_addresses(
    const struct ipc_dns_answer *answer, enum dns_type type, struct finding *f, struct addresses *a)
{
	size_t before = a->n;

	for (size_t i = 0; i < answer->records.n && a->n - before < f->most; i++) {
		char text[DNS_ADDRESS_TEXT_MAX];
		if (!dns_address_parse(answer->records.v[i], type, text))
			continue;
		const char *kind =
		    f->allow_private ? NULL : address_policy_refuses(answer->records.v[i]);
		if (kind != NULL)
			f->refused = kind;
		else
			(void)add_address(a, text, f->port);
	}
}

static void look_up_addresses(
    int resolver, const char *host, enum dns_type type, struct finding *f, struct addresses *a)
{
	struct ipc_received m;
	const struct ipc_dns_answer *answer = ask(resolver, host, type, &m);

	if (answer == NULL) {
		f->failed = true;
		return;
	}
	/* Only an answer that is there can say that it is not secure: who can suppress answers must
	 * not be able to switch DANE off that way. */
	bool failed = answer->result == DNS_FAILED || answer->security == DNS_BOGUS;
	f->failed |= failed;
	a->secure = a->secure && (failed || answer->security == DNS_SECURE);
	if (answer->result == DNS_FOUND && answer->security != DNS_BOGUS) {
		take_addresses(answer, type, f, a);
		if (str_to_cstr(answer->canonical, a->canonical, sizeof(a->canonical)) < 0)
			a->secure = false;
	}
	ipc_received_done(&m);
}

static void find_literal(const char *host, struct finding *f, struct addresses *a)
{
	f->refused = f->allow_private ? NULL : address_policy_refuses_text(host);
	a->secure = false;
	if (f->refused == NULL)
		(void)add_address(a, host, f->port);
}

static bool is_literal(const char *host)
{
	struct in6_addr bytes;

	return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1;
}

int hosts_addresses(int resolver, const char *host, uint16_t port, bool allow_private,
    struct addresses *ret_addresses, struct fate *ret_fate)
{
	struct finding f = {
	    .port = port, .allow_private = allow_private, .most = COURIER_ADDRESSES_MAX / 2};
	struct addresses *a = ret_addresses;

	*a = (struct addresses){.secure = true};
	if (is_literal(host)) {
		find_literal(host, &f, a);
	} else {
		look_up_addresses(resolver, host, DNS_AAAA, &f, a);
		f.most = COURIER_ADDRESSES_MAX - a->n;
		look_up_addresses(resolver, host, DNS_A, &f, a);
	}
	if (a->n > 0)
		return 0;
	if (f.failed)
		fate_set(ret_fate, CARRY_LATER, "4.4.3",
		    "the address of %s cannot be looked up now", host);
	else if (f.refused != NULL)
		fate_set(ret_fate, CARRY_NEVER, "5.4.4",
		    "%s has %s, where this server sends no mail", host, f.refused);
	else
		fate_set(ret_fate, CARRY_NEVER, "5.4.4", "%s has no address", host);
	return -1;
}

/* --- who they are --- */

static enum tlsa_found ask_tlsa(
    int resolver, const char *base, uint16_t port, struct tlsa_set *ret_set)
{
	char name[DNS_NAME_MAX + 32];
	struct tlsa_set *set = ret_set;

	snprintf(name, sizeof(name), "_%u._tcp.%s", port, base);
	const struct ipc_dns_answer *answer = ask(resolver, name, DNS_TLSA, &set->received);
	if (answer == NULL)
		return TLSA_FAILED;
	enum tlsa_found found = TLSA_NONE;
	set->n = 0;
	if (answer->result == DNS_FAILED || answer->security == DNS_BOGUS)
		found = TLSA_FAILED;
	else if (answer->result == DNS_FOUND && answer->security == DNS_SECURE)
		found = TLSA_FOUND;
	for (size_t i = 0; found == TLSA_FOUND && i < answer->records.n; i++) {
		struct dns_tlsa t;
		if (dns_tlsa_parse(answer->records.v[i], &t))
			set->v[set->n++] =
			    (struct tls_tlsa){t.usage, t.selector, t.matching, t.data};
	}
	if (found == TLSA_FOUND &&
	    str_to_cstr(str_of_cstr(base), set->base, sizeof(set->base)) == 0)
		return TLSA_FOUND;
	ipc_received_done(&set->received);
	return found == TLSA_FOUND ? TLSA_FAILED : found;
}

/* Of a name whose addresses are not secure: it may still be a secure alias of one elsewhere that is
 * not, and then has TLSA records of its own (RFC 7672 §2.2.2). */
static enum tlsa_found ask_tlsa_of_alias(
    int resolver, const char *name, uint16_t port, struct tlsa_set *ret_set)
{
	struct ipc_received m;
	const struct ipc_dns_answer *answer = ask(resolver, name, DNS_CNAME, &m);

	if (answer == NULL)
		return TLSA_FAILED;
	bool failed = answer->result == DNS_FAILED || answer->security == DNS_BOGUS;
	bool secure = answer->result == DNS_FOUND && answer->security == DNS_SECURE;
	ipc_received_done(&m);
	if (failed)
		return TLSA_FAILED;
	return secure ? ask_tlsa(resolver, name, port, ret_set) : TLSA_NONE;
}

/* The name behind CNAMEs first, then the one that MX has (RFC 7672 §2.2.2). */
enum tlsa_found hosts_tlsa(int resolver, const struct host *host, const struct addresses *addresses,
    uint16_t port, struct tlsa_set *ret_set)
{
	enum tlsa_found found = TLSA_NONE;

	if (!host->secure)
		return TLSA_NONE;
	if (!addresses->secure)
		return addresses->canonical[0] != '\0'
		           ? ask_tlsa_of_alias(resolver, host->name, port, ret_set)
		           : TLSA_NONE;
	if (addresses->canonical[0] != '\0')
		found = ask_tlsa(resolver, addresses->canonical, port, ret_set);
	return found == TLSA_NONE ? ask_tlsa(resolver, host->name, port, ret_set) : found;
}

void tlsa_done(struct tlsa_set *set)
{
	ipc_received_done(&set->received);
	set->n = 0;
}
