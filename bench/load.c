/*
 * bench/load.c: the one load generator that every server in a benchmark run sees.
 *
 *   load smtp   PORT CONNECTIONS MESSAGES SIZE PER_CONNECTION ACCOUNTS   messages into mailboxes
 *   load smtp-to PORT CONNECTIONS MESSAGES SIZE PER_CONNECTION ACCOUNT   the same, all to one
 * account load signin PORT CONNECTIONS SIGNINS PASSWORD ACCOUNTS               TLS + LOGIN + LOGOUT
 * on an IMAPS port load fetch  PORT USER PASSWORD MAILBOX                               SELECT,
 * FETCH 1:* (ENVELOPE), timed load hold   PORT CONNECTIONS PASSWORD ACCOUNTS idle IMAPS connections
 * until end of input load latency SMTP_PORT IMAPS_PORT USER PASSWORD ROUNDS from SMTP's 250 to the
 * idle client's EXISTS
 *
 * It knows nothing of the servers: addresses are user1@example.test … userN@example.test, all on
 * 127.0.0.1. Each connection is a process that blocks; figures go to standard output as one JSON
 * object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 65536, USER_LEN = 64, IO_TIMEOUT_S = 60 };

struct peer {
	int fd;
	SSL *tls;
	char in[LINE_MAX_LEN];
	size_t in_len, in_at;
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void peer_connect(struct peer *p, const char *port, SSL_CTX *tls)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = IO_TIMEOUT_S};
	int one = 1;

	*p = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (tls == NULL)
		return;
	p->tls = SSL_new(tls);
	SSL_set_fd(p->tls, p->fd);
	if (SSL_connect(p->tls) != 1)
		die("TLS handshake");
}

static void peer_close(struct peer *p)
{
	if (p->tls != NULL)
		SSL_free(p->tls);
	close(p->fd);
}

static void peer_write(struct peer *p, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put =
		    p->tls ? SSL_write(p->tls, bytes, (int)len) : write(p->fd, bytes, len);
		if (put <= 0)
			die("write");
		bytes += put;
		len -= (size_t)put;
	}
}

/* Makes at least one byte of input be there. */
static void peer_fill(struct peer *p)
{
	if (p->in_at > 0) {
		memmove(p->in, p->in + p->in_at, p->in_len - p->in_at);
		p->in_len -= p->in_at;
		p->in_at = 0;
	}
	size_t room = sizeof(p->in) - p->in_len;
	ssize_t got = p->tls ? SSL_read(p->tls, p->in + p->in_len, (int)room)
	                     : read(p->fd, p->in + p->in_len, room);
	if (got <= 0)
		die("the server ended the connection");
	p->in_len += (size_t)got;
}

/* The next line, NUL in place of CRLF, valid until the next call. */
static const char *peer_line(struct peer *p)
{
	for (;;) {
		char *from = p->in + p->in_at;
		char *end = memchr(from, '\n', p->in_len - p->in_at);
		if (end != NULL) {
			p->in_at = (size_t)(end - p->in) + 1;
			end[0] = '\0';
			if (end > from && end[-1] == '\r')
				end[-1] = '\0';
			return from;
		}
		if (p->in_at == 0 && p->in_len == sizeof(p->in))
			p->in_len = 0; /* a line longer than we care about */
		peer_fill(p);
	}
}

/* Reads an SMTP reply to its last line; true for 2xx and 3xx. */
static bool smtp_reply(struct peer *p)
{
	const char *line;

	do {
		line = peer_line(p);
	} while (strlen(line) > 3 && line[3] == '-');
	if (line[0] != '2' && line[0] != '3')
		fprintf(stderr, "load: %s\n", line);
	return line[0] == '2' || line[0] == '3';
}

static void smtp_hello(struct peer *p)
{
	static const char hello[] = "EHLO load.example\r\n";

	smtp_reply(p);
	peer_write(p, hello, sizeof(hello) - 1);
	smtp_reply(p);
}

