/* What the queue and those who submit have of the directory: every question, from everybody. */
#include "directory/test_sign_in.h"

#include "directory/database_dkim.h"

#include <stdio.h>

struct sending {
	struct fixture *f;
	int gatekeeper, queue;
	uint64_t anna, bert, carl;
};

static int connect_queue(struct fixture *f)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	f->d.queue = loop_add_channel(f->d.loop, ends[0], &directory_queue_receivers, &f->d);
	assert_non_null(f->d.queue);
	return ends[1];
}

static uint64_t add_account(struct fixture *f, struct str local)
{
	uint8_t slot[SLOT_LEN] = {1};
	struct name name = {local, STR("example.test")};
	uint64_t account = 0;
	assert_int_equal(database_account_reserve(f->d.db, &name, 0, &account), 0);
	assert_int_equal(database_account_activate(f->d.db, account, slot, slot), 0);
	resolver_changed(f->d.resolver);
	return account;
}

/* The command line asks; the answer's error. */
static uint32_t control(struct fixture *f, enum control_verb verb, struct str name,
    const struct str *targets, size_t n_targets, bool on_behalf)
{
	struct ipc_received m;
	struct ipc_control request = {.verb = (uint8_t)verb,
	    .name = name,
	    .targets = {targets, n_targets},
	    .on_behalf = on_behalf};
	assert_int_equal(ipc_send(f->control, IPC_CONTROL, &request), 0);
	await_type(f, f->control, IPC_CONTROL_DONE, &m);
	uint32_t error = ((struct ipc_control_done *)m.msg)->error;
	ipc_received_done(&m);
	return error;
}

static uint32_t grant(
    struct fixture *f, enum control_verb verb, const char *address, const char *to, bool on_behalf)
{
	struct str user = str_of_cstr(to);
	return control(f, verb, str_of_cstr(address), &user, 1, on_behalf);
}

static uint32_t alias(struct fixture *f, const char *name, const struct str *targets, size_t n)
{
	return control(f, CONTROL_ALIAS_ADD, str_of_cstr(name), targets, n, false);
}

/*
 * anna, bert and carl; of anna alone: info@, deep@ (through info@); of anna and bert: both@; of
 * anna and somebody elsewhere: out@; of nobody here: away@.
 */
static void begin(struct sending *s, void **state)
{
	static const struct str anna = STR_INIT("anna@example.test"),
	                        info = STR_INIT("info@example.test"),
	                        both[] = {STR_INIT("anna@example.test"),
	                            STR_INIT("bert@example.test")},
	                        out[] = {
	                            STR_INIT("anna@example.test"), STR_INIT("Some.One@B\xc3\xbc"
	                                                                    "cher.example")};
	s->f = *state;
	s->anna = s->f->account;
	s->bert = add_account(s->f, STR("bert"));
	s->carl = add_account(s->f, STR("carl"));
	s->queue = connect_queue(s->f);
	s->gatekeeper = gatekeeper(s->f, &directory_submission_gatekeeper_receivers);
	assert_int_equal(alias(s->f, "info@example.test", &anna, 1), 0);
	assert_int_equal(alias(s->f, "deep@example.test", &info, 1), 0);
	assert_int_equal(alias(s->f, "both@example.test", both, 2), 0);
	assert_int_equal(alias(s->f, "out@example.test", out, 2), 0);
	assert_int_equal(alias(s->f, "away@example.test", out + 1, 1), 0);
}

static void end(struct sending *s)
{
	close(s->queue);
	close(s->gatekeeper);
	while (s->f->d.queue)
		assert_int_equal(loop_once(s->f->d.loop, 10), 0);
}

