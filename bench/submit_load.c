/*
 * bench/submit_load.c: submits mail that leaves the house, the same with every server.
 *
 *   submit_load PORT tls|plain USER PASSWORD SENDER RECIPIENT CONNECTIONS MESSAGES SIZE
 *
 * USER "-": without signing in. RECIPIENT is "local@domain" with "%u" in it for the message's
 * number, so that destinations can differ. Each connection is a process that submits its share of
 * the messages one after the other, each in a transaction of its own. The messages are those of
 * corpus.h. Figures go to standard output as JSON: how long it took until all were acknowledged,
 * and the median time of one.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "corpus.h"

enum { TEXT_LEN = 1024, ARGUMENTS = 10 };

struct task {
	const char *port, *user, *password, *sender, *recipient;
	SSL_CTX *tls;
	unsigned first, end;
	size_t size;
	double *ms; /* of each message, shared with the parent */
};

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

static void say(struct client *c, const char *line)
{
	client_write(c, line, strlen(line));
	smtp_must(c);
}

static void sign_in(struct client *c, const struct task *t)
{
	char plain[TEXT_LEN], line[2 * TEXT_LEN] = "AUTH PLAIN ";
	int len;

	smtp_must(c);
	say(c, "EHLO bench.example.test\r\n");
	if (strcmp(t->user, "-") == 0)
		return;
	len = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, t->user, 0, t->password);
	size_t at = strlen(line);
	at += (size_t)EVP_EncodeBlock((unsigned char *)line + at, (unsigned char *)plain, len);
	memcpy(line + at, "\r\n", 3);
	say(c, line);
}

/* The corpus has its own authors and recipients; a server lets nobody write in others' names. */
static void hide(char *header, const char *field)
{
	char *found = strstr(header, field);

	if (found != NULL)
		found[2] = 'X';
}

/* As clients with PIPELINING do it: the envelope in one piece, then the message. */
static void submit(struct client *c, const struct task *t, unsigned n, char *message)
{
	char recipient[TEXT_LEN], envelope[3 * TEXT_LEN];

	snprintf(recipient, sizeof(recipient), t->recipient, n);
	int len = snprintf(envelope, sizeof(envelope), "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n",
	    t->sender, recipient);
	client_write(c, envelope, (size_t)len);
	for (int i = 0; i < 3; i++)
		smtp_must(c);
	size_t at =
	    (size_t)snprintf(message, TEXT_LEN, "From: <%s>\r\nTo: <%s>\r\n", t->sender, recipient);
	size_t from = at;
	at += corpus_message(n, t->size, message + at);
	hide(message + from - 2, "\r\nFrom:");
	hide(message + from - 2, "\r\nTo:");
	memcpy(message + at, ".\r\n", 3);
	client_write(c, message, at + 3);
	smtp_must(c);
}

static void run(const struct task *t)
{
	struct client c;
	char *message = malloc(t->size + CORPUS_ROOM + TEXT_LEN + 8);

	if (message == NULL)
		die("malloc");
	client_open(&c, t->port, t->tls);
	sign_in(&c, t);
	for (unsigned n = t->first; n < t->end; n++) {
		double begin = now_ms();
		submit(&c, t, n, message);
		t->ms[n] = now_ms() - begin;
	}
	say(&c, "QUIT\r\n");
	client_close(&c);
	free(message);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc != ARGUMENTS) {
		fprintf(stderr, "usage: submit_load PORT tls|plain USER PASSWORD SENDER RECIPIENT "
		                "CONNECTIONS MESSAGES SIZE\n");
		return 2;
	}
	unsigned connections = number(argv[7]), messages = number(argv[8]);
	struct task t = {.port = argv[1],
	    .tls = strcmp(argv[2], "tls") == 0 ? client_tls() : NULL,
	    .user = argv[3],
	    .password = argv[4],
	    .sender = argv[5],
	    .recipient = argv[6],
	    .size = number(argv[9])};
	t.ms = mmap(NULL, (messages + 1) * sizeof(double), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t.ms == MAP_FAILED || connections == 0 || messages < connections)
		die("arguments");
	double begin = now_ms();
	for (unsigned i = 0; i < connections; i++) {
		t.first = (unsigned)((unsigned long)messages * i / connections);
		t.end = (unsigned)((unsigned long)messages * (i + 1) / connections);
		if (fork() == 0) {
			run(&t);
			_exit(0);
		}
	}
	int status, failed = 0;
	while (wait(&status) > 0)
		failed |= status;
	double seconds = (now_ms() - begin) / 1e3;
	if (failed)
		return 1;
	qsort(t.ms, messages, sizeof(double), by_value);
	printf("{\"seconds\": %.3f, \"median_ms\": %.3f}\n", seconds, t.ms[messages / 2]);
	return 0;
}
