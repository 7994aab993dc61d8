/*
 * Plays transcripts against the dialogue: the dialogue runs in a child, over a socket pair; this
 * process is the client, the directory, delivery and the gatekeeper at once.
 *
 * A transcript is a text file, one step a line:
 *
 *   # …          a comment
 *   O: key=value an option, before the first step (see set_option)
 *   C: text      the client sends the line with CRLF; pipelined with what follows until an S
 *   C> text      the client sends the text as it is, with \r \n \t \\ \xHH and {text*count}
 *   S: text      the server says exactly this line
 *   S~ text      the server says a line that begins so
 *   S.           the server says nothing for a while
 *   SX           the server closes the connection
 *   CX           the client closes its side
 *   M: key=value what delivery was given last: accounts, recipients, from, envid, body, smtputf8,
 *                text (escaped), trace (contains), count, worker (which one), introductions
 *
 *   Q: line      the queue was told this; its lines come in order
 *
 * With the option `submission` the dialogue is that of submission, with somebody signed in; with
 * `submission=2` nobody is.
 *
 * The directory knows: user<N>@example.test (account N), all@… (accounts 1, 2, 3), same@…
 * (account 1), many@… (150 accounts), away@… (leaves the house), both@… (that and account 1),
 * unknown@…, later@… (temporary), gone@… (the directory goes away); every other domain is not ours.
 * Delivery answers by the sender: full@, quota@, later@, gone@, else OK. The gatekeeper introduces
 * the gate to a worker of delivery, but not to those in the bits of the options `missing` and
 * `busy`, nor to the queue where the option `queue` is 1 (missing) or 2 (busy). The queue answers a
 * sender, recipient or message (by its first line) that begins with a number and a dot with that
 * enum submit_result; 99. goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "gate/gate.h"
#include "gate/smtp/test_play.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

/* --- the services --- */

static bool is_local(struct str domain)
{
	return str_eq_nocase(domain, STR("example.test")) ||
	       str_eq_nocase(domain, STR("mx.example.test")) ||
	       str_eq(domain, STR("b\xc3\xbc"
	                          "cher.example"));
}

/* Who gets the mail of a name: the first account, and how many from there on. */
static enum rcpt_result resolve(struct str local, uint64_t *ret_first, size_t *ret_n)
{
	static const struct {
		struct str local;
		enum rcpt_result result;
		uint64_t first;
		size_t n;
	} names[] = {
	    {STR_INIT("all"), RCPT_OK, 1, 3},
	    {STR_INIT("many"), RCPT_OK, 1000, 150},
	    {STR_INIT("same"), RCPT_OK, 1, 1},
	    {STR_INIT("postmaster"), RCPT_OK, 1, 1},
	    {STR_INIT("a b"), RCPT_OK, 1, 1},
	    {STR_INIT("j\xc3\xb6rg"), RCPT_OK, 1, 1},
	    {STR_INIT("later"), RCPT_TEMPORARY, 0, 0},
	    {STR_INIT("away"), RCPT_OK, 0, 0},
	    {STR_INIT("7.away"), RCPT_OK, 0, 0},
	    {STR_INIT("3.away"), RCPT_OK, 0, 0},
	    {STR_INIT("99.away"), RCPT_OK, 0, 0},
	    {STR_INIT("both"), RCPT_OK, 1, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(local, names[i].local)) {
			*ret_first = names[i].first;
			*ret_n = names[i].n;
			return names[i].result;
		}
	}
	*ret_n = 1;
	bool numbered = str_skip(&local, STR("user")) && num_parse(local, 999, ret_first);
	return numbered ? RCPT_OK : RCPT_UNKNOWN;
}

static void answer_rcpt(struct play *p, const struct ipc_rcpt *question)
{
	uint64_t accounts[150], first = 0;
	size_t n = 0;
	struct str domain = question->address;
	struct str local = str_cut(&domain, '@');
	struct ipc_rcpt_answer answer = {.result = RCPT_NOT_LOCAL};
	if (is_local(domain) || str_eq(question->address, STR("postmaster")))
		answer.result = (uint8_t)resolve(local, &first, &n);
	for (size_t i = 0; i < n; i++)
		accounts[i] = first + i;
	if (answer.result == RCPT_OK)
		answer.accounts = (struct ipc_u64s){accounts, n};
	answer.forwards = str_eq(local, STR("both")) || str_ends(local, STR("away"));
	if (str_eq(local, STR("gone")))
		fd_close(&p->directory);
	else
		assert_int_equal(ipc_send(p->directory, IPC_RCPT_ANSWER, &answer), 0);
}

