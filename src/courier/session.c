#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/log.h"
#include "config/config.h"
#include "courier/state.h"

enum { AUTH_LINE_MAX = 4096 };

static const struct courier_times *times(const struct courier *c)
{
	return c->start->times;
}

static const char *server_of(const struct session *s)
{
	return s->host->name;
}

/* --- why not --- */

static enum session_end fail(struct session *s, const char *status, const char *at, int error)
{
	fate_set(&s->fate, CARRY_LATER, status, "%s [%s] %s %s", server_of(s), s->address->text,
	    link_error(error), at);
	return SESSION_NEXT_SERVER;
}

/* What the server said is the reason; whatever the code, another one may say otherwise, or it may
 * later. */
static enum session_end refuse(struct session *s, const struct smtp_answer *answer, const char *at)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SMTP_ANSWER_TEXT_MAX);
	struct smtp_status status = smtp_answer_status(answer);

	status.text[0] = '4';
	smtp_answer_text(answer, &text);
	fate_set(&s->fate, CARRY_LATER, status.text, "%s [%s] refused %s: %u %.*s", server_of(s),
	    s->address->text, at, answer->code, STR_FMT(buf_str(&text)));
	return SESSION_NEXT_SERVER;
}

/* --- what TLS-RPT wants to know --- */

/* The address that the connection comes from; "" where it is gone. */
static void own_address(const struct courier *c, char ret_text[static DNS_ADDRESS_TEXT_MAX])
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	const void *bytes = &((const struct sockaddr_in *)&own)->sin_addr;

	ret_text[0] = '\0';
	if (getsockname(c->link.fd, (struct sockaddr *)&own, &len) < 0)
		return;
	if (own.ss_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)&own)->sin6_addr;
	if (inet_ntop(own.ss_family, bytes, ret_text, DNS_ADDRESS_TEXT_MAX) == NULL)
		ret_text[0] = '\0';
}

static void report_tls(
    struct courier *c, const struct session *s, enum tls_result result, const char *detail)
{
	struct str texts[OUTGOING_RECORDS_MAX];
	struct buf lines CLEANUP(buf_done) = BUF_MAX(OUTGOING_RECORDS_MAX * IPC_STRS_ITEM_MAX);
	char own[DNS_ADDRESS_TEXT_MAX];
	struct ipc_tls_result message = {.result = (uint8_t)result,
	    .mx = str_of_cstr(server_of(s)),
	    .receiving = str_of_cstr(s->address->text),
	    .detail = str_of_cstr(detail)};

	if (s->carry->host.len > 0)
		return; /* a relay is nobody's MX */
	own_address(c, own);
	message.sending = str_of_cstr(own);
	message.policy = s->way == WAY_DANE               ? TLS_POLICY_TLSA
	                 : s->carry->sts_mode != STS_NONE ? TLS_POLICY_STS
	                                                  : TLS_POLICY_NONE;
	size_t ends[OUTGOING_RECORDS_MAX + 1] = {0}, n = 0;
	for (; s->way == WAY_DANE && n < s->tlsa->n; n++) {
		const struct tls_tlsa *t = &s->tlsa->v[n];
		const struct dns_tlsa record = {t->usage, t->selector, t->matching, t->data};
		if (t->data.len > (IPC_STRS_ITEM_MAX - 16) / 2)
			break;
		dns_tlsa_print(&record, &lines);
		ends[n + 1] = lines.len;
	}
	for (size_t i = 0; i < n; i++)
		texts[i] = str_of(lines.p + ends[i], ends[i + 1] - ends[i]);
	message.policy_strings = (struct ipc_strs){texts, n};
	/* A queue that is gone is noticed at the end of the message. */
	if (ipc_send(c->start->queue, IPC_TLS_RESULT, &message) < 0)
		return;
}

/* --- hello --- */

static bool must_have_tls(enum tls_way way)
{
	return way == WAY_STS || way == WAY_PKIX || way == WAY_DANE;
}

static enum session_end greeting(struct courier *c, struct session *s)
{
	struct smtp_answer answer;
	int r = link_answer(&c->link, times(c)->greeting, &answer);

	if (r < 0)
		return fail(s, "4.4.2", "before its greeting", r);
	return answer.code / 100 == 2 ? SESSION_READY : refuse(s, &answer, "the connection");
}

/* A server that calls itself by our name is us, by whatever address. */
static bool is_own_name(const struct courier *c, const struct smtp_answer *answer)
{
	struct str lines = answer->lines;
	struct str first = smtp_answer_cut(&lines);

	return str_eq_nocase(str_cut(&first, ' '), str_of_cstr(c->start->config->hostname));
}

