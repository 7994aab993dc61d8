/*
 * Couriers against a server that follows a script: each file in src/courier/transcripts is one
 * case. Lines above the server's part:
 *
 *   set KEY VALUE        what the queue sends, what DNS says, how long waits are (see `settings`)
 *   want N OUTCOME CODE STATUS WORDS      what is told of recipient N
 *   tls POLICY RESULT    what is told for TLS-RPT, in this order
 *   end KEY VALUE        what IPC_CARRIED says: reusable, unreachable, tls
 *   server               what follows is the server's (courier/test_script.h)
 *
 * Run in the repository's folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "config/config.h"
#include "courier/courier.h"
#include "courier/test_dns.h"
#include "courier/test_script.h"
#include "tls/client.h"

enum {
	RECIPIENTS = COURIER_ROUNDS_MAX + 1,
	WAIT_MS = 60000,
	SCRIPT_MAX = 65536,
	TLS_RESULTS_MAX = 8
};

static struct test_certificate authority, good, alone, expired;
static struct tls_client *client;

static int make_certificates(void **state UNUSED)
{
	struct buf roots CLEANUP(buf_done) = BUF_MAX(65536);

	signal(SIGPIPE, SIG_IGN);
	authority = test_certificate_make(NULL, NULL, 100);
	good = test_certificate_make(&authority, "mx1.example.net", 100);
	expired = test_certificate_make(&authority, "mx1.example.net", -1);
	alone = test_certificate_make(NULL, "mx1.example.net", 100);
	test_certificate_pem(&authority, &roots);
	return tls_client_new(buf_str(&roots), NULL, &client);
}

static int forget_certificates(void **state UNUSED)
{
	tls_client_free(client);
	test_certificate_done(&authority);
	test_certificate_done(&good);
	test_certificate_done(&alone);
	test_certificate_done(&expired);
	return 0;
}

/* --- a case --- */

struct wanted {
	struct str outcome, code, status, words;
	bool is_set;
};

struct test_case {
	char *text;
	struct str script;
	struct ipc_carry carry;
	struct str recipients[RECIPIENTS], message;
	struct str sts_mx, sts_mx_then; /* then: after the first message */
	struct str tlsa;                /* good, wrong, unusable, failed */
	uint64_t n_recipients, n_messages, wait, notify, hosts;
	uint64_t own_name, refuse_private, insecure, no_listener, many;
	uint64_t flips;          /* tls_optional, after the first message */
	uint64_t reusable_times; /* CARRIED so often, then not; 0: as end_reusable says */
	struct str original;
	struct wanted wanted[RECIPIENTS];
	struct str tls_wanted[TLS_RESULTS_MAX];
	size_t n_tls_wanted, n_tls;
	struct str end_reusable, end_unreachable, end_tls;
	uint16_t port;
};

static uint64_t number(struct str text)
{
	uint64_t n;

	if (!num_parse(text, UINT64_MAX, &n))
		fail_msg("no number: %.*s", STR_FMT(text));
	return n;
}