static void keep_envelope(struct play *p, const struct ipc_envelope *d)
{
	assert_int_equal(d->accounts.n, d->recipients.n);
	p->n_delivered++;
	p->body = d->body;
	p->smtputf8 = d->smtputf8;
	keep(&p->from, d->reverse_path);
	keep(&p->envid, d->envelope_id);
	keep(&p->trace, d->trace);
	buf_clear(&p->accounts);
	buf_clear(&p->recipients);
	for (size_t i = 0; i < d->accounts.n; i++) {
		buf_printf(
		    &p->accounts, "%s%llu", i > 0 ? " " : "", (unsigned long long)d->accounts.v[i]);
		buf_printf(&p->recipients, "%s%.*s", i > 0 ? " " : "", STR_FMT(d->recipients.v[i]));
	}
	buf_clear(&p->text);
}

static void keep_file(struct play *p, int fd)
{
	size_t len;
	assert_int_equal(fd_check_sealed(fd, &len), 0);
	assert_true(len > IPC_SHORT_MAX);
	char *to = buf_reserve(&p->text, len);
	assert_non_null(to);
	assert_int_equal(fd_pread_all(fd, to, len, 0), 0);
	buf_commit(&p->text, len);
}

static void answer_deliver(struct play *p, unsigned worker, const struct ipc_envelope *d)
{
	struct ipc_delivered answer = {.result = DELIVER_OK, .detail = STR("")};
	p->worker = worker;
	if (str_starts(d->reverse_path, STR("full@")))
		answer.result = DELIVER_FULL;
	else if (str_starts(d->reverse_path, STR("quota@")))
		answer = (struct ipc_delivered){DELIVER_QUOTA, 1, STR("over its quota")};
	else if (str_starts(d->reverse_path, STR("later@")))
		answer.result = DELIVER_TEMPORARY;
	if (str_starts(d->reverse_path, STR("gone@")))
		fd_close(&p->delivery[worker]);
	else
		assert_int_equal(ipc_send(p->delivery[worker], IPC_DELIVERED, &answer), 0);
}

static void deliver_file(struct play *p, unsigned worker, const struct ipc_deliver *m)
{
	keep_envelope(p, &m->envelope);
	keep_file(p, m->message);
	answer_deliver(p, worker, &m->envelope);
}

static void deliver_short(struct play *p, unsigned worker, const struct ipc_deliver_short *m)
{
	keep_envelope(p, &m->envelope);
	keep(&p->text, m->message);
	answer_deliver(p, worker, &m->envelope);
}

static void answer_budget(struct play *p, const struct ipc_budget *question)
{
	struct ipc_budget_answer answer = {.granted = question->bytes <= p->budget};
	if (answer.granted)
		p->budget_now = question->bytes;
	assert_int_equal(ipc_send(p->gatekeeper, IPC_BUDGET_ANSWER, &answer), 0);
}

static void answer_introduce(struct play *p, const struct ipc_introduce *question)
{
	struct ipc_not_introduced refusal = {.reason = INTRODUCE_MISSING};
	int ends[2];
	if (question->role == ROLE_QUEUE && p->queue < 0 && p->submission == 0) {
		introduce_to_queue(p);
		return;
	}
	if (question->role != ROLE_DELIVERY || question->index >= p->config.delivery_workers ||
	    p->delivery[question->index] >= 0)
		FAIL(p, "asks for %u %u", question->role, question->index);
	p->n_introductions++;
	if ((p->busy >> question->index & 1) != 0)
		refusal.reason = INTRODUCE_BUSY;
	if (((p->missing | p->busy) >> question->index & 1) != 0) {
		assert_int_equal(ipc_send(p->gatekeeper, IPC_NOT_INTRODUCED, &refusal), 0);
		return;
	}
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_introduced answer = {.channel = ends[0]};
	assert_int_equal(ipc_send(p->gatekeeper, IPC_INTRODUCED, &answer), 0);
	close(ends[0]);
	p->delivery[question->index] = ends[1];
}

static void serve(struct play *p, int *channel)
{
	bool is_worker = channel >= p->delivery && channel < p->delivery + WORKERS;
	struct ipc_received m;
	int r = ipc_recv(*channel, &m);
	if (r == -ENODATA) {
		fd_close(channel);
		return;
	}
	assert_int_equal(r, 0);
	if (m.type == IPC_RCPT && channel == &p->directory)
		answer_rcpt(p, m.msg);
	else if (m.type == IPC_DELIVER && is_worker)
		deliver_file(p, (unsigned)(channel - p->delivery), m.msg);
	else if (m.type == IPC_DELIVER_SHORT && is_worker)
		deliver_short(p, (unsigned)(channel - p->delivery), m.msg);
	else if (channel == &p->queue)
		serve_submitter(p, &m);
	else if (m.type == IPC_INTRODUCE && channel == &p->gatekeeper)
		answer_introduce(p, m.msg);
	else if (m.type == IPC_BUDGET && channel == &p->gatekeeper)
		answer_budget(p, m.msg);
	else
		FAIL(p, "a message of type %u where none is allowed", m.type);
	ipc_received_done(&m);
}