static enum may_send ask_all(struct sending *s, uint64_t account, const char *const *authors,
    size_t n, const char *sender, char ret_address[static IPC_ADDRESS_MAX + 1])
{
	static uint64_t request;
	struct str v[OUTGOING_AUTHORS_MAX];
	struct ipc_received m;
	for (size_t i = 0; i < n; i++)
		v[i] = str_of_cstr(authors[i]);
	struct ipc_may_send question = {++request, account, {v, n}, str_of_cstr(sender), STR("")};
	assert_int_equal(ipc_send(s->queue, IPC_MAY_SEND, &question), 0);
	await_type(s->f, s->queue, IPC_MAY_SEND_ANSWER, &m);
	const struct ipc_may_send_answer *answer = m.msg;
	assert_int_equal(answer->request, request);
	assert_int_equal(str_to_cstr(answer->address, ret_address, IPC_ADDRESS_MAX + 1), 0);
	enum may_send result = answer->result;
	ipc_received_done(&m);
	return result;
}

static enum may_send ask(struct sending *s, uint64_t account, const char *author)
{
	char address[IPC_ADDRESS_MAX + 1];
	return ask_all(s, account, &author, 1, "", address);
}

static void what_is_ones_own(void **state)
{
	static const char *const own[] = {"anna@example.test", "ANNA@Example.Test",
	    "anna+list@example.test", "info@example.test", "info+x@example.test",
	    "deep@example.test", ""};
	static const char *const not_own[] = {"both@example.test", "out@example.test",
	    "away@example.test", "bert@example.test", "bert+anna@example.test",
	    "postmaster@example.test", "nobody@example.test", "anna@elsewhere.example", "anna",
	    "@example.test", "anna@", "anna@example.test@elsewhere.example"};
	struct sending s;
	begin(&s, state);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		assert_int_equal(ask(&s, s.anna, own[i]), MAY_SEND);
	for (size_t i = 0; i < ARRAY_LEN(not_own); i++)
		if (ask(&s, s.anna, not_own[i]) != MAY_NOT_SEND)
			fail_msg("anna may send as %s", not_own[i]);
	end(&s);
}

/* Somebody else's account tries everything. */
static void a_foreign_account_sends_as_nothing(void **state)
{
	static const char *const all[] = {"anna@example.test", "anna+x@example.test",
	    "info@example.test", "deep@example.test", "both@example.test", "out@example.test",
	    "away@example.test", "bert@example.test", "\"anna\"@example.test"};
	struct sending s;
	begin(&s, state);
	const uint64_t foreign[] = {s.carl, 0, 999, UINT64_MAX};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t n = 0; n < ARRAY_LEN(foreign); n++)
			if (ask(&s, foreign[n], all[i]) != MAY_NOT_SEND)
				fail_msg(
				    "%llu may send as %s", (unsigned long long)foreign[n], all[i]);
	end(&s);
}

static void add_key(struct sending *s, const char *selector, int algorithm, enum dkim_state state)
{
	struct dkim_row row = {.domain = STR("example.test"),
	    .selector = str_of_cstr(selector),
	    .algorithm = (uint8_t)algorithm,
	    .state = state,
	    .public_key = STR("p"),
	    .sealed = STR("s")};
	assert_int_equal(database_dkim_add(s->f->d.db, &row), 0);
}

/* In one question: may they send, and who signs. */
static void who_may_send_hears_who_signs(void **state)
{
	struct sending s;
	struct ipc_received m;
	begin(&s, state);
	add_key(&s, "r1", DKIM_RSA_SHA256, DKIM_ACTIVE);
	add_key(&s, "e1", DKIM_ED25519_SHA256, DKIM_ACTIVE);
	add_key(&s, "r0", DKIM_RSA_SHA256, DKIM_OLD);
	for (int i = 0; i < 3; i++) {
		struct str author = i == 0 ? STR("bert@example.test") : STR("anna@example.test");
		struct ipc_may_send question = {.request = 77,
		    .account = s.anna,
		    .authors = {&author, 1},
		    .domain = i == 1 ? STR("Example.Test") : STR("")};
		assert_int_equal(ipc_send(s.queue, IPC_MAY_SEND, &question), 0);
		await_type(s.f, s.queue, IPC_MAY_SEND_ANSWER, &m);
		const struct ipc_may_send_answer *answer = m.msg;
		assert_int_equal(answer->result, i == 0 ? MAY_NOT_SEND : MAY_SEND);
		assert_int_equal(answer->selectors.n, i == 1 ? 2 : 0);
		assert_int_equal(answer->algorithms.n, answer->selectors.n);
		for (size_t k = 0; k < answer->selectors.n; k++)
			assert_true(str_eq(answer->selectors.v[k],
			    answer->algorithms.v[k] == DKIM_RSA_SHA256 ? STR("r1") : STR("e1")));
		ipc_received_done(&m);
	}
	end(&s);
}