static void set_text(struct test_case *t, struct str key, struct str value)
{
	const struct {
		struct str key;
		struct str *to;
	} texts[] = {{STR("from"), &t->carry.mail.reverse_path},
	    {STR("envid"), &t->carry.mail.envelope_id}, {STR("message"), &t->message},
	    {STR("sts_mx"), &t->sts_mx}, {STR("sts_mx_then"), &t->sts_mx_then},
	    {STR("tlsa"), &t->tlsa}, {STR("original"), &t->original},
	    {STR("domain"), &t->carry.domain}, {STR("host"), &t->carry.host},
	    {STR("user"), &t->carry.relay_user}, {STR("password"), &t->carry.relay_password},
	    {STR("rcpt0"), &t->recipients[0]}, {STR("rcpt1"), &t->recipients[1]},
	    {STR("source"), &t->carry.source}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (str_eq(key, texts[i].key)) {
			*texts[i].to = value;
			return;
		}
	fail_msg("no setting %.*s", STR_FMT(key));
}

static void set(struct test_case *t, struct str key, struct str value)
{
	const struct {
		struct str key;
		uint8_t *to;
	} bytes[] = {{STR("body"), &t->carry.mail.body}, {STR("ret"), &t->carry.mail.ret},
	    {STR("smtputf8"), &t->carry.mail.smtputf8},
	    {STR("require_tls"), &t->carry.mail.require_tls},
	    {STR("by_mode"), &t->carry.mail.by_mode}, {STR("eight_bit"), &t->carry.eight_bit},
	    {STR("sts"), &t->carry.sts_mode}, {STR("tls_optional"), &t->carry.tls_optional},
	    {STR("tls_must"), &t->carry.tls_must}, {STR("relay"), &t->carry.relay},
	    {STR("implicit"), &t->carry.implicit_tls}};
	const struct {
		struct str key;
		uint64_t *to;
	} numbers[] = {{STR("recipients"), &t->n_recipients}, {STR("messages"), &t->n_messages},
	    {STR("wait"), &t->wait}, {STR("notify"), &t->notify}, {STR("hosts"), &t->hosts},
	    {STR("own_name"), &t->own_name}, {STR("refuse_private"), &t->refuse_private},
	    {STR("insecure"), &t->insecure}, {STR("no_listener"), &t->no_listener},
	    {STR("many"), &t->many}, {STR("flips"), &t->flips},
	    {STR("reusable_times"), &t->reusable_times},
	    {STR("deliver_by"), &t->carry.mail.deliver_by}};

	for (size_t i = 0; i < ARRAY_LEN(bytes); i++)
		if (str_eq(key, bytes[i].key)) {
			*bytes[i].to = (uint8_t)number(value);
			return;
		}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (str_eq(key, numbers[i].key)) {
			*numbers[i].to = number(value);
			return;
		}
	set_text(t, key, value);
}

static void take_want(struct test_case *t, struct str rest)
{
	uint64_t n = number(str_cut(&rest, ' '));

	assert_true(n < RECIPIENTS);
	struct wanted *w = &t->wanted[n];
	w->is_set = true;
	w->outcome = str_cut(&rest, ' ');
	w->code = str_cut(&rest, ' ');
	w->status = str_cut(&rest, ' ');
	w->words = rest;
}

static void take_end(struct test_case *t, struct str rest)
{
	struct str key = str_cut(&rest, ' ');

	if (str_eq(key, STR("reusable")))
		t->end_reusable = rest;
	else if (str_eq(key, STR("unreachable")))
		t->end_unreachable = rest;
	else
		t->end_tls = rest;
}

static void read_case(struct test_case *t, const char *path)
{
	size_t len;

	*t = (struct test_case){.n_recipients = 1,
	    .n_messages = 1,
	    .wait = 4000,
	    .hosts = 1,
	    .message = STR("Subject: a test\r\n\r\nSome words.\r\n"),
	    .carry = {
	        .mail = {.reverse_path = STR("sender@example.org")}, .domain = STR("example.net")}};
	static const char *const names = "a@example.netb@example.netc@example.netd@example.net";
	for (size_t i = 0; i < RECIPIENTS; i++)
		t->recipients[i] = str_of(names + i % 4 * 13, 13);
	assert_int_equal(fd_read_file(AT_FDCWD, path, SCRIPT_MAX, &t->text, &len), 0);
	struct str rest = str_of(t->text, len);
	while (rest.len > 0) {
		struct str line = str_cut_line(&rest);
		if (str_skip(&line, STR("set "))) {
			struct str key = str_cut(&line, ' ');
			set(t, key, line);
		} else if (str_skip(&line, STR("want ")))
			take_want(t, line);
		else if (str_skip(&line, STR("tls ")))
			t->tls_wanted[t->n_tls_wanted++] = line;
		else if (str_skip(&line, STR("end ")))
			take_end(t, line);
		else if (str_eq(line, STR("server")))
			break;
	}
	t->script = rest;
}

/* --- the world around the courier --- */

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static pid_t start_server(struct test_case *t, int listener)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		static struct test_server s;
		s = (struct test_server){.listener = listener,
		    .fd = -1,
		    .script = t->script,
		    .good = &good,
		    .alone = &alone,
		    .expired = &expired};
		alarm(WAIT_MS / 1000);
		test_server_run(&s);
	}
	return pid;
}

