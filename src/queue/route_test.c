#include "queue/carry.h"
#include "queue/database_memory.h"
#include "queue/route.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"

enum { MINUTE_MS = 60000 };

#define RELAY_A                                                                                    \
	"[relay a]\ndomain = example.org\nhost = relay.example.com\nuser = u\npassword_file = p\n"
#define RELAY_B "[relay b]\ndomain = example.org\nhost = 10.1.2.3\nport = 465\ntls = 0\n"
#define SMARTHOST                                                                                  \
	"[outbound]\nsmarthost = smart.example.com\nsmarthost_user = s\nsmarthost_password_file "  \
	"= q\n"

static void configure(struct world *w, const char *sections)
{
	struct config_error error;
	char text[1024];
	snprintf(text, sizeof(text),
	    "[server]\nhostname = mail.example.org\ndelivery_workers = 1\n%s", sections);
	if (config_parse(str_of_cstr(text), "test", &w->config, &error))
		fail_msg("%s", error.text);
	w->config.outbound_delay_notice = 0;
}

/* With another configuration, as after a start anew. */
static void start_anew(struct world *w, const char *sections)
{
	world_stop(w);
	configure(w, sections);
	world_start(w);
	assert_true(carry_set_relay_password(w->q, 0, STR("of the smarthost")));
	assert_true(carry_set_relay_password(w->q, 1, STR("of a")));
}

static void expect_relay(
    const struct carried *c, const char *host, const char *user, const char *password)
{
	const struct ipc_carry *carry = c->carry.msg;
	assert_int_equal(carry->relay, 1);
	assert_int_equal(carry->domain.len, 0);
	assert_int_equal(carry->sts_mode, STS_NONE);
	assert_true(str_eq(carry->host, str_of_cstr(host)));
	assert_true(str_eq(carry->relay_user, str_of_cstr(user)));
	assert_true(str_eq(carry->relay_password, str_of_cstr(password)));
}

static void accept_all(struct world *w, struct carried *c)
{
	for (size_t i = 0; i < c->n; i++)
		say_carried_rcpt(c->channel, (uint16_t)i, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c->channel, false);
	close(c->channel);
	carried_done(c);
	world_go(w);
}

/* All recipients behind a relay are one destination: they go in one transaction, with the one
 * password that they need. */