/* Text that compresses about as mail does: words out of a list, varied by the message's number. */
static size_t make_message(char *to, size_t size, unsigned number)
{
	static const char *const words[] = {"report", "please", "meeting", "the", "of", "and",
	    "budget", "tomorrow", "invoice", "town", "council", "attached", "review", "with",
	    "regards", "school", "patient", "number"};
	unsigned random = number * 2654435761u + 12345;
	size_t len = (size_t)snprintf(to, 4096,
	    "From: Load Test <load@load.example>\r\nTo: user@example.test\r\nSubject: Message %u "
	    "of the run\r\n"
	    "Message-ID: <%u.%d@load.example>\r\nDate: Mon, 23 Nov 2026 12:00:00 "
	    "+0000\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n",
	    number, number, (int)getpid());
	size_t column = 0;

	while (len < size) {
		random = random * 1103515245u + 12345;
		unsigned pick = random >> 16;
		len += (size_t)snprintf(to + len, 64, "%s%u ", words[pick % 18], pick % 977);
		column += 9;
		if (column > 60) {
			memcpy(to + len, "\r\n", 2);
			len += 2;
			column = 0;
		}
	}
	memcpy(to + len, "\r\n.\r\n", 5);
	return len + 5;
}

static bool smtp_send(struct peer *p, const char *message, size_t len, unsigned account)
{
	char command[256];
	int n = snprintf(command, sizeof(command),
	    "MAIL FROM:<load@load.example>\r\nRCPT TO:<user%u@example.test>\r\nDATA\r\n", account);

	peer_write(p, command, (size_t)n);
	bool ok = smtp_reply(p);
	ok &= smtp_reply(p);
	if (!smtp_reply(p))
		return false;
	peer_write(p, message, len);
	return smtp_reply(p) && ok;
}

static unsigned long arg(char **argv, int i)
{
	return strtoul(argv[i], NULL, 10);
}