/* mx1 and mx2 of example.net, and what vouches for mx1. */
static pid_t start_dns(const struct test_case *t, int *ret_channel)
{
	static char tlsa_name[64], record[128];
	unsigned char hash[32] = {1};
	struct buf hex CLEANUP(buf_done) = BUF_MAX(65);
	enum dns_security security = t->insecure ? DNS_INSECURE : DNS_SECURE;
	bool has_tlsa = t->tlsa.len > 0;
	struct test_answer answers[] = {
	    {tlsa_name, DNS_TLSA, has_tlsa ? DNS_FOUND : DNS_NO_NAME, security,
	        .records = {has_tlsa ? record : NULL}},
	    {"example.net", DNS_MX, DNS_FOUND, security,
	        .records = {"10 mx1.example.net", t->hosts > 1 ? "20 mx2.example.net" : NULL,
	            t->hosts > 2 ? "30 mx3.example.net" : NULL}},
	    {"mx1.example.net", DNS_A, DNS_FOUND, security,
	        .records = {"127.0.0.1", t->many ? "127.0.0.3" : NULL, "127.0.0.4", "127.0.0.5",
	            "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.10"}},
	    {"mx1.example.net", DNS_AAAA, DNS_NO_DATA, security, .records = {NULL}},
	    {"mx2.example.net", DNS_A, DNS_FOUND, security,
	        .records = {"127.0.0.2", t->many ? "127.0.0.11" : NULL, "127.0.0.12", "127.0.0.13",
	            "127.0.0.14", "127.0.0.15", "127.0.0.16", "127.0.0.17"}},
	    {"mx3.example.net", DNS_A, DNS_FOUND, security, .records = {"127.0.0.18"}},
	    {"mx2.example.net", DNS_AAAA, DNS_NO_DATA, security, .records = {NULL}},
	};

	snprintf(tlsa_name, sizeof(tlsa_name), "_%u._tcp.mx1.example.net", t->port);
	if (!str_eq(t->tlsa, STR("wrong")))
		test_certificate_key_hash(&alone, hash);
	hex_encode(str_of(hash, sizeof(hash)), &hex);
	snprintf(record, sizeof(record), "%s 1 1 %.*s",
	    str_eq(t->tlsa, STR("unusable")) ? "1" : "3", STR_FMT(buf_str(&hex)));
	if (str_eq(t->tlsa, STR("failed")))
		answers[0].result = DNS_FAILED;
	return test_dns_start(answers, ARRAY_LEN(answers), ret_channel);
}

static pid_t start_courier(const struct test_case *t, int resolver, int *ret_channel)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		static struct config config = {.outbound_allow_private = 1,
		    .hostname = "out.example.org",
		    .outbound_source_ipv4 = "none",
		    .outbound_source_ipv6 = "none"};
		const struct courier_times times = {
		    t->wait, t->wait, t->wait, t->wait, t->wait, t->wait, t->wait, 200};
		const struct courier_start start = {.config = &config,
		    .tls = client,
		    .times = &times,
		    .queue = ends[1],
		    .resolver = resolver,
		    .drain = -1};
		close(ends[0]);
		config.outbound_allow_private = !t->refuse_private;
		config.smtp = t->own_name ? t->port : 0;
		_exit(courier_run(&start) < 0);
	}
	close(ends[1]);
	*ret_channel = ends[0];
	return pid;
}

/* --- the queue's side --- */