static void the_senders_domain_chooses_the_relay(void **state)
{
	struct world *w = *state;
	struct carried c;
	start_anew(w, RELAY_A SMARTHOST);
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_rcpt(w, submitter, "eve@example.com", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	expect_carry(expect_courier(w), &c);
	expect_relay(&c, "relay.example.com", "u", "of a");
	assert_int_equal(c.n, 2);
	const struct ipc_carry *carry = c.carry.msg;
	assert_int_equal(carry->port, 587);
	assert_int_equal(carry->tls_must, 1);
	assert_int_equal(carry->implicit_tls, 0);
	accept_all(w, &c);
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

static void who_has_no_relay_takes_the_general_one(void **state)
{
	struct world *w = *state;
	struct carried c;
	start_anew(w, "[relay a]\ndomain = example.com\nhost = relay.example.com\n" SMARTHOST);
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	expect_relay(&c, "smart.example.com", "s", "of the smarthost");
	accept_all(w, &c);
	/* Or none. */
	start_anew(w, "[relay a]\ndomain = example.com\nhost = relay.example.com\n");
	close(submitter);
	submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	const struct ipc_carry *carry = c.carry.msg;
	assert_int_equal(carry->relay, 0);
	assert_true(str_eq(carry->domain, STR("example.net")));
	assert_int_equal(carry->relay_password.len, 0);
	accept_all(w, &c);
	close(submitter);
}

/* What a user's program sends in their name, under no address (a read receipt), is their mail. */
static void what_has_no_sender_goes_the_way_of_who_submits_it(void **state)
{
	static const struct ipc_submit_mail mail = {.hold_until = 0};
	struct world *w = *state;
	struct carried c;
	start_anew(w, RELAY_A);
	int submitter = world_submitter(w);
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	(void)expect_answer(submitter, SUBMIT_OK);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	expect_carry(expect_courier(w), &c);
	expect_relay(&c, "relay.example.com", "u", "of a");
	accept_all(w, &c);
	close(submitter);
}

/* A message that was taken in under one configuration goes as the next one says. */
static void a_new_configuration_holds_for_what_waits(void **state)
{
	static const char *const sections[] = {"", RELAY_A, SMARTHOST, RELAY_B, ""};
	static const char *const hosts[] = {
	    "", "relay.example.com", "smart.example.com", "10.1.2.3", ""};
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	close(submitter);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		start_anew(w, sections[i]);
		world_wait(w, 60 * MINUTE_MS);
		world_wait(w, 2000);
		expect_carry(expect_courier(w), &c);
		const struct ipc_carry *carry = c.carry.msg;
		assert_true(str_eq(carry->host, str_of_cstr(hosts[i])));
		assert_int_equal(carry->relay, hosts[i][0] != '\0');
		assert_int_equal(carry->implicit_tls, carry->port == 465);
		assert_int_equal(c.n, 1);
		assert_int_equal(world_count(w), 1);
		say_carried_rcpt(c.channel, 0, CARRY_LATER, 450, "4.7.1", "not now");
		say_carried(w, c.channel, false);
		close(c.channel);
		carried_done(&c);
	}
}

/* Those who do not go through it are not held up, and its own wait for one reason. */
static void a_dead_relay_holds_up_its_own_mail_only(void **state)
{
	struct world *w = *state;
	struct carried c;
	start_anew(w, RELAY_A);
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	say_carried_rcpt(
	    c.channel, 0, CARRY_LATER, 0, "4.4.1", "relay.example.com refused the connection");
	say_carried(w, c.channel, true);
	close(c.channel);
	carried_done(&c);
	submit_one(w, submitter, "eve@example.com", 0);
	world_expect_nothing(w->dispatcher);
	/* To the same domain, from another one. */
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@other.example")}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	answer_may_send(w, MAY_SEND, "");
	(void)expect_answer(submitter, SUBMIT_OK);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	expect_carry(expect_courier(w), &c);
	assert_int_equal(((struct ipc_carry *)c.carry.msg)->relay, 0);
	accept_all(w, &c);
	assert_int_equal(world_count(w), 2);
	close(submitter);
}

/* What comes back to somebody elsewhere goes the way of the alias's domain, and so does what an
 * alias passes on that has no sender itself. */
static void what_has_no_sender_goes_the_way_of_its_alias(void **state)
{
	static const struct {
		const char *sender, *via, *user, *label;
		uint8_t origin;
	} cases[] = {
	    {"", "list@EXAMPLE.org", "", "relay a", ORIGIN_FORWARDED},
	    {"SRS0=x=y@example.org", "", "", "relay a", ORIGIN_FORWARDED},
	    {"", "", "postmaster@example.org", "relay a", ORIGIN_NOTICE},
	    {"", "", "ann@example.org", CONFIG_SMARTHOST, ORIGIN_FORWARDED},
	    {"", "", "", CONFIG_SMARTHOST, ORIGIN_NOTICE},
	    {"", "list@sub.example.org", "postmaster@example.org", CONFIG_SMARTHOST, ORIGIN_NOTICE},
	    {"ann@[192.0.2.1]", "", "", CONFIG_SMARTHOST, ORIGIN_SUBMITTED},
	};
	struct world *w = *state;
	configure(w, RELAY_A SMARTHOST);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct queued_message m = {
		    .origin = cases[i].origin, .user = str_of_cstr(cases[i].user)};
		const struct queued_recipient r = {
		    .sender = str_of_cstr(cases[i].sender), .via = str_of_cstr(cases[i].via)};
		assert_string_equal(route_relay(&w->config, &m, &r)->label, cases[i].label);
	}
}

static void a_notice_goes_the_way_of_its_domain(void **state)
{
	struct world *w = *state;
	struct carried c;
	start_anew(w, RELAY_A);
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_NEVER, 550, "5.1.1", "no such user");
	/* The sender moved meanwhile. */
	answer_elsewhere(w);
	expect_carry(expect_courier(w), &c);
	expect_relay(&c, "relay.example.com", "u", "of a");
	assert_int_equal(((struct ipc_carry *)c.carry.msg)->mail.reverse_path.len, 0);
	assert_non_null(strstr(c.text, "\r\nFrom: Mail delivery <postmaster@example.org>\r\n"));
	assert_non_null(strstr(c.text, "\r\nReporting-MTA: dns;mail.example.org\r\n"));
	accept_all(w, &c);
	close(submitter);
}

