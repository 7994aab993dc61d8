/* Mail that strangers have forwarded: its keys, its seal, and what its scribe may not. */
#include "queue/forward.h"
#include "queue/test_submit.h"

#include "ipc/scribing.h"
#include "mail/dkim_canon.h"

enum { KEYS = 20 };

struct stranger {
	int gatekeeper, channel;
};

static struct stranger add_stranger(struct world *w)
{
	struct stranger s;
	int ends[2];

	s.gatekeeper = world_join(w, ROLE_GATEKEEPER_SMTP);
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_gate m = {.connection = 4, .peer = STR("192.0.2.9"), .channel = ends[1]};
	say(w, s.gatekeeper, IPC_GATE, &m);
	close(ends[1]);
	assert_int_equal(fd_set_nonblocking(ends[0], true), 0);
	s.channel = ends[0];
	return s;
}

static void remove_stranger(struct world *w, struct stranger *s)
{
	close(s->channel);
	close(s->gatekeeper);
	world_go(w);
}

/* MAIL and RCPT of an address whose mail goes to `outside`, or to an account here. */
static void say_alias(struct world *w, const struct stranger *s, const char *outside)
{
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("eve@example.com")}};
	struct ipc_submit_rcpt rcpt = {.recipient = STR("List@Example.org")};

	say(w, s->channel, IPC_SUBMIT_MAIL, &mail);
	(void)expect_answer(s->channel, SUBMIT_OK);
	say(w, s->channel, IPC_SUBMIT_RCPT, &rcpt);
	answer_route(w, RCPT_OK, outside[0] == '\0' ? 9 : 0, outside);
	(void)expect_answer(s->channel, SUBMIT_OK);
}

/* DATA of a stranger: whose scribe is for this message alone. */
static int strangers_data(struct world *w, const struct stranger *s)
{
	struct ipc_prepare prepare;

	say_data_to(w, s->channel, WORLD_MESSAGE, -1, &prepare);
	int scribe = world_prepared(w, 1, &prepare);
	assert_int_equal(prepare.complete, 0);
	return scribe;
}

/* Up to what the scribe wants looked up: `n` keys. The scribe's end. */
static int want_keys(struct world *w, const struct stranger *s, size_t n)
{
	static char texts[OUTGOING_KEYS_MAX][64];
	struct str names[OUTGOING_KEYS_MAX];
	struct ipc_keys_wanted wanted = {.names = {names, n}};

	say_alias(w, s, "bob@example.net");
	int scribe = strangers_data(w, s);
	say_examined(w, scribe);
	for (size_t i = 0; i < n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "s%zu._domainkey.example.com", i);
		names[i] = str_of_cstr(texts[i]);
	}
	say(w, scribe, IPC_KEYS_WANTED, &wanted);
	return scribe;
}

static void say_dns(struct world *w, uint64_t request, uint8_t result)
{
	static const struct str records[] = {STR_INIT("\x01"
	                                              "a"),
	    STR_INIT("\x01"
	             "b"),
	    STR_INIT("\x01"
	             "c"),
	    STR_INIT("\x01"
	             "d"),
	    STR_INIT("\x01"
	             "e")};
	struct ipc_dns_answer answer = {.request = request,
	    .result = result,
	    .records = {records, result == DNS_FOUND ? ARRAY_LEN(records) : 0}};
	say(w, w->resolver, IPC_DNS_ANSWER, &answer);
}

static uint64_t expect_question(struct world *w, const char *name)
{
	struct ipc_received m;

	world_expect(w->resolver, IPC_DNS, &m);
	const struct ipc_dns *ask = m.msg;
	assert_int_equal(ask->type, 16);
	assert_true(str_eq(ask->name, str_of_cstr(name)));
	uint64_t request = ask->request;
	ipc_received_done(&m);
	return request;
}