static void send_message(struct test_case *t, int channel)
{
	int fd CLEANUP(fd_close) = -1;
	struct ipc_carry_message m = {.n_recipients = (uint16_t)t->n_recipients};

	t->carry.port = t->port;
	t->carry.sts_mx = (struct ipc_strs){&t->sts_mx, t->sts_mx.len > 0};
	if (t->carry.mail.by_mode != 0)
		t->carry.mail.deliver_by += clock_wall_ms();
	assert_int_equal(ipc_send(channel, IPC_CARRY, &t->carry), 0);
	for (size_t i = 0; i < t->n_recipients; i++) {
		const struct ipc_carry_rcpt rcpt = {.recipient = t->recipients[i],
		    .original_recipient = t->original,
		    .notify = (uint8_t)t->notify};
		assert_int_equal(ipc_send(channel, IPC_CARRY_RCPT, &rcpt), 0);
	}
	struct buf message CLEANUP(buf_done) = BUF_MAX(SCRIPT_MAX);
	for (size_t i = 0; i < t->message.len; i++) {
		bool is_end = t->message.p[i] == '|'; /* in a setting: the end of a line */
		buf_add(&message, is_end ? STR("\r\n") : str_first(str_from(t->message, i), 1));
	}
	assert_int_equal(fd_sealed_memfd("message", buf_str(&message), &fd), 0);
	m.message = fd;
	assert_int_equal(ipc_send(channel, IPC_CARRY_MESSAGE, &m), 0);
}

static void expect_word(struct str wanted, const char *got, const char *what, const char *text)
{
	if (wanted.len > 0 && !str_eq(wanted, str_of_cstr(got)))
		fail_msg("%s: %s instead of %.*s (%s)", what, got, STR_FMT(wanted), text);
}

static void check_recipient(const struct test_case *t, const struct ipc_carried_rcpt *m)
{
	static const char *const outcomes[] = {"accepted", "later", "never"};
	char code[8], status[17], text[2049];

	assert_true(m->index < t->n_recipients);
	const struct wanted *w = &t->wanted[m->index];
	snprintf(code, sizeof(code), "%u", m->code);
	assert_int_equal(str_to_cstr(m->status, status, sizeof(status)), 0);
	assert_int_equal(str_to_cstr(m->text, text, sizeof(text)), 0);
	if (!w->is_set)
		fail_msg("recipient %u: %s %s %s %s", m->index, outcomes[m->outcome], code, status,
		    text);
	expect_word(w->outcome, outcomes[m->outcome], "outcome", text);
	expect_word(w->code, code, "code", text);
	expect_word(w->status, status, "status", text);
	if (str_find(m->text, w->words) == m->text.len && w->words.len > 0)
		fail_msg("words: %s", text);
}

static void check_tls(struct test_case *t, const struct ipc_tls_result *m)
{
	char got[16];

	snprintf(got, sizeof(got), "%u %u", m->policy, m->result);
	if (t->n_tls >= t->n_tls_wanted)
		fail_msg("TLS result %s: %.*s", got, STR_FMT(m->detail));
	expect_word(t->tls_wanted[t->n_tls++], got, "TLS result", "");
	assert_true(m->receiving.len == 0 || str_eq(m->sending, STR("127.0.0.1")));
	assert_true(m->policy != TLS_POLICY_TLSA || m->policy_strings.n > 0 ||
	            m->result == TLS_DNSSEC_INVALID);
}

static void check_end(struct test_case *t, const struct ipc_carried *m)
{
	if (t->reusable_times > 0)
		t->end_reusable = --t->reusable_times > 0 ? STR("1") : STR("0");
	if (str_find(m->tls, t->end_tls) == m->tls.len && t->end_tls.len > 0)
		fail_msg("tls: %.*s", STR_FMT(m->tls));
	expect_word(t->end_reusable, m->reusable ? "1" : "0", "reusable", "");
	expect_word(t->end_unreachable, m->unreachable ? "1" : "0", "unreachable", "");
}

