/* The dispatcher and its couriers in their real sandboxes, with the test in the place of
 * supervisor, queue and resolver, and a server that follows a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "config/config.h"
#include "courier/dispatcher.h"
#include "courier/test_dns.h"
#include "courier/test_script.h"
#include "sandbox/role.h"

enum { WAIT_MS = 20000 };

static struct test_certificate authority, good;
static char authorities[] = "/tmp/gatepost-authorities-XXXXXX";
static struct config config = {.hostname = "out.example.org",
    .outbound_allow_private = 1,
    .outbound_couriers = 2,
    .outbound_source_ipv4 = "127.0.0.3",
    .outbound_source_ipv6 = "none",
    .n_relays = 1,
    .relays = {{.host = "none"}},
    .message_size = 1 << 20,
    .connections = 10};

struct world {
	pid_t pid;
	int supervisor, queue, resolver; /* our ends; -1: not joined */
	uint16_t port;
	int listener;
};

static void receive(int channel, uint16_t type, struct ipc_received *ret_m)
{
	struct pollfd p = {.fd = channel, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(ipc_recv(channel, ret_m), 0);
	assert_int_equal(ret_m->type, type);
}

/* The first word of a courier. */
static void expect_ready(int channel)
{
	struct ipc_received m;

	receive(channel, IPC_COURIER_READY, &m);
	ipc_received_done(&m);
}

static void expect_end(int channel)
{
	struct pollfd p = {.fd = channel, .events = POLLIN};
	struct ipc_received m;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(ipc_recv(channel, &m), -ENODATA);
}

static int join(const struct world *w, enum role role)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	const struct ipc_peer peer = {.role = (uint8_t)role, .channel = ends[1]};
	assert_int_equal(ipc_send(w->supervisor, IPC_PEER, &peer), 0);
	close(ends[1]);
	return ends[0];
}

static _Noreturn void be_dispatcher(int supervisor)
{
	struct role_start start = {.role = ROLE_DISPATCHER,
	    .supervisor = supervisor,
	    .control = -1,
	    .data_fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC),
	    .config = &config};

	signal(SIGPIPE, SIG_IGN);
	if (chdir("/") < 0)
		_exit(9);
	_exit(dispatcher_main(&start));
}

static void start_world(struct world *w, bool with_resolver)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	struct ipc_received m;
	int ends[2];

	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(w->listener, 10), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&at, &len), 0);
	config.outbound_port = w->port = ntohs(at.sin_port);
	assert_int_equal(ipc_pair(ends), 0);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0) {
		close(ends[0]);
		close(w->listener);
		be_dispatcher(ends[1]);
	}
	close(ends[1]);
	w->supervisor = ends[0];
	receive(w->supervisor, IPC_READY, &m);
	ipc_received_done(&m);
	w->queue = join(w, ROLE_QUEUE);
	w->resolver = with_resolver ? join(w, ROLE_RESOLVER) : -1;
}

static void stop_world(struct world *w)
{
	static const struct ipc_drain drain = {.ms = 5000};
	int status;

	assert_int_equal(ipc_send(w->supervisor, IPC_DRAIN, &drain), 0);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	fd_close(&w->supervisor);
	fd_close(&w->queue);
	fd_close(&w->resolver);
	fd_close(&w->listener);
}

/* A courier, and the channel by which the queue speaks with it. */
static int ask_for_courier(const struct world *w)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	const struct ipc_courier m = {.channel = ends[1]};
	assert_int_equal(ipc_send(w->queue, IPC_COURIER, &m), 0);
	close(ends[1]);
	return ends[0];
}

/* As the resolver: the channel of a new asker, on which a table answers. */
static pid_t answer_asker(const struct world *w)
{
	static const struct test_answer answers[] = {
	    {"example.net", DNS_MX, DNS_FOUND, DNS_INSECURE, .records = {"10 mx1.example.net"}},
	    {"xn--bcher-kva.example", DNS_MX, DNS_FOUND, DNS_INSECURE,
	        .records = {"10 mx1.example.net"}},
	    {"mx1.example.net", DNS_A, DNS_FOUND, DNS_INSECURE, .records = {"127.0.0.1"}},
	};
	struct ipc_received m;

	receive(w->resolver, IPC_ASKER, &m);
	int channel = ((const struct ipc_asker *)m.msg)->channel;
	pid_t pid = fork();
	if (pid == 0) {
		/* No other end of a channel: each must end when the test closes its own. */
		channel = dup2(channel, STDERR_FILENO + 1);
		close_range((unsigned)channel + 1, ~0u, 0);
		while (ipc_recv(channel, &m) == 0)
			if (test_dns_answer(channel, answers, ARRAY_LEN(answers), m.msg) < 0)
				_exit(1);
		_exit(0);
	}
	ipc_received_done(&m);
	return pid;
}