/* One round: bytes of the server into `in`, questions answered. False when nothing came. */
static bool turn(struct play *p, int ms)
{
	int *const channels[] = {&p->directory, &p->gatekeeper, &p->delivery[0], &p->delivery[1],
	    &p->delivery[2], &p->delivery[3], &p->queue};
	struct pollfd fds[1 + ARRAY_LEN(channels)] = {
	    {.fd = p->ended ? -1 : p->peer, .events = POLLIN}};
	for (size_t i = 0; i < ARRAY_LEN(channels); i++)
		fds[i + 1] = (struct pollfd){.fd = *channels[i], .events = POLLIN};
	if (poll(fds, ARRAY_LEN(fds), ms) <= 0)
		return false;
	if (fds[0].revents) {
		char *to = buf_reserve(&p->in, 65536);
		assert_non_null(to);
		ssize_t n = recv(p->peer, to, 65536, MSG_DONTWAIT);
		if (n > 0)
			buf_commit(&p->in, (size_t)n);
		else
			p->ended = true;
	}
	for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
		if (fds[i + 1].revents)
			serve(p, channels[i]);
	}
	return true;
}

/* --- steps --- */

static void start_gate(struct play *p)
{
	int connection[2], directory[2], gatekeeper[2], queue[2], drain[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, connection), 0);
	assert_int_equal(ipc_pair(directory), 0);
	assert_int_equal(ipc_pair(gatekeeper), 0);
	assert_int_equal(ipc_pair(queue), 0);
	assert_int_equal(pipe(drain), 0);
	fflush(NULL);
	p->gate = fork();
	assert_true(p->gate >= 0);
	if (p->gate == 0) {
		close(connection[0]);
		close(directory[0]);
		close(gatekeeper[0]);
		close(queue[0]);
		close(drain[1]);
		log_open("gate-smtp", LOG_ALARM);
		struct gate g;
		gate_init(&g, connection[1], &p->config);
		g.channels.directory = directory[1];
		g.channels.gatekeeper = gatekeeper[1];
		g.drain = drain[0];
		g.connection = 0xabc;
		memcpy(g.peer, "192.0.2.7", 10);
		g.channels.queue = p->submission == 1 ? queue[1] : -1;
		(void)(p->submission != 0 ? gate_submission(&g) : gate_smtp(&g));
		gate_done(&g);
		_exit(0);
	}
	close(connection[1]);
	close(directory[1]);
	close(gatekeeper[1]);
	close(queue[1]);
	close(drain[0]);
	p->peer = connection[0];
	p->directory = directory[0];
	p->gatekeeper = gatekeeper[0];
	p->drain = drain[1];
	if (p->submission == 1)
		p->queue = queue[0];
	else
		close(queue[0]);
}

/* Appends `s` with its escapes undone; {x*10} is ten times x. */
static void unescape(struct play *p, struct str s, struct buf *out)
{
	while (s.len > 0) {
		char c = s.p[0];
		s = str_from(s, 1);
		if (c == '{') {
			struct str group = str_cut(&s, '}');
			size_t star = str_index(group, '*');
			uint64_t n;
			if (!num_parse(str_from(group, star + 1), PLAY_BUFFER, &n))
				FAIL(p, "no number behind *");
			struct buf once CLEANUP(buf_done) = BUF_MAX(4096);
			unescape(p, str_first(group, star), &once);
			while (n-- > 0)
				buf_add(out, buf_str(&once));
			continue;
		}
		if (c == '\\' && s.len > 0) {
			char e = s.p[0];
			s = str_from(s, 1);
			c = e == 'r' ? '\r' : e == 'n' ? '\n' : e == 't' ? '\t' : e;
			if (e == 'x') {
				c = (char)(ascii_hex(s.p[0]) * 16 + ascii_hex(s.p[1]));
				s = str_from(s, 2);
			}
		}
		buf_add_c(out, c);
	}
	assert_false(buf_failed(out));
}