/* The domain of the alias has a key of each kind. */
static void answer_both_signers(struct world *w)
{
	struct ipc_received m;
	const struct str names[] = {STR("e"), STR("r")};
	const uint64_t algorithms[] = {DKIM_ED25519_SHA256, DKIM_RSA_SHA256};

	world_expect(w->directory, IPC_SIGNERS, &m);
	const struct ipc_signers *ask = m.msg;
	assert_true(str_eq(ask->domain, STR("example.org")));
	struct ipc_signers_answer answer = {
	    .request = ask->request, .selectors = {names, 2}, .algorithms = {algorithms, 2}};
	ipc_received_done(&m);
	say(w, w->directory, IPC_SIGNERS_ANSWER, &answer);
}

static void expect_finish(int scribe, const char *domain, size_t n_selectors)
{
	struct ipc_received m;

	world_expect(scribe, IPC_FINISH, &m);
	const struct ipc_finish *finish = m.msg;
	assert_true(str_eq(finish->domain, str_of_cstr(domain)));
	assert_true(str_eq(finish->name, STR("mail.example.org")));
	assert_true(str_eq(finish->peer, STR("192.0.2.9")));
	assert_int_equal(finish->selectors.n, n_selectors);
	assert_int_equal(finish->algorithms.n, n_selectors);
	if (n_selectors > 0) {
		assert_true(str_eq(finish->selectors.v[0], STR("r")));
		assert_int_equal(finish->algorithms.v[0], DKIM_RSA_SHA256);
	}
	ipc_received_done(&m);
}

static void say_seal(struct world *w, int scribe, struct str text)
{
	struct ipc_seal seal = {.text = world_memfd(text)};

	say(w, scribe, IPC_SEAL, &seal);
	close(seal.text);
}

#define SEAL_TEXT STR("from:a\r\narc-message-signature:i=1; b=")

static void sealed(struct world *w, int scribe, struct str text)
{
	struct ipc_received m;
	uint8_t hash[DKIM_HASH_LEN];

	say_seal(w, scribe, text);
	world_expect(w->keyholder, IPC_DKIM_SIGN, &m);
	const struct ipc_dkim_sign *ask = m.msg;
	dkim_hash(text, hash);
	assert_true(str_eq(ask->hash, str_of(hash, sizeof(hash))));
	assert_true(str_eq(ask->domain, STR("example.org")));
	assert_true(str_eq(ask->selector, STR("r")));
	struct ipc_dkim_signed answer = {
	    .request = ask->request, .ok = 1, .signature = STR("signature")};
	ipc_received_done(&m);
	say(w, w->keyholder, IPC_DKIM_SIGNED, &answer);
	world_expect(scribe, IPC_SEALED, &m);
	assert_true(str_eq(((struct ipc_sealed *)m.msg)->signature, STR("signature")));
	ipc_received_done(&m);
}

static void say_end(struct world *w, int scribe)
{
	struct ipc_finished finished = {.message = world_memfd(WORLD_MESSAGE)};

	say(w, scribe, IPC_FINISHED, &finished);
	close(finished.message);
}

static void keys_are_looked_up_and_the_message_is_sealed(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	uint64_t requests[FORWARD_QUESTIONS_MAX];
	char name[64];

	w->resolver = world_join(w, ROLE_RESOLVER);
	struct stranger s = add_stranger(w);
	int scribe = want_keys(w, &s, KEYS);
	for (size_t i = 0; i < FORWARD_QUESTIONS_MAX; i++) {
		snprintf(name, sizeof(name), "s%zu._domainkey.example.com", i);
		requests[i] = expect_question(w, name);
	}
	world_expect_nothing(w->resolver);
	for (size_t i = 0; i < KEYS; i++) {
		say_dns(w, requests[i % FORWARD_QUESTIONS_MAX], i == 3 ? DNS_FAILED : DNS_FOUND);
		world_expect(scribe, IPC_KEY, &m);
		const struct ipc_key *key = m.msg;
		assert_int_equal(key->index, i);
		assert_int_equal(key->result, i == 3 ? DNS_FAILED : DNS_FOUND);
		assert_int_equal(key->records.n, i == 3 ? 0 : FORWARD_RECORDS_MAX);
		ipc_received_done(&m);
		if (i + FORWARD_QUESTIONS_MAX < KEYS) {
			snprintf(name, sizeof(name), "s%zu._domainkey.example.com",
			    i + FORWARD_QUESTIONS_MAX);
			requests[i % FORWARD_QUESTIONS_MAX] = expect_question(w, name);
		}
	}
	answer_both_signers(w);
	expect_finish(scribe, "example.org", 1);
	sealed(w, scribe, SEAL_TEXT);
	sealed(w, scribe, STR("arc-seal:i=1; b="));
	say_end(w, scribe);
	(void)expect_answer(s.channel, SUBMIT_OK);
	assert_int_equal(w->q->n_forward_scribes, 0);
	close(scribe);
	remove_stranger(w, &s);
}