/* What is declared binary and is not goes to any server; what is stays so. */
static void a_body_is_what_it_needs(void **state)
{
	static const uint8_t needs[] = {0, 1, 2};
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
		struct ipc_submit_mail mail = {
		    .mail = {.reverse_path = STR("ann@example.org"), .body = 2}};
		struct str author = STR("ann@example.org");
		struct ipc_examined examined = {.authors = {&author, 1}, .body = needs[i]};
		struct carried c;
		int submitter = world_submitter(w);
		say(w, submitter, IPC_SUBMIT_MAIL, &mail);
		answer_may_send(w, MAY_SEND, "");
		(void)expect_answer(submitter, SUBMIT_OK);
		say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
		int scribe = say_data(w, submitter, WORLD_MESSAGE);
		say(w, scribe, IPC_EXAMINED, &examined);
		answer_may_send(w, MAY_SEND, "");
		answer_signers(w, "");
		say_finished(w, scribe, WORLD_MESSAGE, false);
		(void)expect_answer(submitter, SUBMIT_OK);
		close(scribe);
		expect_carry(expect_courier(w), &c);
		assert_int_equal(((struct ipc_carry *)c.carry.msg)->mail.body, needs[i]);
		accept_all(w, &c);
		close(submitter);
	}
}

/* A relay is nobody's MX: what is said of one never stands in a report to a domain. */
static void a_relays_courier_reports_no_tls(void **state)
{
	struct world *w = *state;
	struct carried c;
	start_anew(w, RELAY_A);
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	struct ipc_tls_result result = {.mx = STR("mx.example.net")};
	say(w, c.channel, IPC_TLS_RESULT, &result);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(4096);
	uint64_t day = 0;
	struct str domain;
	assert_int_equal(
	    queue_db_tls_next(w->q->db, UINT32_MAX, 0, STR(""), &a, &day, &domain), -ENOENT);
	close(c.channel);
	carried_done(&c);
	close(submitter);
}

static size_t count_of(struct world *w, const char *domain)
{
	uint64_t ids[16];
	size_t n = 0;
	uint64_t after = 0;
	bool is_last = false;
	struct queue_db_filter filter = {.domain = str_of_cstr(domain)};
	assert_int_equal(
	    queue_db_list(w->q->db, &filter, &after, ids, ARRAY_LEN(ids), &n, &is_last), 0);
	assert_true(is_last);
	return n;
}

static void what_waits_is_found_by_domain_and_by_relay(void **state)
{
	struct world *w = *state;
	start_anew(w, RELAY_A);
	fd_close(&w->dispatcher);
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@Example.net", 0);
	submit_one(w, submitter, "eve@example.com", 0);
	submit_one(w, submitter, "x@sub.example.com", 0);
	assert_int_equal(count_of(w, "example.net"), 1);
	assert_int_equal(count_of(w, "example.com"), 1);
	assert_int_equal(count_of(w, "relay a"), 3);
	assert_int_equal(count_of(w, "relay b"), 0);
	close(submitter);
}

static void the_way_is_described(void **state)
{
	static const struct {
		const char *destination, *words;
	} cases[] = {
	    {"example.net", "direct"},
	    {QUEUE_LOCAL, "this server"},
	    {"relay a", "relay.example.com (relay a)"},
	    {"relay z", "relay z, which is not configured any more"},
	    {CONFIG_SMARTHOST, CONFIG_SMARTHOST ", which is not configured any more"},
	};
	struct world *w = *state;
	configure(w, RELAY_A);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(256);
		route_describe(&w->config, str_of_cstr(cases[i].destination), &text);
		assert_true(str_eq(buf_str(&text), str_of_cstr(cases[i].words)));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(the_senders_domain_chooses_the_relay),
	    TEST(who_has_no_relay_takes_the_general_one),
	    TEST(what_has_no_sender_goes_the_way_of_who_submits_it),
	    TEST(a_new_configuration_holds_for_what_waits),
	    TEST(a_dead_relay_holds_up_its_own_mail_only),
	    TEST(what_has_no_sender_goes_the_way_of_its_alias),
	    TEST(a_notice_goes_the_way_of_its_domain), TEST(a_relays_courier_reports_no_tls),
	    TEST(a_body_is_what_it_needs), TEST(what_waits_is_found_by_domain_and_by_relay),
	    TEST(the_way_is_described)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