/* Sends without waiting for the server longer than it needs us: it may want answers meanwhile. */
static void send_all(struct play *p, struct str s)
{
	while (s.len > 0) {
		ssize_t n = send(p->peer, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			s = str_from(s, (size_t)n);
		else if (errno == EPIPE || errno == ECONNRESET)
			return;
		else
			turn(p, 10);
	}
}

static void client_says(struct play *p, struct str text, bool line)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(PLAY_BUFFER);
	unescape(p, text, &bytes);
	if (line)
		buf_add(&bytes, STR("\r\n"));
	send_all(p, buf_str(&bytes));
}

static void expect_line(struct play *p, struct str text, bool whole)
{
	size_t lf;
	while ((lf = str_index(buf_str(&p->in), '\n')) == p->in.len) {
		if (p->ended || !turn(p, STEP_MS))
			FAIL(p, "nothing where `%.*s` was expected", STR_FMT(text));
	}
	struct str line = str_trim(str_first(buf_str(&p->in), lf));
	if (lf == 0 || p->in.p[lf - 1] != '\r' ||
	    !(whole ? str_eq(line, text) : str_starts(line, text)))
		FAIL(p, "`%.*s` where `%.*s` was expected", STR_FMT(line), STR_FMT(text));
	buf_consume(&p->in, lf + 1);
}

static void expect_silence(struct play *p, struct str text)
{
	(void)text;
	while (p->in.len == 0 && turn(p, SILENCE_MS))
		;
	if (p->in.len > 0 || p->ended)
		FAIL(p, "the server said something or left");
}

static void expect_end(struct play *p, struct str text)
{
	(void)text;
	while (!p->ended) {
		if (!turn(p, STEP_MS))
			FAIL(p, "the connection is still open");
	}
	if (p->in.len > 0)
		FAIL(p, "`%.*s` before the end", STR_FMT(buf_str(&p->in)));
}

static void expect_equal(struct play *p, const char *what, struct str got, struct str expected)
{
	if (!str_eq(got, expected))
		FAIL(p, "%s is `%.*s`, not `%.*s`", what, STR_FMT(got), STR_FMT(expected));
}

static void expect_delivered(struct play *p, struct str text)
{
	struct buf value CLEANUP(buf_done) = BUF_MAX(PLAY_BUFFER);
	struct str key = str_cut(&text, '=');
	unescape(p, text, &value);
	char number[24];
	const struct {
		const char *key;
		struct str got;
	} fields[] = {{"accounts", buf_str(&p->accounts)}, {"recipients", buf_str(&p->recipients)},
	    {"from", buf_str(&p->from)}, {"envid", buf_str(&p->envid)},
	    {"text", buf_str(&p->text)}};
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (str_eq(key, str_of_cstr(fields[i].key))) {
			expect_equal(p, fields[i].key, fields[i].got, buf_str(&value));
			return;
		}
	}
	if (str_eq(key, STR("trace"))) {
		if (str_find(buf_str(&p->trace), buf_str(&value)) == p->trace.len)
			FAIL(p, "trace is `%.*s`", STR_FMT(buf_str(&p->trace)));
		return;
	}
	unsigned n = str_eq(key, STR("body"))            ? p->body
	             : str_eq(key, STR("smtputf8"))      ? p->smtputf8
	             : str_eq(key, STR("count"))         ? p->n_delivered
	             : str_eq(key, STR("worker"))        ? p->worker
	             : str_eq(key, STR("introductions")) ? p->n_introductions
	                                                 : 9999;
	snprintf(number, sizeof number, "%u", n);
	expect_equal(p, "number", str_of_cstr(number), buf_str(&value));
}

static void expect_told(struct play *p, struct str text)
{
	size_t lf;
	while ((lf = str_index(buf_str(&p->told), '\n')) == p->told.len) {
		if (!turn(p, STEP_MS))
			FAIL(p, "the queue was told nothing where `%.*s` was expected",
			    STR_FMT(text));
	}
	expect_equal(p, "what the queue was told", str_first(buf_str(&p->told), lf), text);
	buf_consume(&p->told, lf + 1);
}

static void set_option(struct play *p, struct str text)
{
	uint64_t value = 0;
	struct str key = str_cut(&text, '=');
	if (!num_parse(text, UINT64_MAX, &value))
		FAIL(p, "an option without a number");
	const struct {
		const char *key;
		uint64_t *at;
	} options[] = {{"message_size", &p->config.message_size},
	    {"recipients", &p->config.recipients}, {"smtp_errors", &p->config.smtp_errors},
	    {"smtp_timeout", &p->config.smtp_timeout}, {"smtp_duration", &p->config.smtp_duration},
	    {"sign_in_timeout", &p->config.sign_in_timeout}, {"hold", &p->config.submit_hold},
	    {"show_client", &p->config.outbound_show_client}, {"submission", &p->submission},
	    {"queue", &p->no_queue}, {"budget", &p->budget}, {"missing", &p->missing},
	    {"busy", &p->busy}};
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (str_eq(key, str_of_cstr(options[i].key))) {
			*options[i].at = value;
			return;
		}
	}
	FAIL(p, "no such option");
}

