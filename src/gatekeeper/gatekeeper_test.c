/*
 * The role as it runs: sandboxed, in a process of its own, between a supervisor (this test), the
 * services (a process of the test) and clients over TCP. The IMAP dialogue is replaced by one that
 * does what a letter says, so that a gate can be made to crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gatekeeper/gatekeeper.h"
#include "gatekeeper/test_services.h"
#include "ipc/channel.h"
#include "ipc/loop.h"
#include "ipc/messages.h"
#include "tls/selfsigned.h"
#include "tls/signer.h"

enum { WAIT_MS = 20000, NOTE_MAX = 4096, PEM_MAX = 65536 };

/* --- the dialogue of the test --- */

/* k: the keyholder, K: once more, d: delivery and q: the queue, which are not for a gate of IMAP.
 */
static int ask_for_channel(struct gate *g, char letter)
{
	int delivery;
	if (letter == 'd')
		return gate_reach_delivery(g, 1, &delivery);
	if (letter == 'q')
		return gate_reach_queue(g);
	if (letter == 'K')
		fd_close(&g->channels.keyholder);
	return gate_reach_keyholder(g);
}

/* Asks and does not read, until the gatekeeper has enough. */
static void ask_and_ask(struct gate *g)
{
	const struct ipc_introduce question = {.role = ROLE_KEYHOLDER};
	while (ipc_send(g->channels.gatekeeper, IPC_INTRODUCE, &question) == 0)
		;
}

int gate_imap(struct gate *g)
{
	static volatile char *volatile nowhere = (volatile char *)4096;
	gate_say(g, STR("* hello\r\n"));
	for (;;) {
		g->interruptible = true;
		gate_set_deadline(g, WAIT_MS);
		int r = gate_fill(g);
		if (r == -ESHUTDOWN) {
			gate_say(g, STR("* BYE\r\n"));
			return gate_flush(g);
		}
		if (r < 0)
			return r;
		char c = gate_pending(g).p[0];
		gate_consume(g, gate_pending(g).len);
		if (c == 'c')
			*nowhere = c;
		if (c == 's')
			(void)!socket(AF_INET, SOCK_STREAM, 0);
		if (c == 'x')
			_exit(3);
		if (c == 'k' || c == 'K' || c == 'd' || c == 'q') {
			gate_say(g, ask_for_channel(g, c) == 0 ? STR("* introduced\r\n")
			                                       : STR("* refused\r\n"));
			continue;
		}
		if (c == 'f')
			ask_and_ask(g);
		gate_say(g, STR("* still here\r\n"));
	}
}

int gate_pop3(struct gate *g)
{
	return gate_imap(g);
}

int gate_submission(struct gate *g)
{
	return gate_imap(g);
}

/* --- the world around one gatekeeper --- */

struct world {
	struct config config;
	char folder[64];
	pid_t gatekeeper, services;
	int supervisor; /* our end */
	FILE *notes;
	uint16_t port;
	bool has_no_keyholder;
	const struct rlimit *descriptors; /* of the gatekeeper; NULL: as they are */
};

static void write_text(int dir, const char *name, struct str text)
{
	assert_int_equal(fd_write_file(dir, name, text, 0600), 0);
}

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void be_gatekeeper(struct world *w, enum role role, int supervisor, int dir)
{
	struct role_start start = {.role = role,
	    .supervisor = supervisor,
	    .control = -1,
	    .data_fd = dir,
	    .config = &w->config};
	signal(SIGSEGV, SIG_DFL); /* the test library's handler is not for the role */
	log_open(role_row(role)->name, LOG_ERROR);
	if (w->descriptors && setrlimit(RLIMIT_NOFILE, w->descriptors) < 0)
		_exit(1);
	_exit(gatekeeper_main(&start));
}

static void introduce(struct world *w, enum role role, int *ret_far)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_peer peer = {.role = (uint8_t)role, .index = 0, .channel = ends[0]};
	assert_int_equal(ipc_send(w->supervisor, IPC_PEER, &peer), 0);
	close(ends[0]);
	*ret_far = ends[1];
}

static void expect_message(struct world *w, uint16_t type)
{
	struct pollfd p = {.fd = w->supervisor, .events = POLLIN};
	struct ipc_received m;
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(ipc_recv(w->supervisor, &m), 0);
	assert_int_equal(m.type, type);
	ipc_received_done(&m);
}

