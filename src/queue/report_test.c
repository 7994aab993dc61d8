#include "queue/database_memory.h"
#include "queue/report.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"

static void say_records(struct world *w, const char *name, uint16_t type, struct str rdata)
{
	struct ipc_received m;
	world_expect(w->resolver, IPC_DNS, &m);
	const struct ipc_dns *ask = m.msg;
	assert_true(str_eq(ask->name, str_of_cstr(name)));
	assert_int_equal(ask->type, type);
	struct ipc_dns_answer answer = {.request = ask->request,
	    .result = rdata.len > 0 ? DNS_FOUND : DNS_NO_DATA,
	    .records = {&rdata, rdata.len > 0}};
	ipc_received_done(&m);
	say(w, w->resolver, IPC_DNS_ANSWER, &answer);
}

/* One message whose courier saw a wrong certificate, and one that went well. */
static void carry_with_results(struct world *w)
{
	struct carried c;
	int submitter = world_submitter(w);
	w->q->report_after_ms = 0;
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	struct ipc_tls_result failed = {.policy = TLS_POLICY_STS,
	    .result = TLS_CERTIFICATE_EXPIRED,
	    .mx = STR("mx.example.net"),
	    .receiving = STR("192.0.2.7"),
	    .sending = STR("192.0.2.1"),
	    .detail = STR("expired")};
	struct ipc_tls_result well = {
	    .policy = TLS_POLICY_STS, .result = TLS_SUCCESS, .mx = STR("mx.example.net")};
	for (int i = 0; i < 2; i++)
		assert_int_equal(ipc_send(c.channel, IPC_TLS_RESULT, &failed), 0);
	assert_int_equal(ipc_send(c.channel, IPC_TLS_RESULT, &well), 0);
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	carried_done(&c);
	close(c.channel);
	close(submitter);
	world_go(w);
	w->resolver = world_join(w, ROLE_RESOLVER);
	w->fetcher = world_join(w, ROLE_FETCHER);
	report_check(w->q, w->now);
	world_expect_nothing(w->resolver); /* the day is not over */
	w->now += QUEUE_DAY_MS;
	clock_simulate(w->now);
	report_check(w->q, w->now);
}

#define BY_MAIL  STR("\x2av=TLSRPTv1; rua=mailto:tls@reports.example")
#define BY_HTTPS STR("\x29v=TLSRPTv1; rua=https://reports.example/t")

static void a_report_goes_by_mail(void **state)
{
	struct world *w = *state;
	struct carried c;
	carry_with_results(w);
	assert_int_equal(BY_MAIL.p[0], BY_MAIL.len - 1);
	say_records(w, "_smtp._tls.example.net", 16, BY_MAIL);
	answer_signers(w, ""); /* mail.example.org has no keys */
	answer_signers(w, "s1");
	assert_int_equal(world_count(w), 1);
	answer_elsewhere(w);
	/* Its own policy is asked for, as of any destination. */
	say_records(w, "_mta-sts.reports.example", 16, STR(""));
	expect_carry(expect_courier(w), &c);
	assert_string_equal(c.recipients[0], "tls@reports.example");
	assert_int_equal(((struct ipc_carry *)c.carry.msg)->tls_optional, 1);
	assert_non_null(strstr(c.text, "\r\nTLS-Report-Domain: example.net\r\n"));
	assert_non_null(strstr(c.text, "\r\nTLS-Report-Submitter: example.org\r\n"));
	assert_non_null(strstr(c.text, "\r\nFrom: <postmaster@example.org>\r\n"));
	carried_done(&c);
	close(c.channel);
	/* It was sent once. */
	report_check(w->q, w->now);
	world_expect_nothing(w->resolver);
}

static void a_report_goes_by_https(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	carry_with_results(w);
	assert_int_equal(BY_HTTPS.p[0], BY_HTTPS.len - 1);
	say_records(w, "_smtp._tls.example.net", 16, BY_HTTPS);
	answer_elsewhere(w);
	say_records(w, "reports.example", 1, STR("\xc0\x00\x02\x07"));
	say_records(w, "reports.example", 28, STR(""));
	world_expect(w->fetcher, IPC_POST_REPORT, &m);
	const struct ipc_post_report *post = m.msg;
	assert_true(str_eq(post->url, STR("https://reports.example/t")));
	assert_int_equal(post->addresses.n, 1);
	struct ipc_posted posted = {.request = post->request, .ok = 1};
	ipc_received_done(&m);
	say(w, w->fetcher, IPC_POSTED, &posted);
	report_check(w->q, w->now);
	world_expect_nothing(w->resolver);
	assert_int_equal(world_count(w), 0);
}

static void nobody_wants_it(void **state)
{
	struct world *w = *state;
	carry_with_results(w);
	say_records(w, "_smtp._tls.example.net", 16, STR(""));
	assert_int_equal(world_count(w), 0);
	report_check(w->q, w->now);
	world_expect_nothing(w->resolver);
}

static void say_dns_fails(struct world *w, const char *name)
{
	struct ipc_received m;
	world_expect(w->resolver, IPC_DNS, &m);
	const struct ipc_dns *ask = m.msg;
	assert_true(str_eq(ask->name, str_of_cstr(name)));
	struct ipc_dns_answer answer = {.request = ask->request, .result = DNS_FAILED};
	ipc_received_done(&m);
	say(w, w->resolver, IPC_DNS_ANSWER, &answer);
}

/* A domain whose name servers do not answer is asked about again when the others had their turn. */
static void who_cannot_be_asked_holds_nobody_up(void **state)
{
	static const struct ipc_tls_result well = {.result = TLS_SUCCESS};
	struct world *w = *state;
	assert_int_equal(queue_db_begin(w->q->db, false), 0);
	assert_int_equal(queue_db_tls_add(w->q->db, w->now, STR("a.example"), &well), 0);
	assert_int_equal(queue_db_commit(w->q->db), 0);
	carry_with_results(w);
	say_dns_fails(w, "_smtp._tls.a.example");
	report_check(w->q, w->now);
	say_records(w, "_smtp._tls.example.net", 16, STR(""));
	report_check(w->q, w->now);
	world_expect_nothing(w->resolver);
	report_check(w->q, w->now);
	say_records(w, "_smtp._tls.a.example", 16, STR(""));
	report_check(w->q, w->now);
	world_expect_nothing(w->resolver);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_report_goes_by_mail),
	    TEST(a_report_goes_by_https), TEST(nobody_wants_it),
	    TEST(who_cannot_be_asked_holds_nobody_up)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