static void rights_are_granted_and_taken_back(void **state)
{
	struct sending s;
	char address[IPC_ADDRESS_MAX + 1];
	begin(&s, state);
	struct fixture *f = s.f;
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "anna@example.test", "bert@example.test", true), 0);
	static const char *const anna = "anna@example.test";
	assert_int_equal(ask_all(&s, s.bert, &anna, 1, "", address), MAY_SEND_ON_BEHALF);
	assert_string_equal(address, "bert@example.test");
	assert_int_equal(ask(&s, s.bert, "anna+x@example.test"), MAY_SEND_ON_BEHALF);
	assert_int_equal(ask(&s, s.bert, "info@example.test"), MAY_NOT_SEND);
	assert_int_equal(ask(&s, s.carl, "anna@example.test"), MAY_NOT_SEND);
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "anna@example.test", "bert@example.test", true), EEXIST);
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "anna@example.test", "bert@example.test", false), 0);
	assert_int_equal(ask(&s, s.bert, "anna@example.test"), MAY_SEND);
	assert_int_equal(
	    grant(f, CONTROL_SEND_REVOKE, "anna@example.test", "bert@example.test", false), 0);
	assert_int_equal(ask(&s, s.bert, "anna@example.test"), MAY_SEND_ON_BEHALF);
	assert_int_equal(
	    grant(f, CONTROL_SEND_REVOKE, "anna@example.test", "bert@example.test", true), 0);
	assert_int_equal(ask(&s, s.bert, "anna@example.test"), MAY_NOT_SEND);
	assert_int_equal(
	    grant(f, CONTROL_SEND_REVOKE, "anna@example.test", "bert@example.test", true), ENOENT);
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "both@example.test", "carl@example.test", false), 0);
	assert_int_equal(ask(&s, s.carl, "both@example.test"), MAY_SEND);
	assert_int_equal(ask(&s, s.anna, "both@example.test"), MAY_NOT_SEND);
	end(&s);
}

static void wrong_grants_are_refused(void **state)
{
	struct sending s;
	begin(&s, state);
	struct fixture *f = s.f;
	static const char *const nobodys[] = {
	    "nobody@example.test", "x@elsewhere.example", "anna+x@example.test", "", "x"};
	for (size_t i = 0; i < ARRAY_LEN(nobodys); i++)
		assert_int_equal(
		    grant(f, CONTROL_SEND_GRANT, nobodys[i], "bert@example.test", false), ENOENT);
	/* to accounts alone */
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "anna@example.test", "info@example.test", false), ENOENT);
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "anna@example.test", "x@elsewhere.example", false),
	    ENOENT);
	assert_int_equal(
	    control(f, CONTROL_SEND_GRANT, STR("anna@example.test"), NULL, 0, false), EINVAL);
	end(&s);
}