static void start_services(struct world *w, struct str key)
{
	static const enum role roles[] = {
	    ROLE_DIRECTORY, ROLE_DELIVERY, ROLE_LEDGER, ROLE_KEYHOLDER};
	size_t n = ARRAY_LEN(roles) - w->has_no_keyholder;
	int far[ARRAY_LEN(roles)], notes[2];
	for (size_t i = 0; i < n; i++)
		introduce(w, roles[i], &far[i]);
	assert_int_equal(pipe(notes), 0);
	w->services = fork();
	assert_true(w->services >= 0);
	if (w->services == 0) {
		close(w->supervisor);
		be_services(far, n, key, notes[1]);
	}
	for (size_t i = 0; i < n; i++)
		close(far[i]);
	close(notes[1]);
	w->notes = fdopen(notes[0], "r");
	assert_non_null(w->notes);
}

/* The limits are set in w->config before. */
static void start_world(struct world *w, enum role role)
{
	static const char *const names[] = {"mx.example.test"};
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	assert_int_equal(selfsigned_make(names, 1, &key, &certificate), 0);
	memcpy(w->folder, "/tmp/gatekeeper-test-XXXXXX", 28);
	assert_non_null(mkdtemp(w->folder));
	int dir CLEANUP(fd_close) = open(w->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	write_text(dir, "cert.pem", buf_str(&certificate));
	memcpy(w->config.certificate, "cert.pem", 9);
	memcpy(w->config.hostname, "mx.example.test", 16);
	w->config.message_size = 4 << 20;
	w->config.recipients = 10;
	w->config.smtp_errors = 10;
	w->config.smtp_timeout = 60;
	w->config.smtp_duration = 600;
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	fflush(NULL);
	w->gatekeeper = fork();
	assert_true(w->gatekeeper >= 0);
	if (w->gatekeeper == 0) {
		close(ends[0]);
		be_gatekeeper(w, role, ends[1], dup(dir));
	}
	close(ends[1]);
	w->supervisor = ends[0];
	expect_message(w, IPC_READY);
	start_services(w, buf_str(&key));
	struct ipc_listener listener = {.port = 25};
	listener.socket = listen_somewhere(&w->port);
	assert_int_equal(ipc_send(w->supervisor, IPC_LISTENER, &listener), 0);
	close(listener.socket);
}

static struct world new_world(void)
{
	return (struct world){
	    .config = {
	        .connections = 50, .connections_per_network = 50, .message_memory = 1 << 30}};
}

/* Waits for the end of the gatekeeper and cleans up; it must have ended by itself, with 0. */
static void expect_ended(struct world *w)
{
	int status;
	char path[96];
	assert_int_equal(waitpid(w->gatekeeper, &status, 0), w->gatekeeper);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(waitpid(w->services, &status, 0), w->services);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fd_close(&w->supervisor);
	fclose(w->notes);
	snprintf(path, sizeof path, "%s/cert.pem", w->folder);
	unlink(path);
	rmdir(w->folder);
}

static void drain(struct world *w, uint32_t ms)
{
	struct ipc_drain message = {.ms = ms};
	assert_int_equal(ipc_send(w->supervisor, IPC_DRAIN, &message), 0);
}

static void drain_to_end(struct world *w)
{
	drain(w, 10000);
	expect_ended(w);
}

/* --- clients --- */

static int connect_to(const struct world *w)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(w->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		fd_close(&fd);
	return fd;
}

/* The next line begins with `text`; NULL: the end. */
static void expect_line(int fd, const char *text)
{
	char line[1024];
	size_t len = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (len < sizeof line - 1 && (len == 0 || line[len - 1] != '\n')) {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		ssize_t n = read(fd, line + len, 1);
		if (n <= 0)
			break;
		len++;
	}
	line[len] = '\0';
	if (!text)
		assert_string_equal(line, "");
	else if (!str_starts(str_of(line, len), str_of_cstr(text)))
		fail_msg("`%s` where `%s` was expected", line, text);
}

static void say(int fd, const char *text)
{
	assert_int_equal(fd_write_all(fd, str_of_cstr(text)), 0);
}

static void expect_note(struct world *w, const char *text)
{
	char line[NOTE_MAX];
	assert_non_null(fgets(line, sizeof line, w->notes));
	if (!strstr(line, text))
		fail_msg("`%s` where `%s` was expected", line, text);
}

/* --- tests --- */

static void begin_message(int fd)
{
	say(fd, "HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.test>\r\nDATA\r\n");
	expect_line(fd, "220");
	expect_line(fd, "250");
	expect_line(fd, "250");
	expect_line(fd, "250");
	expect_line(fd, "354");
	say(fd, "a: b\r\n\r\n");
}

static void a_message(void **state UNUSED)
{
	struct world w = new_world();
	start_world(&w, ROLE_GATEKEEPER_SMTP);
	int c = connect_to(&w);
	expect_line(c, "220 mx.example.test");
	say(c, "EHLO client.example\r\n");
	for (unsigned i = 0; i < 11; i++)
		expect_line(c, "250-");
	expect_line(c, "250 HELP");
	say(c, "MAIL FROM:<>\r\nRCPT TO:<a@example.test>\r\nDATA\r\n");
	expect_line(c, "250 2.1.0");
	expect_line(c, "250 2.1.5");
	expect_line(c, "354");
	say(c, "Subject: x\r\n\r\n.\r\nQUIT\r\n");
	expect_line(c, "250 2.0.0");
	expect_note(
	    &w, "delivered len=14 trace=Received: from client.example (unknown [127.0.0.1])");
	expect_line(c, "221");
	expect_line(c, NULL);
	close(c);
	drain_to_end(&w);
}

static void say_tls(SSL *ssl, const char *text, const char *expected)
{
	char line[1024];
	assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), strlen(text));
	int n = SSL_read(ssl, line, sizeof line - 1);
	assert_true(n > 0);
	line[n] = '\0';
	if (!strstr(line, expected))
		fail_msg("`%s` where `%s` was expected", line, expected);
}

