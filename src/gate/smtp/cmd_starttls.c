#include "gate/smtp/dialogue.h"

#include "base/log.h"
#include "tls/server.h"

/*
 * RFC 3207 §4. Whatever came in the same breath as STARTTLS was sent in the clear, perhaps not by
 * the client: it is thrown away, and the client begins anew with EHLO.
 */
struct smtp_reply smtp_cmd_starttls(struct smtp_dialogue *d, struct str argument)
{
	struct gate *g = d->g;
	if (argument.len > 0)
		return SMTP_REPLY(501, 5, 4, "STARTTLS takes no argument");
	if (g->tls)
		return SMTP_REPLY(503, 5, 1, "TLS is on already");
	if (!g->tls_server)
		return SMTP_REPLY(502, 5, 1, "No TLS here");
	if (gate_reach_keyholder(g) < 0)
		return SMTP_REPLY(454, 7, 0, "TLS is not to be had now");
	size_t injected = gate_pending(g).len;
	if (injected > 0)
		log_event(LOG_WARNING, "smtp.injected", "connection=%llu peer=%s bytes=%zu",
		    (unsigned long long)g->connection, g->peer, injected);
	smtp_transaction_reset(d);
	d->hello_name = STR("");
	d->is_extended = false;
	smtp_reply_format(SMTP_REPLY(220, 0, 0, "Go ahead with TLS"), &g->out);
	int r = gate_start_tls(g);
	if (r < 0) {
		log_event(LOG_INFO, "smtp.tls_failed", "connection=%llu peer=%s error=%d reason=%s",
		    (unsigned long long)g->connection, g->peer, -r,
		    log_quote(str_of_cstr(tls_error())).text);
		d->broken = r;
	}
	return SMTP_NO_REPLY;
}