/* Runs `body(worker, ctx)` in `n` processes; each adds to its own counter. Returns the sum. */
static unsigned long run_workers(unsigned n, unsigned long (*body)(unsigned, char **), char **argv)
{
	unsigned long *done = mmap(
	    NULL, n * sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long sum = 0;

	for (unsigned w = 0; w < n; w++) {
		if (fork() == 0) {
			done[w] = body(w, argv);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	for (unsigned w = 0; w < n; w++)
		sum += done[w];
	return sum;
}

static unsigned long smtp_worker(unsigned w, char **argv)
{
	unsigned long connections = arg(argv, 3), messages = arg(argv, 4), size = arg(argv, 5);
	unsigned long per_connection = arg(argv, 6), accounts = arg(argv, 7), sent = 0, on_this = 0;
	char *message = malloc(size + 4096);
	static struct peer p;
	bool open = false, one_account = strcmp(argv[1], "smtp-to") == 0;

	for (unsigned long i = w; i < messages; i += connections) {
		if (!open) {
			peer_connect(&p, argv[2], NULL);
			smtp_hello(&p);
			open = true;
			on_this = 0;
		}
		size_t len = make_message(message, size, (unsigned)i);
		sent += smtp_send(&p, message, len,
		    one_account ? (unsigned)accounts : (unsigned)(i % accounts) + 1);
		if (++on_this == per_connection) {
			peer_write(&p, "QUIT\r\n", 6);
			smtp_reply(&p);
			peer_close(&p);
			open = false;
		}
	}
	return sent;
}

static SSL_CTX *client_tls(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		die("TLS context");
	return ctx;
}

/* Waits for the tagged line; true when it says OK. */
static bool imap_done(struct peer *p, const char *tag)
{
	size_t len = strlen(tag);
	const char *line;

	do {
		line = peer_line(p);
	} while (strncmp(line, tag, len) != 0 || line[len] != ' ');
	if (strncmp(line + len + 1, "OK", 2) != 0)
		fprintf(stderr, "load: %s\n", line);
	return strncmp(line + len + 1, "OK", 2) == 0;
}

static bool imap_login(
    struct peer *p, const char *port, SSL_CTX *tls, const char *user, const char *password)
{
	char command[512];

	peer_connect(p, port, tls);
	peer_line(p);
	int n = snprintf(command, sizeof(command), "a LOGIN %s %s\r\n", user, password);
	peer_write(p, command, (size_t)n);
	return imap_done(p, "a");
}

static unsigned long signin_worker(unsigned w, char **argv)
{
	unsigned long connections = arg(argv, 3), signins = arg(argv, 4), accounts = arg(argv, 6),
	              done = 0;
	SSL_CTX *tls = client_tls();
	static struct peer p;
	char user[USER_LEN];

	for (unsigned long i = w; i < signins; i += connections) {
		snprintf(user, sizeof(user), "user%lu@example.test", i % accounts + 1);
		done += imap_login(&p, argv[2], tls, user, argv[5]);
		peer_write(&p, "b LOGOUT\r\n", 10);
		imap_done(&p, "b");
		peer_close(&p);
	}
	return done;
}

static int timed(const char *name, unsigned long want, unsigned n,
    unsigned long (*body)(unsigned, char **), char **argv)
{
	double begin = now();
	unsigned long done = run_workers(n, body, argv);
	double seconds = now() - begin;
	struct rusage own;

	getrusage(RUSAGE_CHILDREN, &own);
	double cpu = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
	             (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
	printf("{\"what\": \"%s\", \"done\": %lu, \"wanted\": %lu, \"seconds\": %.4f, "
	       "\"generator_cpu\": %.3f}\n",
	    name, done, want, seconds, cpu);
	return done == want ? 0 : 1;
}

static int fetch(char **argv)
{
	static struct peer p;
	char command[512];
	unsigned long bytes = 0, lines = 0;

	if (!imap_login(&p, argv[2], client_tls(), argv[3], argv[4]))
		return 1;
	double begin = now();
	int n = snprintf(command, sizeof(command), "b SELECT %s\r\n", argv[5]);
	peer_write(&p, command, (size_t)n);
	imap_done(&p, "b");
	double selected = now();
	static const char ask[] = "c FETCH 1:* (ENVELOPE)\r\n";
	peer_write(&p, ask, sizeof(ask) - 1);
	for (;;) {
		const char *line = peer_line(&p);
		bytes += strlen(line) + 2;
		if (strncmp(line, "c ", 2) == 0)
			break;
		lines += strstr(line, " FETCH (") != NULL;
	}
	printf("{\"what\": \"fetch\", \"select_ms\": %.2f, \"fetch_ms\": %.2f, \"messages\": %lu, "
	       "\"bytes\": %lu}\n",
	    (selected - begin) * 1e3, (now() - selected) * 1e3, lines, bytes);
	return 0;
}

static int hold(char **argv)
{
	unsigned long n = arg(argv, 3), accounts = arg(argv, 5);
	SSL_CTX *tls = client_tls();
	char user[USER_LEN];

	for (unsigned long i = 0; i < n; i++) {
		struct peer *p = malloc(sizeof(*p));
		snprintf(user, sizeof(user), "user%lu@example.test", i % accounts + 1);
		if (!imap_login(p, argv[2], tls, user, argv[4]))
			return 1;
		peer_write(p, "b SELECT INBOX\r\n", 16);
		imap_done(p, "b");
		peer_write(p, "c IDLE\r\n", 8);
	}
	puts("held");
	fflush(stdout);
	getchar();
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int latency(char **argv)
{
	static struct peer smtp, imap;
	unsigned rounds = (unsigned)arg(argv, 6), account = 1;
	double *ms = malloc(rounds * sizeof(*ms));
	char message[8192];

	sscanf(argv[4], "user%u", &account);
	if (!imap_login(&imap, argv[3], client_tls(), argv[4], argv[5]))
		return 1;
	peer_write(&imap, "b SELECT INBOX\r\n", 16);
	imap_done(&imap, "b");
	peer_write(&imap, "c IDLE\r\n", 8);
	while (peer_line(&imap)[0] != '+')
		;
	peer_connect(&smtp, argv[2], NULL);
	smtp_hello(&smtp);
	for (unsigned i = 0; i < rounds; i++) {
		size_t len = make_message(message, 4000, i);
		if (!smtp_send(&smtp, message, len, account))
			return 1;
		double begin = now();
		while (strstr(peer_line(&imap), "EXISTS") == NULL)
			;
		ms[i] = (now() - begin) * 1e3;
		usleep(20000);
	}
	qsort(ms, rounds, sizeof(*ms), by_value);
	printf("{\"what\": \"latency\", \"rounds\": %u, \"median_ms\": %.3f, \"p95_ms\": %.3f, "
	       "\"max_ms\": %.3f}\n",
	    rounds, ms[rounds / 2], ms[rounds * 95 / 100], ms[rounds - 1]);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc == 8 && strncmp(argv[1], "smtp", 4) == 0)
		return timed("smtp", arg(argv, 4), (unsigned)arg(argv, 3), smtp_worker, argv);
	if (argc == 7 && strcmp(argv[1], "signin") == 0)
		return timed("signin", arg(argv, 4), (unsigned)arg(argv, 3), signin_worker, argv);
	if (argc == 6 && strcmp(argv[1], "fetch") == 0)
		return fetch(argv);
	if (argc == 6 && strcmp(argv[1], "hold") == 0)
		return hold(argv);
	if (argc == 7 && strcmp(argv[1], "latency") == 0)
		return latency(argv);
	fprintf(stderr, "usage: see the head of bench/load.c\n");
	return 2;
}