/* Whoever gets an address anew gets no rights of others with it, and no others get rights on it. */
static void a_grant_goes_with_what_it_was_on(void **state)
{
	struct sending s;
	unsigned rights = 1;
	begin(&s, state);
	struct fixture *f = s.f;
	struct name bert = {STR("bert"), STR("example.test")};
	struct str away = STR("away@example.test");
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "away@example.test", "carl@example.test", false), 0);
	assert_int_equal(control(f, CONTROL_ALIAS_REMOVE, away, NULL, 0, false), 0);
	struct str out = STR("other@elsewhere.example");
	assert_int_equal(alias(f, "away@example.test", &out, 1), 0);
	assert_int_equal(ask(&s, s.carl, "away@example.test"), MAY_NOT_SEND);
	assert_int_equal(
	    control(f, CONTROL_ALIAS_REMOVE, STR("both@example.test"), NULL, 0, false), 0);
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "bert@example.test", "carl@example.test", true), 0);
	assert_int_equal(
	    grant(f, CONTROL_SEND_GRANT, "carl@example.test", "bert@example.test", true), 0);
	assert_int_equal(database_account_retire(f->d.db, s.bert), 0);
	assert_int_equal(ask(&s, s.carl, "bert@example.test"), MAY_NOT_SEND);
	assert_int_equal(ask(&s, s.bert, "bert@example.test"), MAY_NOT_SEND);
	assert_int_equal(ask(&s, s.bert, "carl@example.test"), MAY_NOT_SEND);
	assert_int_equal(database_granted(f->d.db, &bert, s.carl, &rights), 0);
	assert_int_equal(rights, 0);
	end(&s);
}

static void an_account_has_so_many_grants(void **state)
{
	struct sending s;
	struct grant_row *rows;
	size_t n = 0;
	begin(&s, state);
	struct database *db = s.f->d.db;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct name target = {STR("anna"), STR("example.test")};
	struct name last = target;
	for (int i = 0; i <= DATABASE_GRANTS_MAX; i++) {
		char local[32];
		snprintf(local, sizeof(local), "alias%03d", i);
		last = (struct name){STR(""), STR("example.test")};
		assert_true(arena_dup(&a, str_of_cstr(local), &last.local));
		assert_int_equal(database_alias_add(db, &last, &target, 1), 0);
		assert_int_equal(database_grant(db, &last, s.bert, GRANT_SEND_AS),
		    i < DATABASE_GRANTS_MAX ? 0 : -E2BIG);
	}
	assert_int_equal(database_grants(db, s.bert, &a, &rows, &n), 0);
	assert_int_equal(n, DATABASE_GRANTS_MAX);
	assert_int_equal(
	    grant(s.f, CONTROL_SEND_GRANT, "info@example.test", "bert@example.test", false), E2BIG);
	/* one that is there can still be changed */
	assert_int_equal(database_grant(db, &rows[0].name, s.bert, GRANT_SEND_ON_BEHALF), 0);
	end(&s);
}

/* The weakest counts; Sender is who it is, not in whose name. */
static void several_authors(void **state)
{
	struct sending s;
	char address[IPC_ADDRESS_MAX + 1];
	begin(&s, state);
	assert_int_equal(
	    grant(s.f, CONTROL_SEND_GRANT, "carl@example.test", "anna@example.test", true), 0);
	static const char *const authors[] = {
	    "anna@example.test", "carl@example.test", "bert@example.test"};
	assert_int_equal(ask_all(&s, s.anna, authors, 1, "", address), MAY_SEND);
	assert_int_equal(ask_all(&s, s.anna, authors, 2, "", address), MAY_SEND_ON_BEHALF);
	assert_string_equal(address, "anna@example.test");
	assert_int_equal(ask_all(&s, s.anna, authors, 3, "", address), MAY_NOT_SEND);
	assert_string_equal(address, "bert@example.test");
	assert_int_equal(ask_all(&s, s.anna, authors, 1, "info@example.test", address), MAY_SEND);
	assert_int_equal(
	    ask_all(&s, s.anna, authors, 2, "anna@example.test", address), MAY_SEND_ON_BEHALF);
	assert_int_equal(
	    ask_all(&s, s.anna, authors, 1, "carl@example.test", address), MAY_NOT_SEND);
	assert_string_equal(address, "carl@example.test");
	end(&s);
}

