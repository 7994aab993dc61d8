#include "queue/route.h"

#include "mail/address.h"
#include "queue/carriage.h"

enum { DOMAIN_MAX = 512, IMPLICIT_TLS_PORT = 465 };

/* The address that says whose mail it is; empty: nobody's. A notice of a user's program leaves
 * under none (RFC 8098 §3), and is theirs. */
static struct str owner_of(const struct queued_message *m, const struct queued_recipient *r)
{
	if (r->sender.len > 0)
		return r->sender;
	if (m->mail.reverse_path.len > 0)
		return m->mail.reverse_path;
	if (r->via.len > 0)
		return r->via;
	return m->origin == ORIGIN_FORWARDED ? STR("") : m->user;
}

const struct config_relay *route_relay(
    const struct config *config, const struct queued_message *m, const struct queued_recipient *r)
{
	struct buf domain CLEANUP(buf_done) = BUF_MAX(DOMAIN_MAX);
	struct str local, after;
	if (config->n_routes == 0 || !address_split(owner_of(m, r), &local, &after) ||
	    !address_domain_canonical(after, &domain) || buf_failed(&domain))
		return config_relay_of(config, STR(""));
	return config_relay_of(config, buf_str(&domain));
}

bool route_destination(const struct config *config, const struct queued_message *m,
    const struct queued_recipient *r, struct arena *a, struct str *ret_name)
{
	struct str domain;
	if (!queue_domain_of(r->address, a, &domain) || !carry_can_reach(domain))
		return false;
	const struct config_relay *relay = route_relay(config, m, r);
	*ret_name = relay ? str_of_cstr(relay->label) : domain;
	return true;
}

bool route_is_relay(struct str destination)
{
	return str_index(destination, ' ') < destination.len;
}

void route_describe(const struct config *config, struct str destination, struct buf *out)
{
	const struct config_relay *relay = config_relay_by_label(config, destination);
	if (relay)
		buf_printf(out, "%s (%s)", relay->host, relay->label);
	else if (route_is_relay(destination))
		buf_printf(out, "%.*s, which is not configured any more", STR_FMT(destination));
	else
		buf_add(out,
		    str_eq(destination, STR(QUEUE_LOCAL)) ? STR("this server") : STR("direct"));
}

static void set_relay(const struct carriage *c, struct ipc_carry *m)
{
	const struct config_relay *relay = c->place->relay;
	m->relay = 1;
	m->host = str_of_cstr(relay->host);
	m->port = (uint16_t)relay->port;
	m->implicit_tls = m->port == IMPLICIT_TLS_PORT;
	m->tls_must = relay->tls != 0;
	if (config_is_given(relay->user)) {
		size_t i = (size_t)(relay - c->q->config->relays);
		m->relay_user = str_of_cstr(relay->user);
		m->relay_password = str_of_cstr(c->q->carriages->relay_passwords[i]);
	}
}

void carriage_set_route(const struct carriage *c, struct ipc_carry *m)
{
	struct str name = c->place->name;
	m->port = (uint16_t)c->q->config->outbound_port;
	if (c->place->relay) {
		set_relay(c, m);
	} else if (str_starts(name, STR("[")) && str_ends(name, STR("]"))) {
		m->host = str_from(str_first(name, name.len - 1), 1);
		(void)str_skip_nocase(&m->host, STR("ipv6:"));
	} else {
		m->domain = name;
	}
}