/* The account's worker and the next one are not there now. */
static void a_message_for_a_worker_that_is_missing(void **state UNUSED)
{
	struct world w = new_world();
	w.config.delivery_workers = 3;
	start_world(&w, ROLE_GATEKEEPER_SMTP);
	int c = connect_to(&w);
	begin_message(c);
	say(c, ".\r\n");
	expect_line(c, "250 2.0.0");
	expect_note(&w, "delivered len=8");
	close(c);
	drain_to_end(&w);
}

/* What a gate may ask for, and how often. */
static void introductions(void **state UNUSED)
{
	static const char *const not_allowed[] = {"d", "K", "q"};
	struct world w = new_world();
	start_world(&w, ROLE_GATEKEEPER_IMAP);
	for (size_t i = 0; i < ARRAY_LEN(not_allowed); i++) {
		int c = connect_to(&w);
		expect_line(c, "* hello");
		for (unsigned n = 0; n < 2; n++) {
			say(c, "k");
			expect_line(c, "* introduced");
		}
		say(c, not_allowed[i]);
		expect_line(c, "* refused");
		expect_note(&w, "peer=127.0.0.1 detail=a gate sent a message that is not allowed");
		close(c);
	}
	drain_to_end(&w);
}

static void a_gate_that_does_not_read(void **state UNUSED)
{
	struct world w = new_world();
	w.has_no_keyholder = true;
	start_world(&w, ROLE_GATEKEEPER_IMAP);
	int c = connect_to(&w);
	expect_line(c, "* hello");
	say(c, "k");
	expect_line(c, "* refused");
	say(c, "f");
	expect_line(c, "* still here");
	expect_note(&w, "peer=127.0.0.1 detail=a gate sent a message that is not allowed");
	close(c);
	drain_to_end(&w);
}

/* What is sent behind STARTTLS in the clear is never obeyed (RFC 3207 §4.2). */
static void starttls_and_what_was_injected(void **state UNUSED)
{
	struct world w = new_world();
	start_world(&w, ROLE_GATEKEEPER_SMTP);
	int c = connect_to(&w);
	expect_line(c, "220");
	say(c, "EHLO client.example\r\n");
	for (unsigned i = 0; i < 12; i++)
		expect_line(c, "250");
	say(c, "STARTTLS\r\nMAIL FROM:<injected@example.org>\r\n");
	expect_line(c, "220 2.0.0");
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, c);
	assert_int_equal(SSL_connect(ssl), 1);
	say_tls(ssl, "RCPT TO:<a@example.test>\r\n", "503 5.5.1");
	say_tls(ssl, "MAIL FROM:<b@example.org>\r\n", "503 5.5.1 Say EHLO");
	say_tls(ssl, "EHLO again.example\r\n", "250-PIPELINING");
	say_tls(ssl, "STARTTLS\r\n", "503 5.5.1");
	say_tls(ssl, "MAIL FROM:<b@example.org>\r\n", "250 2.1.0");
	say_tls(ssl, "RCPT TO:<a@example.test>\r\n", "250 2.1.5");
	say_tls(ssl, "DATA\r\n", "354");
	say_tls(ssl, "x\r\n.\r\n", "250 2.0.0");
	expect_note(&w, "from again.example");
	expect_note(&w, "using TLSv1.3 with cipher");
	say_tls(ssl, "QUIT\r\n", "221 2.0.0");
	char byte;
	assert_int_equal(SSL_read(ssl, &byte, 1), 0);
	assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(c);
	drain_to_end(&w);
}