static void where_mail_goes(void **state)
{
	static const struct {
		const char *address;
		enum rcpt_result result;
		size_t n_accounts, n_outside;
	} cases[] = {
	    {"anna@example.test", RCPT_OK, 1, 0},
	    {"\"anna\"@example.test", RCPT_OK, 1, 0},
	    {"both@example.test", RCPT_OK, 2, 0},
	    {"out@example.test", RCPT_OK, 1, 1},
	    {"out+tag@example.test", RCPT_OK, 1, 1},
	    {"away@example.test", RCPT_OK, 0, 1},
	    {"nobody@example.test", RCPT_UNKNOWN, 0, 0},
	    {"x@elsewhere.example", RCPT_NOT_LOCAL, 0, 0},
	    {"postmaster", RCPT_OK, 1, 0},
	};
	struct sending s;
	begin(&s, state);
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) { /* once more, from the cache */
		struct ipc_received m;
		size_t n = i % ARRAY_LEN(cases);
		struct ipc_route question = {
		    .request = i, .address = str_of_cstr(cases[n].address)};
		assert_int_equal(ipc_send(s.queue, IPC_ROUTE, &question), 0);
		await_type(s.f, s.queue, IPC_ROUTE_ANSWER, &m);
		const struct ipc_route_answer *answer = m.msg;
		assert_int_equal(answer->request, i);
		assert_int_equal(answer->result, cases[n].result);
		assert_int_equal(answer->accounts.n, cases[n].n_accounts);
		assert_int_equal(answer->outside.n, cases[n].n_outside);
		if (answer->outside.n > 0)
			assert_true(
			    str_eq(answer->outside.v[0], STR("Some.One@xn--bcher-kva.example")));
		ipc_received_done(&m);
	}
	end(&s);
}

static void route(struct sending *s, const char *address, const char *reverse_path,
    char ret_outside[static IPC_ADDRESS_MAX + 1], char ret_sender[static IPC_ADDRESS_MAX + 1],
    enum rcpt_result expected)
{
	struct ipc_received m;
	struct ipc_route question = {.request = 1,
	    .address = str_of_cstr(address),
	    .reverse_path = str_of_cstr(reverse_path)};
	assert_int_equal(ipc_send(s->queue, IPC_ROUTE, &question), 0);
	await_type(s->f, s->queue, IPC_ROUTE_ANSWER, &m);
	const struct ipc_route_answer *answer = m.msg;
	struct str outside = answer->outside.n > 0 ? answer->outside.v[0] : STR("");
	assert_int_equal(answer->result, expected);
	assert_int_equal(str_to_cstr(outside, ret_outside, IPC_ADDRESS_MAX + 1), 0);
	assert_int_equal(str_to_cstr(answer->reverse_path, ret_sender, IPC_ADDRESS_MAX + 1), 0);
	ipc_received_done(&m);
}

/* What leaves has a sender of ours, and what bounces finds its way back. */
static void a_sender_is_rewritten_and_found_again(void **state)
{
	struct sending s;
	char outside[IPC_ADDRESS_MAX + 1], sender[IPC_ADDRESS_MAX + 1], none[IPC_ADDRESS_MAX + 1];
	begin(&s, state);
	route(&s, "away@example.test", "From.Me@elsewhere.example", outside, sender, RCPT_OK);
	assert_string_equal(outside, "Some.One@xn--bcher-kva.example");
	assert_int_equal(strncmp(sender, "SRS0=", 5), 0);
	assert_non_null(strstr(sender, "=elsewhere.example=From.Me@example.test"));
	for (int i = 0; i < 2; i++) {
		route(&s, sender, "", outside, none, RCPT_OK);
		assert_string_equal(outside, "From.Me@elsewhere.example");
		assert_string_equal(none, "");
	}
	sender[6] = sender[6] == 'A' ? 'B' : 'A'; /* a hash that is not ours */
	route(&s, sender, "", outside, none, RCPT_UNKNOWN);
	/* our own senders, none, and mail that stays are left alone */
	route(&s, "away@example.test", "anna@example.test", outside, sender, RCPT_OK);
	assert_string_equal(sender, "");
	route(&s, "away@example.test", "", outside, sender, RCPT_OK);
	assert_string_equal(sender, "");
	route(&s, "anna@example.test", "x@elsewhere.example", outside, sender, RCPT_OK);
	assert_string_equal(sender, "");
	end(&s);
}