static void client_line(struct play *p, struct str text)
{
	client_says(p, text, true);
}

static void client_bytes(struct play *p, struct str text)
{
	client_says(p, text, false);
}

static void client_ends(struct play *p, struct str text)
{
	(void)text;
	shutdown(p->peer, SHUT_WR);
}

static void drain(struct play *p, struct str text)
{
	(void)text;
	fd_close(&p->drain);
}

static void whole_line(struct play *p, struct str text)
{
	expect_line(p, text, true);
}

static void begin_of_line(struct play *p, struct str text)
{
	expect_line(p, text, false);
}

static void step(struct play *p, struct str line)
{
	static const struct {
		struct str prefix;
		void (*run)(struct play *p, struct str text);
	} steps[] = {
	    {STR_INIT("C: "), client_line},
	    {STR_INIT("C> "), client_bytes},
	    {STR_INIT("CX"), client_ends},
	    {STR_INIT("DRAIN"), drain},
	    {STR_INIT("S: "), whole_line},
	    {STR_INIT("S~ "), begin_of_line},
	    {STR_INIT("S."), expect_silence},
	    {STR_INIT("SX"), expect_end},
	    {STR_INIT("M: "), expect_delivered},
	    {STR_INIT("Q: "), expect_told},
	};
	struct str rest = line;
	if (str_skip(&rest, STR("O: "))) {
		set_option(p, rest);
		return;
	}
	if (line.len == 0 || line.p[0] == '#')
		return;
	if (p->gate == 0)
		start_gate(p);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (str_skip(&rest, steps[i].prefix)) {
			steps[i].run(p, rest);
			return;
		}
	}
	FAIL(p, "no such step");
}

static void finish(struct play *p)
{
	int status;
	if (p->in.len > 0)
		FAIL(p, "left unread: `%.*s`", STR_FMT(buf_str(&p->in)));
	shutdown(p->peer, SHUT_WR);
	while (!p->ended && turn(p, STEP_MS))
		;
	fd_close(&p->peer);
	while ((p->gatekeeper >= 0) && turn(p, STEP_MS))
		;
	assert_int_equal(waitpid(p->gate, &status, 0), p->gate);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		FAIL(p, "the dialogue died (%d)", status);
	if (p->budget_now != 0)
		FAIL(p, "memory was not given back");
	fd_close(&p->directory);
	for (size_t i = 0; i < WORKERS; i++)
		fd_close(&p->delivery[i]);
	fd_close(&p->queue);
	fd_close(&p->drain);
	if (p->told.len > 0)
		FAIL(p, "not looked at: `%.*s`", STR_FMT(buf_str(&p->told)));
	struct buf *const bufs[] = {&p->in, &p->accounts, &p->recipients, &p->from, &p->envid,
	    &p->trace, &p->text, &p->told};
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		buf_done(bufs[i]);
}

static void play(const char *name, struct str text)
{
	struct play p = {
	    .name = name, .peer = -1, .delivery = {-1, -1, -1, -1}, .queue = -1, .budget = 1 << 30};
	struct buf *const bufs[] = {
	    &p.in, &p.accounts, &p.recipients, &p.from, &p.envid, &p.trace, &p.text, &p.told};
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		*bufs[i] = BUF_MAX(PLAY_BUFFER);
	memcpy(p.config.hostname, "mx.example.test", 16);
	p.config.delivery_workers = WORKERS;
	p.config.message_size = 1 << 20;
	p.config.recipients = 100;
	p.config.smtp_errors = 10;
	p.config.smtp_timeout = 60;
	p.config.smtp_duration = 600;
	p.config.sign_in_timeout = 60;
	p.config.submit_hold = 86400;
	while (text.len > 0) {
		p.line++;
		step(&p, str_cut_line(&text));
	}
	finish(&p);
}

static void transcripts(void **state)
{
	(void)state;
	DIR *dir = opendir("src/gate/smtp/transcripts"); /* tests run in the root of the tree */
	assert_non_null(dir);
	unsigned n = 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		char *text;
		size_t len;
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(fd_read_file(dirfd(dir), e->d_name, PLAY_BUFFER, &text, &len), 0);
		play(e->d_name, str_of(text, len));
		free(text);
		n++;
	}
	closedir(dir);
	assert_true(n >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(transcripts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
