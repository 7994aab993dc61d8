#include "resolver/lookup.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <unbound-event.h>
#include <unbound.h>

#include "base/fd.h"
#include "base/log.h"
#include "dns/message.h"
#include "resolver/events.h"

enum {
	CLASS_IN = 1,
	ANCHOR_FILE_MAX = 1 << 20,
	ANSWER_ARENA_MAX = 256 * 1024,
	SECURITY_BOGUS = 1, /* what libunbound's callback says; 2: secure */
	SECURITY_SECURE = 2,
	TTL_MAX = 86400,
};

/* The functions that are used, found when the library is loaded. */
#define FUNCTIONS(f)                                                                               \
	f(ub_ctx_create_ub_event) f(ub_ctx_delete) f(ub_ctx_set_option) f(ub_ctx_set_fwd)          \
	    f(ub_ctx_add_ta_file) f(ub_ctx_zone_add) f(ub_ctx_debugout) f(ub_resolve_event)        \
	        f(ub_strerror)
#define MEMBER(name) __typeof__(name) *name;

struct lookup {
	void *library;
	struct {
		FUNCTIONS(MEMBER)
	} ub;
	struct events *events;
	struct ub_ctx *ctx;
};

struct question {
	uint16_t type;
	void (*fn)(void *ctx, const struct ipc_dns_answer *answer);
	void *ctx;
};

static int fail(const char *what, const char *error)
{
	log_event(LOG_ERROR, "resolver.cannot_start", "what=%s error=%s",
	    log_quote(str_of_cstr(what)).text, log_quote(str_of_cstr(error)).text);
	return -EINVAL;
}