/* The addresses under which mail is forwarded are known to who got it: only bounces come that way.
 */
static void only_bounces_go_back(void **state)
{
	struct sending s;
	char outside[IPC_ADDRESS_MAX + 1], sender[IPC_ADDRESS_MAX + 1];
	begin(&s, state);
	route(&s, "away@example.test", "me@elsewhere.example", outside, sender, RCPT_OK);
	int channel CLEANUP(fd_close) = gate(s.f->smtp_gatekeeper, "192.0.2.1");
	for (uint8_t null_sender = 0; null_sender < 2; null_sender++) {
		struct ipc_received m;
		struct ipc_rcpt question = {
		    .null_sender = null_sender, .address = str_of_cstr(sender)};
		assert_int_equal(ipc_send(channel, IPC_RCPT, &question), 0);
		await_type(s.f, channel, IPC_RCPT_ANSWER, &m);
		const struct ipc_rcpt_answer *answer = m.msg;
		assert_int_equal(answer->result, null_sender ? RCPT_OK : RCPT_UNKNOWN);
		assert_int_equal(answer->forwards, null_sender);
		ipc_received_done(&m);
	}
	end(&s);
}

/* A domain that becomes ours: what led out leads in, whatever case it was written in. */
static void an_outside_target_comes_home(void **state)
{
	struct sending s;
	begin(&s, state);
	struct name home = {STR("some.one"), STR("xn--bcher-kva.example")};
	uint8_t slot[SLOT_LEN] = {1};
	uint64_t account = 0;
	assert_int_equal(database_domain_add(s.f->d.db, home.domain), 0);
	assert_int_equal(database_account_reserve(s.f->d.db, &home, 0, &account), 0);
	assert_int_equal(database_account_activate(s.f->d.db, account, slot, slot), 0);
	resolver_changed(s.f->d.resolver);
	struct resolved r = resolver_resolve(s.f->d.resolver, STR("away@example.test"));
	assert_int_equal(r.result, RCPT_OK);
	assert_int_equal(r.n_outside, 0);
	assert_int_equal(r.n_accounts, 1);
	assert_int_equal(r.accounts[0], account);
	assert_int_equal(ask(&s, account, "away@example.test"), MAY_SEND);
	end(&s);
}

static void gates_of_mx_hear_that_it_leaves(void **state)
{
	static const struct {
		struct str address;
		size_t n_accounts;
		uint8_t forwards;
	} cases[] = {{STR_INIT("anna@example.test"), 1, 0}, {STR_INIT("out@example.test"), 1, 1},
	    {STR_INIT("away@example.test"), 0, 1}};
	struct sending s;
	begin(&s, state);
	int channel CLEANUP(fd_close) = gate(s.f->smtp_gatekeeper, "192.0.2.1");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ipc_received m;
		struct ipc_rcpt question = {.address = cases[i].address};
		assert_int_equal(ipc_send(channel, IPC_RCPT, &question), 0);
		await_type(s.f, channel, IPC_RCPT_ANSWER, &m);
		const struct ipc_rcpt_answer *answer = m.msg;
		assert_int_equal(answer->result, RCPT_OK);
		assert_int_equal(answer->accounts.n, cases[i].n_accounts);
		assert_int_equal(answer->forwards, cases[i].forwards);
		ipc_received_done(&m);
	}
	end(&s);
}