static void what_stays_in_the_house_is_not_sealed(void **state)
{
	struct world *w = *state;
	struct ipc_keys_wanted none = {0};
	struct stranger s = add_stranger(w);

	say_alias(w, &s, "");
	int scribe = strangers_data(w, &s);
	say_examined(w, scribe);
	say(w, scribe, IPC_KEYS_WANTED, &none);
	expect_finish(scribe, "", 0);
	say_end(w, scribe);
	(void)expect_answer(s.channel, SUBMIT_OK);
	close(scribe);
	remove_stranger(w, &s);
}

static void a_domain_without_an_rsa_key_does_not_seal(void **state)
{
	struct world *w = *state;
	struct stranger s = add_stranger(w);
	int scribe = want_keys(w, &s, 0);

	answer_signers(w, "e");
	expect_finish(scribe, "", 0);
	say_end(w, scribe);
	(void)expect_answer(s.channel, SUBMIT_OK);
	close(scribe);
	remove_stranger(w, &s);
}

static void keys_that_do_not_come_are_given_up(void **state)
{
	struct world *w = *state;
	struct ipc_received m;

	w->resolver = world_join(w, ROLE_RESOLVER);
	struct stranger s = add_stranger(w);
	int scribe = want_keys(w, &s, 2);
	uint64_t first = expect_question(w, "s0._domainkey.example.com");
	uint64_t second = expect_question(w, "s1._domainkey.example.com");
	say_dns(w, first, DNS_NO_NAME);
	world_expect(scribe, IPC_KEY, &m);
	ipc_received_done(&m);
	world_wait(w, FORWARD_KEYS_MS - 1);
	submit_check(w->q);
	world_expect_nothing(scribe);
	world_wait(w, 1);
	submit_check(w->q);
	answer_both_signers(w);
	expect_finish(scribe, "example.org", 1);
	say_dns(w, second, DNS_FOUND); /* too late, and no harm */
	world_expect_nothing(scribe);
	sealed(w, scribe, SEAL_TEXT);
	say_end(w, scribe);
	(void)expect_answer(s.channel, SUBMIT_OK);
	close(scribe);
	remove_stranger(w, &s);
}

/* Partners that are not there are nobody's broken chain: the client tries again. */
static void a_missing_partner_costs_a_try(void **state)
{
	struct world *w = *state;
	struct stranger s = add_stranger(w);
	int scribe = want_keys(w, &s, 1); /* no resolver */

	(void)expect_answer(s.channel, SUBMIT_TEMPORARY);
	close(scribe);
	w->resolver = world_join(w, ROLE_RESOLVER);
	scribe = want_keys(w, &s, 1);
	(void)expect_question(w, "s0._domainkey.example.com");
	fd_close(&w->resolver);
	world_go(w);
	(void)expect_answer(s.channel, SUBMIT_TEMPORARY);
	close(scribe);
	scribe = want_keys(w, &s, 0);
	answer_both_signers(w);
	expect_finish(scribe, "example.org", 1);
	say_seal(w, scribe, SEAL_TEXT);
	fd_close(&w->keyholder);
	world_go(w);
	(void)expect_answer(s.channel, SUBMIT_TEMPORARY);
	close(scribe);
	assert_int_equal(w->q->n_forward_scribes, 0);
	remove_stranger(w, &s);
}