/* `letter` makes one gate crash; another, older connection goes on until it ends. */
static void crash(const char *letter, const char *detail)
{
	struct world w = new_world();
	start_world(&w, ROLE_GATEKEEPER_IMAP);
	int other = connect_to(&w);
	expect_line(other, "* hello");
	int c = connect_to(&w);
	expect_line(c, "* hello");
	say(c, letter);
	expect_line(c, NULL);
	expect_message(&w, IPC_REPLACE_ME);
	char expected[128];
	snprintf(expected, sizeof expected,
	    "ledger kind=%u peer=127.0.0.1 detail=gate-imap ended %s", LEDGER_ALARM_GATE_CRASH,
	    detail);
	expect_note(&w, expected);
	assert_int_equal(connect_to(&w), -1);
	say(other, ".");
	expect_line(other, "* still here");
	close(other);
	close(c);
	expect_ended(&w);
}

static void gates_that_end_badly(void **state UNUSED)
{
	crash("c", "by signal 11 (SIGSEGV)");
	crash("s", "by signal 31 (SIGSYS)");
	crash("x", "with status 3");
}

static void limits_of_connections(void **state UNUSED)
{
	struct world w = new_world();
	w.config.connections_per_network = 2;
	start_world(&w, ROLE_GATEKEEPER_SMTP);
	int a = connect_to(&w), b = connect_to(&w);
	expect_line(a, "220");
	expect_line(b, "220");
	int c = connect_to(&w);
	expect_line(c, "421 4.7.0 Too many connections");
	expect_line(c, NULL);
	say(a, "QUIT\r\n");
	expect_line(a, "221");
	close(a);
	/* Its gate is gone soon. */
	char first = '4';
	for (uint64_t until = clock_ms() + WAIT_MS; first == '4' && clock_ms() < until;) {
		close(c);
		c = connect_to(&w);
		assert_int_equal(read(c, &first, 1), 1);
	}
	assert_int_equal(first, '2');
	close(b);
	close(c);
	drain_to_end(&w);
}

/* One of POP3 is refused in its words, gets no delivery worker, and its crash has its name. */
static void pop3(void **state UNUSED)
{
	struct world w = new_world();
	w.config.connections = 1;
	start_world(&w, ROLE_GATEKEEPER_POP3);
	int c = connect_to(&w);
	expect_line(c, "* hello");
	int refused = connect_to(&w);
	expect_line(refused, "-ERR [SYS/TEMP] Too many connections");
	expect_line(refused, NULL);
	close(refused);
	say(c, "k");
	expect_line(c, "* introduced");
	say(c, "d");
	expect_line(c, "* refused");
	expect_note(&w, "peer=127.0.0.1 detail=a gate sent a message that is not allowed");
	say(c, "x");
	expect_line(c, NULL);
	expect_message(&w, IPC_REPLACE_ME);
	expect_note(&w, "peer=127.0.0.1 detail=gate-pop3 ended with status 3");
	close(c);
	expect_ended(&w);
}

/* One of submission has its channel to the queue from the directory: it is introduced to no other.
 */
static void submission(void **state UNUSED)
{
	static const char *const not_allowed[] = {"d", "q"};
	struct world w = new_world();
	start_world(&w, ROLE_GATEKEEPER_SUBMISSION);
	for (size_t i = 0; i < ARRAY_LEN(not_allowed); i++) {
		int c = connect_to(&w);
		expect_line(c, "* hello");
		say(c, "k");
		expect_line(c, "* introduced");
		say(c, not_allowed[i]);
		expect_line(c, "* refused");
		expect_note(&w, "peer=127.0.0.1 detail=a gate sent a message that is not allowed");
		close(c);
	}
	drain_to_end(&w);
}

static uint64_t cpu_ms_of(pid_t pid)
{
	clockid_t clock;
	struct timespec spent;
	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &spent), 0);
	return (uint64_t)spent.tv_sec * 1000 + (uint64_t)spent.tv_nsec / 1000000;
}