static void an_alias_leads_to_so_many_outside(void **state)
{
	struct sending s;
	struct str targets[OUTGOING_OUTSIDE_MAX];
	struct str two[2] = {STR("many0@example.test"), STR("one.more@elsewhere.example")};
	begin(&s, state);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	for (int i = 0; i < OUTGOING_OUTSIDE_MAX; i++) {
		char text[64];
		snprintf(text, sizeof(text), "u%d@elsewhere.example", i);
		assert_true(arena_dup(&a, str_of_cstr(text), &targets[i]));
	}
	assert_int_equal(alias(s.f, "many0@example.test", targets, OUTGOING_OUTSIDE_MAX), 0);
	assert_int_equal(alias(s.f, "many1@example.test", two, 2), 0);
	struct resolved r = resolver_resolve(s.f->d.resolver, STR("many0@example.test"));
	assert_int_equal(r.result, RCPT_OK);
	assert_int_equal(r.n_outside, OUTGOING_OUTSIDE_MAX);
	r = resolver_resolve(s.f->d.resolver, STR("many1@example.test"));
	assert_int_equal(r.result, RCPT_TEMPORARY);
	assert_int_equal(r.error, -E2BIG);
	static const char *const wrong[] = {"x", "@elsewhere.example", "x@", "x@[192.0.2.1]",
	    "a\nb@elsewhere.example", "x@else where.example", "\"x@elsewhere.example"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct str target = str_of_cstr(wrong[i]);
		assert_int_equal(alias(s.f, "wrong@example.test", &target, 1), EINVAL);
	}
	end(&s);
}

/* --- signing in to submit --- */

static int ask_submission(int channel, struct str password, uint8_t protocol)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_auth question = {STR("anna@example.test"), password, protocol, ends[0]};
	assert_int_equal(ipc_send(channel, IPC_AUTH, &question), 0);
	close(ends[0]);
	return ends[1];
}

static void the_queue_is_told_who_submits(void **state)
{
	struct sending s;
	struct ipc_received m;
	begin(&s, state);
	int channel CLEANUP(fd_close) = gate(s.gatekeeper, "192.0.2.1");
	for (int i = 0; i < 2; i++) { /* the second from the cached key */
		int ours CLEANUP(fd_close) =
		    ask_submission(channel, STR(PASSWORD), SESSION_SUBMISSION);
		await_type(s.f, s.queue, IPC_SUBMITTER, &m);
		struct ipc_submitter *submitter = m.msg;
		assert_int_equal(submitter->account, s.anna);
		assert_int_equal(submitter->connection, 1);
		assert_true(str_eq(submitter->peer, STR("192.0.2.1")));
		assert_true(str_eq(submitter->user, STR("anna@example.test")));
		/* the queue has the other end of the gate's channel */
		struct ipc_submit_cancel word = {.message = 7};
		assert_int_equal(ipc_send(submitter->channel, IPC_SUBMIT_CANCEL, &word), 0);
		ipc_received_done(&m);
		expect_auth(s.f, channel, AUTH_OK);
		assert_int_equal(ipc_recv(ours, &m), 0);
		assert_int_equal(m.type, IPC_SUBMIT_CANCEL);
		ipc_received_done(&m);
	}
	end(&s);
}

static void a_wrong_password_submits_nothing(void **state)
{
	struct sending s;
	begin(&s, state);
	int channel CLEANUP(fd_close) = gate(s.gatekeeper, "192.0.2.1");
	for (int i = 0; i < FAILURES; i++) {
		char guess[] = "wrong horse 0";
		guess[sizeof(guess) - 2] = (char)('0' + i);
		close(ask_submission(channel, str_of_cstr(guess), SESSION_SUBMISSION));
		expect_auth(s.f, channel, AUTH_WRONG);
	}
	close(ask_submission(channel, STR("yet another"), SESSION_SUBMISSION));
	expect_auth(s.f, channel, AUTH_SLOW_DOWN);
	assert_int_equal(fd_set_nonblocking(s.queue, true), 0);
	struct ipc_received m;
	assert_int_equal(ipc_recv(s.queue, &m), -EAGAIN); /* it was told nothing */
	end(&s);
}