/* --- a scribe in a stranger's hands --- */

/* It was ended, the ledger has it, and the message comes again. */
static void expect_caught(struct world *w, const struct stranger *s, int scribe)
{
	struct ipc_received m;

	(void)expect_answer(s->channel, SUBMIT_TEMPORARY);
	world_expect(w->ledger, IPC_LEDGER_EVENT, &m);
	assert_int_equal(((struct ipc_ledger_event *)m.msg)->kind, LEDGER_ALARM_BAD_MESSAGE);
	ipc_received_done(&m);
	while (ipc_recv(scribe, &m) == 0)
		ipc_received_done(&m);
	assert_int_equal(ipc_recv(scribe, &m), -ENODATA);
	close(scribe);
	assert_int_equal(w->q->n_forward_scribes, 0);
}

static void only_keys_are_looked_up(void **state)
{
	static const char *const names[] = {"example.com", "secret.evil.example",
	    "S._domainkey.example.com", "s._domainkey.example.com.", "s._domainkey.ex ample.com",
	    ""};
	struct world *w = *state;

	w->resolver = world_join(w, ROLE_RESOLVER);
	struct stranger s = add_stranger(w);
	for (size_t i = 0; i <= ARRAY_LEN(names); i++) {
		bool is_twice = i == ARRAY_LEN(names);
		struct str v[2] = {STR("a._domainkey.example.com"),
		    is_twice ? STR("a._domainkey.example.com") : str_of_cstr(names[i])};
		struct ipc_keys_wanted wanted = {.names = {v, 2}};
		say_alias(w, &s, "bob@example.net");
		int scribe = strangers_data(w, &s);
		say_examined(w, scribe);
		say(w, scribe, IPC_KEYS_WANTED, &wanted);
		world_expect_nothing(w->resolver);
		expect_caught(w, &s, scribe);
	}
	remove_stranger(w, &s);
}

static void keys_are_named_once(void **state)
{
	struct world *w = *state;
	struct ipc_keys_wanted none = {0};

	w->resolver = world_join(w, ROLE_RESOLVER);
	struct stranger s = add_stranger(w);
	int scribe = want_keys(w, &s, 1);
	say(w, scribe, IPC_KEYS_WANTED, &none);
	expect_caught(w, &s, scribe);
	/* and not before the message was examined */
	say_alias(w, &s, "bob@example.net");
	scribe = strangers_data(w, &s);
	say(w, scribe, IPC_KEYS_WANTED, &none);
	expect_caught(w, &s, scribe);
	remove_stranger(w, &s);
}

static void nothing_but_seals_is_signed(void **state)
{
	static const char *const texts[] = {"from:ceo\r\ndkim-signature:v=1; b=", "x",
	    "arc-seal:i=1; b=\r\ndkim-signature:v=1; b=", "arc-seal:i=1; b=\r\n"};
	struct world *w = *state;
	struct stranger s = add_stranger(w);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int scribe = want_keys(w, &s, 0);
		answer_both_signers(w);
		expect_finish(scribe, "example.org", 1);
		say_seal(w, scribe, str_of_cstr(texts[i]));
		world_expect_nothing(w->keyholder);
		expect_caught(w, &s, scribe);
	}
	/* too large; too early; three */
	static char large[(4 << 20) + 1];
	memset(large, 'x', sizeof(large));
	memcpy(large + sizeof(large) - 18, "\r\narc-seal:i=1; b=", 18);
	int big = want_keys(w, &s, 0);
	answer_both_signers(w);
	expect_finish(big, "example.org", 1);
	say_seal(w, big, str_of(large, sizeof(large)));
	world_expect_nothing(w->keyholder);
	expect_caught(w, &s, big);
	int scribe = want_keys(w, &s, 0);
	say_seal(w, scribe, SEAL_TEXT);
	struct ipc_received m;
	world_expect(w->directory, IPC_SIGNERS, &m);
	ipc_received_done(&m);
	expect_caught(w, &s, scribe);
	scribe = want_keys(w, &s, 0);
	answer_both_signers(w);
	expect_finish(scribe, "example.org", 1);
	sealed(w, scribe, SEAL_TEXT);
	sealed(w, scribe, SEAL_TEXT);
	say_seal(w, scribe, SEAL_TEXT);
	world_expect_nothing(w->keyholder);
	expect_caught(w, &s, scribe);
	remove_stranger(w, &s);
}