static enum session_end hello(struct courier *c, struct session *s)
{
	struct smtp_answer answer;

	c->extensions = (struct smtp_extensions){0};
	link_say(&c->link, "EHLO %s\r\n", c->start->config->hostname);
	int r = link_answer(&c->link, times(c)->command, &answer);
	if (r < 0)
		return fail(s, "4.4.2", "when this server introduced itself", r);
	c->is_extended = answer.code / 100 == 2;
	if (c->is_extended) {
		smtp_extensions_parse(&answer, &c->extensions);
	} else if (answer.code == 421) {
		return refuse(s, &answer, "the connection");
	} else {
		link_say(&c->link, "HELO %s\r\n", c->start->config->hostname);
		r = link_answer(&c->link, times(c)->command, &answer);
		if (r < 0)
			return fail(s, "4.4.2", "when this server introduced itself", r);
	}
	if (answer.code / 100 != 2)
		return refuse(s, &answer, "our name");
	/* Before a TLS that must be, anybody on the way can say this: it counts when it is said
	 * again inside. */
	if (is_own_name(c, &answer) && (c->link.tls != NULL || !must_have_tls(s->way))) {
		fate_set(&s->fate, CARRY_NEVER, "5.4.6", "%s [%s] is this server itself: a loop",
		    server_of(s), s->address->text);
		return SESSION_NEXT_SERVER;
	}
	return SESSION_READY;
}

/* --- TLS --- */

static const char *name_of(enum tls_way way)
{
	static const char *const names[] = {[WAY_CLEAR] = "none",
	    [WAY_OPPORTUNISTIC] = "opportunistic",
	    [WAY_STS_TESTING] = "sts-testing",
	    [WAY_STS] = "sts",
	    [WAY_PKIX] = "pkix",
	    [WAY_DANE] = "dane"};

	return names[way];
}

static void set_wish(const struct session *s, struct tls_wish *wish)
{
	*wish = (struct tls_wish){.demand = TLS_OPPORTUNISTIC, .host = server_of(s)};
	if (s->way == WAY_DANE) {
		wish->demand = TLS_DANE;
		wish->must = true;
		wish->host = s->tlsa->base;
		/* RFC 7672 §3.2.2 */
		wish->names[0] = server_of(s);
		wish->names[1] = s->domain[0] != '\0' ? s->domain : NULL;
		wish->tlsa = s->tlsa->v;
		wish->n_tlsa = s->tlsa->n;
	} else if (s->way != WAY_OPPORTUNISTIC) {
		wish->demand = TLS_PKIX;
		wish->must = s->way != WAY_STS_TESTING;
	}
}

/* The handshake. */
static enum session_end secure(struct courier *c, struct session *s)
{
	struct tls_wish wish;
	struct tls_verdict verdict = {0};

	set_wish(s, &wish);
	int r = link_start_tls(&c->link, c->start->tls, &wish, times(c)->tls, &verdict);
	report_tls(c, s, verdict.result, verdict.detail);
	if (r == 0) {
		c->is_verified = verdict.verified;
		snprintf(c->tls_text, sizeof(c->tls_text), "%s %s%s", tls_version(c->link.tls),
		    name_of(s->way),
		    verdict.unusable                                 ? "-unusable"
		    : s->way >= WAY_STS_TESTING && !verdict.verified ? "-unverified"
		                                                     : "");
		return SESSION_READY;
	}
	fate_set(&s->fate, CARRY_LATER, "4.7.5", "TLS with %s [%s] failed (%s): %s", server_of(s),
	    s->address->text, name_of(s->way),
	    verdict.detail[0] != '\0' ? verdict.detail : link_error(r));
	return must_have_tls(s->way) || s->carry->implicit_tls ? SESSION_NEXT_SERVER
	                                                       : SESSION_IN_CLEAR;
}

static enum session_end no_tls(struct courier *c, struct session *s, const char *what)
{
	report_tls(c, s, TLS_STARTTLS_NOT_SUPPORTED, what);
	if (!must_have_tls(s->way))
		return SESSION_READY;
	fate_set(&s->fate, CARRY_LATER, "4.7.5",
	    "%s [%s] %s, but mail to it must be encrypted (%s)", server_of(s), s->address->text,
	    what, name_of(s->way));
	return SESSION_NEXT_SERVER;
}

static enum session_end start_tls(struct courier *c, struct session *s)
{
	struct smtp_answer answer;