/* Without a descriptor to spare it waits, does not spin, and goes on when there is one. */
static void no_descriptor_to_spare(void **state UNUSED)
{
	struct world w = new_world();
	struct rlimit limit, none;
	start_world(&w, ROLE_GATEKEEPER_IMAP);
	int first = connect_to(&w);
	expect_line(first, "* hello");
	assert_int_equal(prlimit(w.gatekeeper, RLIMIT_NOFILE, NULL, &limit), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
	assert_int_equal(prlimit(w.gatekeeper, RLIMIT_NOFILE, &none, NULL), 0);
	uint64_t before = cpu_ms_of(w.gatekeeper);
	int second = connect_to(&w);
	struct pollfd p = {.fd = second, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 1000), 0);
	assert_true(cpu_ms_of(w.gatekeeper) - before < 300);
	assert_int_equal(prlimit(w.gatekeeper, RLIMIT_NOFILE, &limit, NULL), 0);
	expect_line(second, "* hello");
	drain(&w, 10000);
	close(first);
	close(second);
	expect_ended(&w);
}

/* A hard limit that is too low: fewer connections, and the client is told. */
static void few_descriptors(void **state UNUSED)
{
	const struct role_row *row = role_row(ROLE_GATEKEEPER_IMAP);
	struct world w = new_world();
	struct rlimit low;
	w.config.connections = 5000;
	low.rlim_cur = low.rlim_max = row->descriptors + 2 * row->descriptors_each;
	w.descriptors = &low;
	start_world(&w, ROLE_GATEKEEPER_IMAP);
	int fds[3];
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = connect_to(&w);
		expect_line(fds[i], i < 2 ? "* hello" : "* BYE [UNAVAILABLE]");
	}
	drain(&w, 10000);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	expect_ended(&w);
}

static void say_kilobytes(int fd, unsigned n)
{
	char kilobyte[1024];
	memset(kilobyte, 'x', sizeof kilobyte);
	memcpy(kilobyte + 510, "\r\n", 2);
	memcpy(kilobyte + 1022, "\r\n", 2);
	while (n-- > 0)
		assert_int_equal(fd_write_all(fd, str_of(kilobyte, sizeof kilobyte)), 0);
}

/* Two gates, and memory for the message of one. */
static void memory_of_all_messages(void **state UNUSED)
{
	struct world w = new_world();
	w.config.message_memory = 2 << 20;
	start_world(&w, ROLE_GATEKEEPER_SMTP);
	int a = connect_to(&w), b = connect_to(&w);
	begin_message(a);
	say_kilobytes(a, 1500);
	say(a, ".\r\n");
	expect_line(a, "250 2.0.0");
	expect_note(&w, "delivered len=1536008");
	say(a, "MAIL FROM:<>\r\nRCPT TO:<a@example.test>\r\nDATA\r\na: b\r\n\r\n");
	for (unsigned i = 0; i < 3; i++)
		expect_line(a, i < 2 ? "250" : "354");
	say_kilobytes(a, 1500);
	assert_int_equal(poll(NULL, 0, 500), 0); /* its gate reads, and asks, before the other's */
	begin_message(b);
	say_kilobytes(b, 500);
	say(b, ".\r\n");
	expect_line(b, "452 4.3.1");
	say(a, ".\r\n");
	expect_line(a, "250 2.0.0");
	close(a);
	close(b);
	drain_to_end(&w);
}

static void drains(void **state UNUSED)
{
	struct world w = new_world();
	start_world(&w, ROLE_GATEKEEPER_SMTP);
	int a = connect_to(&w), b = connect_to(&w);
	expect_line(a, "220");
	begin_message(b);
	drain(&w, 10000);
	expect_line(a, "421 4.3.2");
	expect_line(a, NULL);
	close(a);
	assert_int_equal(connect_to(&w), -1);
	say(b, "x\r\n.\r\n");
	expect_line(b, "250 2.0.0");
	expect_line(b, "421 4.3.2");
	close(b);
	expect_ended(&w);
}

static void drains_in_time(void **state UNUSED)
{
	struct world w = new_world();
	start_world(&w, ROLE_GATEKEEPER_SMTP);
	int c = connect_to(&w);
	begin_message(c);
	uint64_t began = clock_ms();
	drain(&w, 500);
	expect_ended(&w);
	assert_true(clock_ms() - began < 3000);
	close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message),
	    cmocka_unit_test(a_message_for_a_worker_that_is_missing),
	    cmocka_unit_test(introductions),
	    cmocka_unit_test(submission),
	    cmocka_unit_test(a_gate_that_does_not_read),
	    cmocka_unit_test(starttls_and_what_was_injected),
	    cmocka_unit_test(gates_that_end_badly),
	    cmocka_unit_test(limits_of_connections),
	    cmocka_unit_test(pop3),
	    cmocka_unit_test(no_descriptor_to_spare),
	    cmocka_unit_test(few_descriptors),
	    cmocka_unit_test(memory_of_all_messages),
	    cmocka_unit_test(drains),
	    cmocka_unit_test(drains_in_time),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