static void take_outcomes(struct test_case *t, int channel)
{
	bool is_over = false;
	size_t n = 0;

	while (!is_over) {
		struct pollfd p = {.fd = channel, .events = POLLIN};
		struct ipc_received m;
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_int_equal(ipc_recv(channel, &m), 0);
		is_over = m.type == IPC_CARRIED;
		if (m.type == IPC_CARRIED_RCPT)
			check_recipient(t, m.msg);
		else if (m.type == IPC_TLS_RESULT)
			check_tls(t, m.msg);
		else if (is_over)
			check_end(t, m.msg);
		n += m.type == IPC_CARRIED_RCPT;
		ipc_received_done(&m);
	}
	assert_int_equal(n, t->n_recipients);
}

static void expect_exit(pid_t pid, const char *who)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s ended with %#x", who, status);
}

static void run_case(const char *path)
{
	struct test_case t;
	int resolver, channel;

	read_case(&t, path);
	int listener CLEANUP(fd_close) = listen_somewhere(&t.port);
	if (t.no_listener)
		fd_close(&listener);
	pid_t server = start_server(&t, listener);
	fd_close(&listener);
	pid_t dns = start_dns(&t, &resolver);
	pid_t courier = start_courier(&t, resolver, &channel);
	close(resolver);
	for (uint64_t i = 0; i < t.n_messages; i++) {
		send_message(&t, channel);
		take_outcomes(&t, channel);
		if (t.flips)
			t.carry.tls_optional = !t.carry.tls_optional;
		if (t.sts_mx_then.len > 0)
			t.sts_mx = t.sts_mx_then;
	}
	assert_int_equal(t.n_tls, t.n_tls_wanted);
	close(channel);
	expect_exit(courier, "the courier");
	expect_exit(server, "the server");
	expect_exit(dns, "the resolver");
	free(t.text);
}

/* --- all files --- */

static void run_file(void **state)
{
	run_case(*state);
}

static void a_queue_that_breaks_the_order_ends_the_courier(void **state UNUSED)
{
	static const struct ipc_carry_message early = {.n_recipients = 0};
	struct test_case t = {.wait = 1000};
	struct ipc_carry_message m = early;
	int channel, status;
	int fd CLEANUP(fd_close) = -1;
	pid_t courier = start_courier(&t, -1, &channel);

	assert_int_equal(fd_sealed_memfd("message", STR("x\r\n"), &fd), 0);
	m.message = fd;
	assert_int_equal(ipc_send(channel, IPC_CARRY_MESSAGE, &m), 0);
	assert_int_equal(waitpid(courier, &status, 0), courier);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(channel);
}

int main(int argc, char **argv)
{
	enum { FILES_MAX = 100 };
	static struct CMUnitTest tests[FILES_MAX + 1];
	struct dirent **names;
	size_t n_tests = 0;
	int n = scandir("src/courier/transcripts", &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[300];
		snprintf(path, sizeof(path), "src/courier/transcripts/%s", names[i]->d_name);
		bool fits = str_ends(str_of_cstr(path), STR(".txt")) &&
		            (argc < 2 || strstr(path, argv[1]) != NULL);
		if (fits && n_tests < FILES_MAX)
			tests[n_tests++] = (struct CMUnitTest){.name = strdup(names[i]->d_name),
			    .test_func = run_file,
			    .initial_state = strdup(path)};
		free(names[i]);
	}
	free(names);
	tests[n_tests++] =
	    (struct CMUnitTest)cmocka_unit_test(a_queue_that_breaks_the_order_ends_the_courier);
	int r = _cmocka_run_group_tests(
	    "couriers", tests, n_tests, make_certificates, forget_certificates);
	for (size_t i = 0; i + 1 < n_tests; i++) {
		free((void *)(uintptr_t)tests[i].name);
		free(tests[i].initial_state);
	}
	return n < 0 ? 1 : r;
}