static void send_message(int channel, struct ipc_carry carry)
{
	const struct ipc_carry_rcpt rcpt = {.recipient = STR("b@example.net")};
	int fd CLEANUP(fd_close) = -1;

	carry.mail.reverse_path = STR("a@example.org");
	assert_int_equal(fd_sealed_memfd("message", STR("Subject: x\r\n\r\ny\r\n"), &fd), 0);
	const struct ipc_carry_message message = {.n_recipients = 1, .message = fd};
	assert_int_equal(ipc_send(channel, IPC_CARRY, &carry), 0);
	assert_int_equal(ipc_send(channel, IPC_CARRY_RCPT, &rcpt), 0);
	assert_int_equal(ipc_send(channel, IPC_CARRY_MESSAGE, &message), 0);
}

static pid_t start_server(const struct world *w, struct str script)
{
	pid_t pid = fork();

	if (pid == 0) {
		static struct test_server s;
		s = (struct test_server){.listener = w->listener,
		    .fd = -1,
		    .script = script,
		    .good = &good,
		    .alone = &good,
		    .expired = &good};
		alarm(WAIT_MS / 1000);
		test_server_run(&s);
	}
	return pid;
}

static void expect_exit(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void expect_outcome(int channel, enum carry_outcome outcome, const char *words)
{
	struct ipc_received m;

	receive(channel, IPC_CARRIED_RCPT, &m);
	const struct ipc_carried_rcpt *r = m.msg;
	if (r->outcome != outcome || str_find(r->text, str_of_cstr(words)) == r->text.len)
		fail_msg("%u %.*s", r->outcome, STR_FMT(r->text));
	ipc_received_done(&m);
	receive(channel, IPC_CARRIED, &m);
	ipc_received_done(&m);
}

/* All of a dialogue in TLS; `tls_result`: whether TLS-RPT hears of it. */
static void carry_one(struct ipc_carry carry, bool tls_result)
{
	struct world w;
	struct ipc_received m;

	start_world(&w, true);
	pid_t server = start_server(&w, STR("S: 220 mx1.example.net\n"
	                                    "C: EHLO out.example.org\n"
	                                    "S: 250-mx1.example.net\n"
	                                    "S: 250 STARTTLS\n"
	                                    "C: STARTTLS\n"
	                                    "S: 220 go\n"
	                                    "TLS good\n"
	                                    "C: EHLO out.example.org\n"
	                                    "S: 250 mx1.example.net\n"
	                                    "C: MAIL FROM:<a@example.org>\n"
	                                    "S: 250 ok\n"
	                                    "C: RCPT TO:<b@example.net>\n"
	                                    "S: 250 ok\n"
	                                    "C: DATA\n"
	                                    "S: 354 go\n"
	                                    "DATA\n"
	                                    "S: 250 kept\n"
	                                    "C: QUIT\n"
	                                    "S: 221 bye\n"));
	int channel CLEANUP(fd_close) = ask_for_courier(&w);
	pid_t dns = answer_asker(&w);
	carry.port = w.port;
	expect_ready(channel);
	send_message(channel, carry);
	if (tls_result) {
		receive(channel, IPC_TLS_RESULT, &m);
		ipc_received_done(&m);
	}
	expect_outcome(channel, CARRY_ACCEPTED, "kept");
	fd_close(&channel);
	expect_exit(server);
	expect_exit(dns);
	stop_world(&w);
}

static void a_courier_carries_a_message_out_of_its_sandbox(void **state UNUSED)
{
	carry_one((struct ipc_carry){.domain = STR("example.net")}, true);
	/* A name in other letters is turned into A-labels in there too. */
	carry_one((struct ipc_carry){.domain = STR("b\xc3\xbc"
	                                           "cher.example")},
	    true);
}

/* The authorities were read before the sandbox; a certificate is verified inside it. */
static void certificates_are_verified_in_the_sandbox(void **state UNUSED)
{
	carry_one((struct ipc_carry){.host = STR("mx1.example.net"), .tls_must = 1}, false);
}

static void other_ports_are_closed_to_couriers(void **state UNUSED)
{
	struct world w;

	start_world(&w, true);
	int channel CLEANUP(fd_close) = ask_for_courier(&w);
	pid_t dns = answer_asker(&w);
	expect_ready(channel);
	send_message(channel,
	    (struct ipc_carry){.domain = STR("example.net"), .port = w.port == 9 ? 10 : 9});
	struct ipc_received m;
	receive(channel, IPC_CARRIED_RCPT, &m);
	const struct ipc_carried_rcpt *r = m.msg;
	assert_int_equal(r->outcome, CARRY_LATER);
	assert_true(str_find(r->text, STR("own rules forbid that port")) < r->text.len ||
	            str_find(r->text, STR("refused the connection")) < r->text.len);
	ipc_received_done(&m);
	fd_close(&channel);
	expect_exit(dns);
	stop_world(&w);
}

static void more_couriers_than_there_may_be_are_refused(void **state UNUSED)
{
	struct world w;

	start_world(&w, true);
	int first CLEANUP(fd_close) = ask_for_courier(&w);
	pid_t first_dns = answer_asker(&w);
	int second CLEANUP(fd_close) = ask_for_courier(&w);
	pid_t second_dns = answer_asker(&w);
	expect_ready(second);
	int third CLEANUP(fd_close) = ask_for_courier(&w);
	expect_end(third);
	/* One that ended makes room. */
	fd_close(&first);
	expect_exit(first_dns);
	usleep(200 * 1000);
	int fourth CLEANUP(fd_close) = ask_for_courier(&w);
	pid_t fourth_dns = answer_asker(&w);
	expect_ready(fourth);
	/* The stop ends those who wait for a message. */
	stop_world(&w);
	expect_end(second);
	expect_end(fourth);
	expect_exit(second_dns);
	expect_exit(fourth_dns);
}

static void without_a_resolver_there_is_no_courier(void **state UNUSED)
{
	struct world w;

	start_world(&w, false);
	int channel CLEANUP(fd_close) = ask_for_courier(&w);
	expect_end(channel);
	stop_world(&w);
}

/* A queue that breaks the order of messages ends its courier; that looks like a broken one, and the
 * dispatcher wants to be replaced. */
static void a_courier_that_fails_has_the_dispatcher_replaced(void **state UNUSED)
{
	static const struct ipc_carry_rcpt early = {.recipient = STR_INIT("b@example.net")};
	struct world w;
	struct ipc_received m;
	int status;

	start_world(&w, true);
	int ledger CLEANUP(fd_close) = join(&w, ROLE_LEDGER);
	int channel CLEANUP(fd_close) = ask_for_courier(&w);
	pid_t dns = answer_asker(&w);
	assert_int_equal(ipc_send(channel, IPC_CARRY_RCPT, &early), 0);
	receive(w.supervisor, IPC_REPLACE_ME, &m);
	ipc_received_done(&m);
	receive(ledger, IPC_LEDGER_EVENT, &m);
	ipc_received_done(&m);
	/* With its last courier it ends by itself. */
	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	expect_exit(dns);
	fd_close(&w.supervisor);
	fd_close(&w.queue);
	fd_close(&w.resolver);
	fd_close(&w.listener);
}

static int make_certificates(void **state UNUSED)
{
	struct buf pem CLEANUP(buf_done) = BUF_MAX(65536);
	int fd CLEANUP(fd_close) = mkstemp(authorities);

	signal(SIGPIPE, SIG_IGN);
	authority = test_certificate_make(NULL, NULL, 100);
	good = test_certificate_make(&authority, "mx1.example.net", 100);
	test_certificate_pem(&authority, &pem);
	return str_to_cstr(str_of_cstr(authorities), config.outbound_ca_file,
	           sizeof(config.outbound_ca_file)) < 0
	           ? -1
	           : fd_write_all(fd, buf_str(&pem));
}

static int forget_certificates(void **state UNUSED)
{
	test_certificate_done(&authority);
	test_certificate_done(&good);
	return unlink(authorities);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_courier_carries_a_message_out_of_its_sandbox),
	    cmocka_unit_test(certificates_are_verified_in_the_sandbox),
	    cmocka_unit_test(other_ports_are_closed_to_couriers),
	    cmocka_unit_test(more_couriers_than_there_may_be_are_refused),
	    cmocka_unit_test(without_a_resolver_there_is_no_courier),
	    cmocka_unit_test(a_courier_that_fails_has_the_dispatcher_replaced),
	};

	return cmocka_run_group_tests(tests, make_certificates, forget_certificates);
}