	if (s->way == WAY_CLEAR)
		return SESSION_READY;
	if (c->start->tls == NULL)
		return no_tls(c, s, "cannot be spoken with by TLS, which this server lacks");
	if (!c->extensions.starttls)
		return no_tls(c, s, "does not offer STARTTLS");
	link_say(&c->link, "STARTTLS\r\n");
	int r = link_answer(&c->link, times(c)->command, &answer);
	if (r < 0)
		return fail(s, "4.4.2", "at STARTTLS", r);
	if (answer.code / 100 != 2)
		return no_tls(c, s, "refused STARTTLS");
	enum session_end end = secure(c, s);
	return end == SESSION_READY ? hello(c, s) : end;
}

/* --- AUTH, with a relay --- */

static void say_base64(struct courier *c, const char *before, struct str secret)
{
	struct buf line CLEANUP(buf_done) = BUF_MAX(AUTH_LINE_MAX);

	buf_reserve(&line, AUTH_LINE_MAX); /* so that it leaves no copies behind */
	base64_encode(secret, &line);
	link_say(&c->link, "%s%.*s\r\n", before, STR_FMT(buf_str(&line)));
	ipc_wipe(&line);
}

/* RFC 4616: authorization identity (none) NUL name NUL password */
static int auth_plain(struct courier *c, const struct ipc_carry *carry, struct smtp_answer *answer)
{
	struct buf secret CLEANUP(buf_done) = BUF_MAX(AUTH_LINE_MAX / 2);

	buf_reserve(&secret, AUTH_LINE_MAX / 2);
	buf_add_c(&secret, '\0');
	buf_add(&secret, carry->relay_user);
	buf_add_c(&secret, '\0');
	buf_add(&secret, carry->relay_password);
	say_base64(c, "AUTH PLAIN ", buf_str(&secret));
	ipc_wipe(&secret);
	return link_answer(&c->link, times(c)->command, answer);
}

static int auth_login(struct courier *c, const struct ipc_carry *carry, struct smtp_answer *answer)
{
	link_say(&c->link, "AUTH LOGIN\r\n");
	int r = link_answer(&c->link, times(c)->command, answer);
	if (r < 0 || answer->code != 334)
		return r;
	say_base64(c, "", carry->relay_user);
	r = link_answer(&c->link, times(c)->command, answer);
	if (r < 0 || answer->code != 334)
		return r;
	say_base64(c, "", carry->relay_password);
	return link_answer(&c->link, times(c)->command, answer);
}

static enum session_end sign_in(struct courier *c, struct session *s)
{
	struct smtp_answer answer;

	if (s->carry->relay_user.len == 0)
		return SESSION_READY;
	const char *problem =
	    c->link.tls == NULL || !c->is_verified
	        ? "is not known to be the relay (TLS was not verified), and gets no password"
	    : !c->extensions.auth_plain && !c->extensions.auth_login
	        ? "offers neither AUTH PLAIN nor AUTH LOGIN"
	        : NULL;
	if (problem != NULL) {
		fate_set(&s->fate, CARRY_LATER, "4.7.0", "%s [%s] %s", server_of(s),
		    s->address->text, problem);
		return SESSION_NEXT_SERVER;
	}
	int r = c->extensions.auth_plain ? auth_plain(c, s->carry, &answer)
	                                 : auth_login(c, s->carry, &answer);
	if (r < 0)
		return fail(s, "4.4.2", "when this server signed in", r);
	return answer.code / 100 == 2 ? SESSION_READY : refuse(s, &answer, "our name and password");
}

/* --- all of it --- */

static enum session_end begin(struct courier *c, struct session *s)
{
	enum session_end end = SESSION_READY;

	if (s->carry->implicit_tls && c->start->tls == NULL)
		end = fail(s, "4.7.0", "by TLS, which this server lacks", -EPROTO);
	else if (s->carry->implicit_tls)
		end = secure(c, s);
	if (end == SESSION_READY)
		end = greeting(c, s);
	if (end == SESSION_READY)
		end = hello(c, s);
	if (end == SESSION_READY && !s->carry->implicit_tls)
		end = start_tls(c, s);
	if (end == SESSION_READY)
		end = sign_in(c, s);
	return end;
}

enum session_end session_begin(struct courier *c, struct session *s)
{
	c->is_verified = c->is_extended = c->needs_reset = false;
	snprintf(c->tls_text, sizeof(c->tls_text), "none");
	snprintf(c->mta, sizeof(c->mta), "%s [%s]", server_of(s), s->address->text);
	c->link.interruptible = true;
	enum session_end end = begin(c, s);
	if (str_to_cstr(str_of_cstr(server_of(s)), s->fate.mta, sizeof(s->fate.mta)) < 0)
		return SESSION_NEXT_SERVER;
	return end;
}