static void no_signature_of_dkim_is_made(void **state)
{
	struct world *w = *state;
	struct stranger s = add_stranger(w);
	int scribe = want_keys(w, &s, 0);

	answer_both_signers(w);
	say_finished(w, scribe, WORLD_MESSAGE, true);
	world_expect_nothing(w->keyholder);
	expect_caught(w, &s, scribe);
	/* nor is the message taken while the keyholder has not answered */
	scribe = want_keys(w, &s, 0);
	answer_both_signers(w);
	expect_finish(scribe, "example.org", 1);
	say_seal(w, scribe, SEAL_TEXT);
	say_end(w, scribe);
	expect_caught(w, &s, scribe);
	remove_stranger(w, &s);
}

/* Strangers have half of the scribes; whoever comes then waits for one of these. */
static void strangers_leave_scribes_to_users(void **state)
{
	struct world *w = *state;
	struct stranger s[FORWARD_SCRIBES_MAX + 2];
	int scribes[FORWARD_SCRIBES_MAX];
	struct ipc_received m;

	for (size_t i = 0; i < FORWARD_SCRIBES_MAX; i++) {
		s[i] = add_stranger(w);
		say_alias(w, &s[i], "bob@example.net");
		scribes[i] = strangers_data(w, &s[i]);
	}
	for (size_t i = FORWARD_SCRIBES_MAX; i < ARRAY_LEN(s); i++) {
		s[i] = add_stranger(w);
		say_alias(w, &s[i], "bob@example.net");
		say_data_to(w, s[i].channel, WORLD_MESSAGE, -1, NULL);
	}
	world_expect_nothing(w->scribes);
	int user = world_submitter(w);
	say_mail(w, user, 0);
	say_rcpt(w, user, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	(void)say_message(w, user, WORLD_MESSAGE);
	/* one goes away, one's scribe dies: two can begin */
	remove_stranger(w, &s[0]);
	int next = world_scribe(w, 1);
	world_expect_nothing(w->scribes);
	close(scribes[1]);
	world_go(w);
	(void)expect_answer(s[1].channel, SUBMIT_TEMPORARY);
	int another = world_scribe(w, 1);
	for (size_t i = 1; i < ARRAY_LEN(s); i++)
		remove_stranger(w, &s[i]);
	while (ipc_recv(w->scribes, &m) == 0)
		ipc_received_done(&m);
	for (size_t i = 2; i < FORWARD_SCRIBES_MAX; i++)
		close(scribes[i]);
	close(scribes[0]);
	close(next);
	close(another);
	close(user);
	assert_int_equal(w->q->n_forward_scribes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(keys_are_looked_up_and_the_message_is_sealed),
	    TEST(what_stays_in_the_house_is_not_sealed),
	    TEST(a_domain_without_an_rsa_key_does_not_seal),
	    TEST(keys_that_do_not_come_are_given_up),
	    TEST(a_missing_partner_costs_a_try),
	    TEST(only_keys_are_looked_up),
	    TEST(keys_are_named_once),
	    TEST(nothing_but_seals_is_signed),
	    TEST(no_signature_of_dkim_is_made),
	    TEST(strangers_leave_scribes_to_users),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