static int load(struct lookup *l)
{
	static const char name[] = "libunbound.so.8";

	l->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (l->library == NULL)
		return fail(name, dlerror());
#define FIND(function)                                                                             \
	if ((l->ub.function = dlsym(l->library, #function)) == NULL)                               \
		return fail(#function, "not in this libunbound");
	FUNCTIONS(FIND)
	return 0;
}

/*
 * What is said to libunbound beyond its defaults. As a library it is made for one question at a
 * time: the first numbers are for a server. It forgets the root's "no" of a name soon, and a server
 * that did not answer sooner than by default (15 minutes): mail is tried again after minutes.
 */
static const char *const options[][2] = {
    {"outgoing-range:", "512"},
    {"num-queries-per-thread:", "2048"},
    {"outgoing-num-tcp:", "64"},
    {"msg-cache-size:", "16m"},
    {"rrset-cache-size:", "16m"},
    {"key-cache-size:", "4m"},
    {"neg-cache-size:", "4m"},
    {"infra-cache-numhosts:", "10000"},
    {"infra-host-ttl:", "120"},
    {"cache-max-ttl:", "86400"},
    {"cache-max-negative-ttl:", "900"},
    {"edns-buffer-size:", "1232"},
    {"qname-minimisation:", "yes"},
    {"harden-dnssec-stripped:", "yes"},
    {"harden-below-nxdomain:", "yes"},
    {"harden-algo-downgrade:", "no"},
    {"aggressive-nsec:", "yes"},
    {"val-clean-additional:", "yes"},
};

static int set(struct lookup *l, const char *option, const char *value)
{
	int r = l->ub.ub_ctx_set_option(l->ctx, option, value);

	return r == 0 ? 0 : fail(option, l->ub.ub_strerror(r));
}

/* Reads a file of the configuration into memory, under a name that libunbound can open: the data
 * folder's own path may not be open to this role. */
static int read_into_memory(
    const struct role_start *start, const char *path, char ret_name[static 32])
{
	char *text;
	size_t len;
	int fd;
	int r = fd_read_file(start->data_fd, path, ANCHOR_FILE_MAX, &text, &len);

	if (r < 0)
		return fail(path, strerror(-r));
	r = fd_sealed_memfd("dns", str_of(text, len), &fd);
	free(text);
	if (r < 0)
		return fail(path, strerror(-r));
	snprintf(ret_name, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static int set_files(struct lookup *l, const struct role_start *start, int fds[static 2])
{
	const struct config *config = start->config;
	char name[32];
	int r;

	if ((fds[0] = read_into_memory(start, config->outbound_trust_anchor, name)) < 0)
		return fds[0];
	if ((r = l->ub.ub_ctx_add_ta_file(l->ctx, name)) != 0)
		return fail(config->outbound_trust_anchor, l->ub.ub_strerror(r));
	if (config_is_given(config->outbound_root_hints)) {
		fds[1] = read_into_memory(start, config->outbound_root_hints, name);
		return fds[1] < 0 ? fds[1] : set(l, "root-hints:", name);
	}
	if (config_is_given(config->outbound_resolver) &&
	    (r = l->ub.ub_ctx_set_fwd(l->ctx, config->outbound_resolver)) != 0)
		return fail(config->outbound_resolver, l->ub.ub_strerror(r));
	return 0;
}

static void note_answered(void *ctx, const struct ipc_dns_answer *answer UNUSED)
{
	*(bool *)ctx = true;
}

/* The first question makes libunbound read its files and open what it needs. This one it answers
 * itself (RFC 6761 §6.3), so that nothing has to be there yet. */
static int begin(struct lookup *l)
{
	struct dns_name name;
	bool answered = false;
	bool ok = dns_name_parse(STR("localhost"), &name);

	assert(ok);
	lookup_ask(l, &name, DNS_A, note_answered, &answered);
	return answered ? 0 : fail("libunbound", "does not answer for localhost");
}

/* Name servers on this machine are asked only where the configuration has a network of its own: no
 * domain of the internet has its servers here. */
static bool may_ask_here(const struct config *config)
{
	return config->outbound_allow_private != 0 || config_is_given(config->outbound_resolver) ||
	       config_is_given(config->outbound_root_hints);
}

static int set_up(struct lookup *l, const struct role_start *start)
{
	int fds[2] = {-1, -1};
	int r = 0;

	l->ctx = l->ub.ub_ctx_create_ub_event(events_base(l->events));
	if (l->ctx == NULL)
		return fail("libunbound", "cannot be set up");
	l->ub.ub_ctx_debugout(l->ctx, NULL);
	for (size_t i = 0; i < ARRAY_LEN(options) && r == 0; i++)
		r = set(l, options[i][0], options[i][1]);
	if (r == 0)
		r = set(l, "do-not-query-localhost:", may_ask_here(start->config) ? "no" : "yes");
	if (r == 0)
		r = set_files(l, start, fds);
	/* Last, since it ends the settings. In a network of one's own this may well be a domain;
	 * elsewhere the root says no. */
	if (r == 0 && l->ub.ub_ctx_zone_add(l->ctx, "test.", "nodefault") != 0)
		r = fail("libunbound", "takes no zones");
	if (r == 0)
		r = begin(l);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	return r;
}

int lookup_new(const struct role_start *start, struct loop *loop, struct lookup **ret_lookup)
{
	struct lookup *l = calloc(1, sizeof(*l));

	assert(l != NULL);
	int r = load(l);
	if (r == 0 && (r = events_new(loop, &l->events)) < 0)
		(void)fail("events", strerror(-r));
	if (r == 0)
		r = set_up(l, start);
	if (r < 0) {
		lookup_free(l);
		return r;
	}
	*ret_lookup = l;
	return 0;
}

void lookup_free(struct lookup *l)
{
	if (l->ctx != NULL)
		l->ub.ub_ctx_delete(l->ctx);
	if (l->events != NULL)
		events_free(l->events);
	free(l);
}

/* --- answers --- */

static enum dns_result result_of(const struct dns_message *m, unsigned rcode)
{
	if (rcode == DNS_RCODE_NXDOMAIN)
		return DNS_NO_NAME;
	if (rcode != DNS_RCODE_OK)
		return DNS_FAILED;
	return m->n > 0 ? DNS_FOUND : DNS_NO_DATA;
}

static const char *failure_of(unsigned rcode)
{
	static const char *const names[] = {[1] = "the name server does not understand (FORMERR)",
	    [2] = "no name server of it gave a usable answer (SERVFAIL)",
	    [4] = "the name server does not do this (NOTIMP)",
	    [5] = "the name server refuses to answer (REFUSED)"};

	return rcode < ARRAY_LEN(names) && names[rcode] != NULL ? names[rcode]
	                                                        : "the name server fails";
}

/* Bogus is no answer, whatever it says: somebody changed it, or its owner made a mistake. */
static void fill(
    struct ipc_dns_answer *answer, const struct dns_message *m, int security, struct str why)
{
	answer->security = security == SECURITY_SECURE  ? DNS_SECURE
	                   : security == SECURITY_BOGUS ? DNS_BOGUS
	                                                : DNS_INSECURE;
	if (security == SECURITY_BOGUS) {
		answer->result = DNS_FAILED;
		answer->detail = why.len > 0 ? str_first(why, IPC_TEXT_MAX)
		                             : STR("its DNSSEC signatures are not valid");
		return;
	}
	answer->result = result_of(m, m->rcode);
	/* What is there and cannot be read is not absent: a server whose TLSA records are too long
	 * would be taken for one without. */
	if (answer->result == DNS_NO_DATA && m->n_left_out > 0) {
		answer->result = DNS_FAILED;
		answer->detail = STR("its records are longer than this server takes");
		return;
	}
	answer->ttl = m->ttl < TTL_MAX ? m->ttl : TTL_MAX;
	if (answer->result == DNS_FAILED)
		answer->detail = str_of_cstr(failure_of(m->rcode));
	if (m->is_alias)
		answer->canonical = str_of_cstr(m->canonical.text);
	answer->records = (struct ipc_strs){m->records, m->n};
}

/* libunbound's callback. */
static void answered(void *ctx, int rcode, void *packet, int packet_len, int security, char *why,
    int was_limited UNUSED)
{
	struct question q = *(struct question *)ctx;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ANSWER_ARENA_MAX);
	struct dns_message m = {0};
	struct ipc_dns_answer answer = {.result = DNS_FAILED};

	free(ctx);
	if (rcode == DNS_RCODE_NXDOMAIN || rcode == DNS_RCODE_OK) {
		int r = packet == NULL || packet_len <= 0
		            ? -EBADMSG
		            : dns_message_read(str_of(packet, (size_t)packet_len), q.type, &a, &m);
		if (r == 0)
			fill(&answer, &m, security, str_of_cstr(why));
		else
			answer.detail = STR("the answer is malformed");
	} else {
		m.rcode = (unsigned)rcode;
		fill(&answer, &m, security, str_of_cstr(why));
	}
	q.fn(q.ctx, &answer);
}

void lookup_ask(struct lookup *l, const struct dns_name *name, uint16_t type,
    void (*fn)(void *ctx, const struct ipc_dns_answer *answer), void *ctx)
{
	struct question *q = calloc(1, sizeof(*q));
	char text[DNS_TEXT_NAME_MAX + 2];

	assert(q != NULL);
	*q = (struct question){.type = type, .fn = fn, .ctx = ctx};
	snprintf(text, sizeof(text), "%s.", name->text);
	int r = l->ub.ub_resolve_event(l->ctx, text, type, CLASS_IN, q, answered, NULL);
	if (r == 0)
		return;
	struct ipc_dns_answer answer = {
	    .result = DNS_FAILED, .detail = str_of_cstr(l->ub.ub_strerror(r))};
	free(q);
	fn(ctx, &answer);
}