static void without_a_queue_it_is_temporary(void **state)
{
	struct sending s;
	begin(&s, state);
	int channel CLEANUP(fd_close) = gate(s.gatekeeper, "192.0.2.1");
	end(&s);
	close(ask_submission(channel, STR(PASSWORD), SESSION_SUBMISSION));
	expect_auth(s.f, channel, AUTH_TEMPORARY);
}

/* A gate has what its gatekeeper stands for: one of IMAP cannot submit, one of submission not read.
 */
static void protocols_are_kept_apart(void **state)
{
	struct sending s;
	struct ipc_received m;
	begin(&s, state);
	int imap CLEANUP(fd_close) = gate(s.f->imap_gatekeeper, "192.0.2.1");
	close(ask_submission(imap, STR(PASSWORD), SESSION_SUBMISSION));
	assert_int_equal(await(s.f, imap, &m), -ENODATA);
	for (uint8_t protocol = 0; protocol < N_SESSION_PROTOCOLS; protocol++) {
		int channel CLEANUP(fd_close) = gate(s.gatekeeper, "192.0.2.1");
		close(ask_submission(channel, STR(PASSWORD), protocol));
		assert_int_equal(await(s.f, channel, &m), -ENODATA);
	}
	int channel CLEANUP(fd_close) = gate(s.gatekeeper, "192.0.2.1");
	struct ipc_rcpt question = {.address = STR("anna@example.test")};
	assert_int_equal(ipc_send(channel, IPC_RCPT, &question), 0);
	assert_int_equal(await(s.f, channel, &m), -ENODATA);
	end(&s);
}

static void the_command_line_reaches_the_queue(void **state)
{
	struct sending s;
	struct ipc_received m;
	int ends[2];
	begin(&s, state);
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_queue_control request = {ends[0]};
	assert_int_equal(ipc_send(s.f->control, IPC_QUEUE_CONTROL, &request), 0);
	await_type(s.f, s.queue, IPC_QUEUE_CONTROL, &m);
	ipc_received_done(&m);
	await_type(s.f, s.f->control, IPC_CONTROL_DONE, &m);
	assert_int_equal(((struct ipc_control_done *)m.msg)->error, 0);
	ipc_received_done(&m);
	end(&s);
	assert_int_equal(ipc_send(s.f->control, IPC_QUEUE_CONTROL, &request), 0);
	await_type(s.f, s.f->control, IPC_CONTROL_DONE, &m);
	assert_int_equal(((struct ipc_control_done *)m.msg)->error, EAGAIN);
	ipc_received_done(&m);
	close(ends[0]);
	close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_ones_own),
	    TEST(a_foreign_account_sends_as_nothing),
	    TEST(who_may_send_hears_who_signs),
	    TEST(rights_are_granted_and_taken_back),
	    TEST(wrong_grants_are_refused),
	    TEST(a_grant_goes_with_what_it_was_on),
	    TEST(an_account_has_so_many_grants),
	    TEST(several_authors),
	    TEST(where_mail_goes),
	    TEST(a_sender_is_rewritten_and_found_again),
	    TEST(only_bounces_go_back),
	    TEST(an_outside_target_comes_home),
	    TEST(gates_of_mx_hear_that_it_leaves),
	    TEST(an_alias_leads_to_so_many_outside),
	    TEST(the_queue_is_told_who_submits),
	    TEST(a_wrong_password_submits_nothing),
	    TEST(without_a_queue_it_is_temporary),
	    TEST(protocols_are_kept_apart),
	    TEST(the_command_line_reaches_the_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
