/*
 * bench/imap_load.c: what bench/imap does to an IMAP server, the same with every server.
 *
 *   imap_load SERVER… MODE…      SERVER: PORT tls|plain USER PASSWORD
 *
 *   … capability                            what it announces after sign-in
 *   … run COMMAND…                          each command in turn, timed; a list of answers
 *   … fill MAILBOX FIRST N SIZE             messages of the corpus by MULTIAPPEND, flags and dates
 *                                           included
 *   … fetch-one MAILBOX N SECONDS           one BODY.PEEK[] after the other, at random
 *   … store-one MAILBOX N SECONDS           one flag of one message after the other, at random
 *   … append MAILBOX CONNECTIONS N SIZE ACCOUNTS
 *                                           N messages over CONNECTIONS; "%u" in USER is the
 * account … hold N COMMAND…                       N connections, each after these commands, until
 * the end of input imap_load deliver PORT smtp|lmtp RECIPIENT CONNECTIONS N SIZE imap_load corpus N
 * the words to search for, and how many messages have them imap_load message NUMBER SIZE one
 * message of the corpus, to be looked at
 *
 * Figures go to standard output as JSON. The messages are those of corpus.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "corpus.h"

enum { BATCH = 50, USER_LEN = 128, TEXT_LEN = 512, SERVER_ARGS = 5 };

struct server {
	const char *port, *user, *password;
	SSL_CTX *tls;
};

static unsigned long number(const char *text)
{
	return strtoul(text, NULL, 10);
}

static double cpu_ms(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e3 +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e3;
}

static void sign_in(struct client *c, const struct server *s)
{
	client_open(c, s->port, s->tls);
	imap_sign_in(c, s->user, s->password);
}

static void select_mailbox(struct client *c, const char *mailbox)
{
	char command[TEXT_LEN];

	snprintf(command, sizeof(command), "SELECT %s", mailbox);
	imap_must(c, command);
}

static int capability(const struct server *s, char **argv)
{
	struct client c;
	size_t len;

	(void)argv;
	sign_in(&c, s);
	imap_send(&c, "CAPABILITY");
	const char *line = client_line(&c, &len);
	printf("{\"capability\": \"%s\"}\n", len > 13 ? line + 13 : "");
	return 0;
}

static void print_answer(const struct answer *a, double generator_ms)
{
	printf(
	    "{\"ok\": %s, \"text\": \"%s\", \"ms\": %.3f, \"generator_ms\": %.1f, \"bytes\": %lu, "
	    "\"literal_bytes\": %lu, \"fetches\": %lu, \"expunges\": %lu, \"exists\": %lu, "
	    "\"hits\": %lu, \"digest\": \"%016lx\", \"uidvalidity\": %llu, "
	    "\"highestmodseq\": %llu}",
	    a->ok ? "true" : "false", a->text, a->ms, generator_ms, a->bytes, a->literal_bytes,
	    a->fetches, a->expunges, a->exists, a->hits, a->digest, a->uidvalidity,
	    a->highestmodseq);
}

static int run(const struct server *s, char **argv)
{
	struct client c;

	sign_in(&c, s);
	printf("[");
	for (char **command = argv; *command != NULL; command++) {
		struct answer a;
		double before = cpu_ms(RUSAGE_SELF);
		imap_command(&c, *command, &a);
		print_answer(&a, cpu_ms(RUSAGE_SELF) - before);
		printf("%s", command[1] != NULL ? ",\n" : "");
	}
	printf("]\n");
	return 0;
}

/* Flags, date and the message as a literal that is not waited for (RFC 7888). */
static size_t append_part(unsigned n, size_t size, char *to)
{
	static char message[CORPUS_ROOM * 64];
	char date[CORPUS_DATE_LEN];

	if (size > sizeof(message) - CORPUS_ROOM)
		die("messages of such a size");
	size_t len = corpus_message(n, size, message);
	corpus_internal_date(n, date, sizeof(date));
	size_t at = (size_t)snprintf(to, TEXT_LEN, "%s %s {%zu+}\r\n", corpus_flags(n), date, len);
	memcpy(to + at, message, len);
	return at + len;
}

static int fill(const struct server *s, char **argv)
{
	unsigned long first = number(argv[1]), n = number(argv[2]), size = number(argv[3]);
	char *batch = malloc(BATCH * (size + CORPUS_ROOM + TEXT_LEN) + TEXT_LEN);
	double begin = now_ms();
	struct client c;
	struct answer a;

	if (batch == NULL)
		die("memory");
	sign_in(&c, s);
	for (unsigned long at = 0; at < n; at += BATCH) {
		size_t len = (size_t)snprintf(batch, TEXT_LEN, "t%u APPEND %s", ++c.tag, argv[0]);
		for (unsigned long i = at; i < at + BATCH && i < n; i++) {
			batch[len++] = ' ';
			len += append_part((unsigned)(first + i), size, batch + len);
		}
		memcpy(batch + len, "\r\n", 2);
		client_write(&c, batch, len + 2);
		imap_answer(&c, &a);
		if (!a.ok)
			die(a.text);
	}
	printf("{\"seconds\": %.3f, \"done\": %lu}\n", (now_ms() - begin) / 1e3, n);
	return 0;
}

static unsigned long next_random(unsigned long below)
{
	static uint64_t x = 88172645463325252u; /* xorshift64 */

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned long)(x >> 11) % below;
}

/* Sends one command after the other until the time is over; `format` takes a message's number and
 * a sign that changes from one to the next. Each answer must hold one FETCH of that message. */
static int one_by_one(const struct server *s, char **argv, bool stores)
{
	unsigned long n = number(argv[1]), done = 0, fetches = 0;
	double seconds = (double)number(argv[2]);
	char command[TEXT_LEN];
	struct client c;
	struct answer a;

	sign_in(&c, s);
	select_mailbox(&c, argv[0]);
	double begin = now_ms();
	while (now_ms() - begin < seconds * 1e3) {
		unsigned long message = next_random(n) + 1;
		if (stores)
			snprintf(command, sizeof(command), "STORE %lu %cFLAGS (\\Draft)", message,
			    done % 4 == 3 ? '-' : '+');
		else
			snprintf(command, sizeof(command), "FETCH %lu BODY.PEEK[]", message);
		imap_command(&c, command, &a);
		fetches += a.fetches;
		if (!a.ok || (!stores && a.literal_bytes == 0))
			die(a.text);
		done++;
	}
	double spent = (now_ms() - begin) / 1e3;
	printf("{\"per_second\": %.1f, \"done\": %lu, \"fetches\": %lu}\n", (double)done / spent,
	    done, fetches);
	return 0;
}

static int fetch_one(const struct server *s, char **argv)
{
	return one_by_one(s, argv, false);
}

static int store_one(const struct server *s, char **argv)
{
	return one_by_one(s, argv, true);
}

/* One connection's share of the messages, made before the start. */
struct share {
	char **messages;
	size_t *lens;
	unsigned long n;
};

static struct share share_make(unsigned long n, unsigned long first, size_t size)
{
	struct share s = {calloc(n, sizeof(*s.messages)), calloc(n, sizeof(*s.lens)), n};

	for (unsigned long i = 0; i < n; i++) {
		s.messages[i] = malloc(size + CORPUS_ROOM);
		if (s.messages[i] == NULL)
			die("memory");
		s.lens[i] = corpus_message((unsigned)(first + i), size, s.messages[i]);
	}
	return s;
}

/* Tells that this connection is ready and waits until all are. */
static void wait_for_all(const int ready[2], const int go[2])
{
	char byte = 0;

	close(ready[0]);
	close(go[1]);
	if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 0)
		die("start");
}

/* Runs `body` in `n` processes which start together; prints the rate for `messages`. */
static int together(unsigned n, unsigned long messages,
    void (*body)(unsigned worker, const int ready[2], const int go[2], void *context),
    void *context)
{
	int ready[2], go[2], status, failed = 0;
	char byte;

	if (pipe(ready) < 0 || pipe(go) < 0)
		die("pipe");
	for (unsigned w = 0; w < n; w++) {
		if (fork() == 0) {
			body(w, ready, go, context);
			_exit(0);
		}
	}
	close(ready[1]);
	for (unsigned w = 0; w < n; w++)
		if (read(ready[0], &byte, 1) != 1)
			die("a connection did not start");
	close(go[0]);
	double begin = now_ms();
	close(go[1]);
	while (wait(&status) > 0)
		failed |= status != 0;
	double seconds = (now_ms() - begin) / 1e3;
	printf(
	    "{\"per_second\": %.1f, \"seconds\": %.3f, \"done\": %lu, \"generator_cpu_s\": %.3f}\n",
	    (double)messages / seconds, seconds, failed ? 0 : messages,
	    cpu_ms(RUSAGE_CHILDREN) / 1e3);
	return failed;
}

struct job {
	const struct server *server;
	char **argv;
};

static void append_worker(unsigned worker, const int ready[2], const int go[2], void *context)
{
	const struct job *job = context;
	char **argv = job->argv;
	unsigned long connections = number(argv[1]), per = number(argv[2]) / connections;
	struct share share = share_make(per, worker * per, number(argv[3]));
	char user[USER_LEN], command[TEXT_LEN];
	const char *place = strstr(job->server->user, "%u");
	struct server own = *job->server;
	struct client c;
	struct answer a;

	if (place != NULL) {
		snprintf(user, sizeof(user), "%.*s%lu%s", (int)(place - own.user), own.user,
		    worker % number(argv[4]) + 1, place + 2);
		own.user = user;
	}
	sign_in(&c, &own);
	wait_for_all(ready, go);
	for (unsigned long i = 0; i < per; i++) {
		int len = snprintf(command, sizeof(command), "t%u APPEND %s (\\Seen) {%zu+}\r\n",
		    ++c.tag, argv[0], share.lens[i]);
		client_write(&c, command, (size_t)len);
		client_write(&c, share.messages[i], share.lens[i]);
		client_write(&c, "\r\n", 2);
		imap_answer(&c, &a);
		if (!a.ok)
			die(a.text);
	}
}

static int append(const struct server *s, char **argv)
{
	struct job job = {s, argv};
	unsigned long connections = number(argv[1]),
	              n = number(argv[2]) / connections * connections;

	return together((unsigned)connections, n, append_worker, &job);
}

static int hold(const struct server *s, char **argv)
{
	unsigned long n = number(argv[0]);

	for (unsigned long i = 0; i < n; i++) {
		struct client c;
		sign_in(&c, s);
		for (char **command = argv + 1; *command != NULL; command++)
			imap_must(&c, *command);
	}
	puts("held");
	fflush(stdout);
	getchar();
	return 0;
}

/* argv: PORT smtp|lmtp RECIPIENT CONNECTIONS N SIZE */
static void deliver_worker(unsigned worker, const int ready[2], const int go[2], void *context)
{
	char **argv = ((const struct job *)context)->argv;
	unsigned long per = number(argv[4]) / number(argv[3]);
	struct share share = share_make(per, worker * per, number(argv[5]));
	bool lmtp = strcmp(argv[1], "lmtp") == 0;
	char command[TEXT_LEN];
	struct client c;

	client_open(&c, argv[0], NULL);
	smtp_must(&c);
	const char *hello = lmtp ? "LHLO load.example\r\n" : "EHLO load.example\r\n";
	client_write(&c, hello, strlen(hello));
	smtp_must(&c);
	int len = snprintf(command, sizeof(command),
	    "MAIL FROM:<load@load.example>\r\nRCPT TO:<%s>\r\nDATA\r\n", argv[2]);
	wait_for_all(ready, go);
	for (unsigned long i = 0; i < per; i++) {
		client_write(&c, command, (size_t)len);
		for (unsigned reply = 0; reply < 3; reply++)
			smtp_must(&c);
		client_write(&c, share.messages[i], share.lens[i]);
		client_write(&c, ".\r\n", 3);
		smtp_must(&c);
	}
}

static int deliver(char **argv)
{
	struct job job = {NULL, argv};
	unsigned long connections = number(argv[3]);

	return together((unsigned)connections, number(argv[4]) / connections * connections,
	    deliver_worker, &job);
}

static int corpus(unsigned long n)
{
	static const char *const names[CORPUS_MARKS] = {"subject", "common", "rare", "substring"};
	unsigned long unseen = 0;

	printf("{");
	for (enum corpus_mark m = 0; m < CORPUS_MARKS; m++) {
		unsigned long hits = 0;
		for (unsigned long i = 0; i < n; i++)
			hits += corpus_has(m, (unsigned)i);
		printf("\"%s\": {\"text\": \"%s\", \"hits\": %lu}, ", names[m], corpus_mark_text(m),
		    hits);
	}
	for (unsigned long i = 0; i < n; i++)
		unseen += !corpus_is_seen((unsigned)i);
	printf("\"unseen\": %lu}\n", unseen);
	return 0;
}

static int message(unsigned long which, unsigned long size)
{
	char *text = malloc(size + CORPUS_ROOM);

	if (text == NULL)
		die("memory");
	fwrite(text, 1, corpus_message((unsigned)which, size, text), stdout);
	return 0;
}

static const struct {
	const char *name;
	int least_args;
	int (*run)(const struct server *s, char **argv);
} modes[] = {
    {"capability", 0, capability},
    {"run", 1, run},
    {"fill", 4, fill},
    {"fetch-one", 3, fetch_one},
    {"store-one", 3, store_one},
    {"append", 5, append},
    {"hold", 1, hold},
};

int main(int argc, char **argv)
{
	if (argc == 8 && strcmp(argv[1], "deliver") == 0)
		return deliver(argv + 2);
	if (argc == 3 && strcmp(argv[1], "corpus") == 0)
		return corpus(number(argv[2]));
	if (argc == 4 && strcmp(argv[1], "message") == 0)
		return message(number(argv[2]), number(argv[3]));
	for (size_t i = 0; argc > SERVER_ARGS && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[SERVER_ARGS], modes[i].name) != 0 ||
		    argc - SERVER_ARGS - 1 < modes[i].least_args)
			continue;
		struct server s = {.port = argv[1],
		    .user = argv[3],
		    .password = argv[4],
		    .tls = strcmp(argv[2], "tls") == 0 ? client_tls() : NULL};
		return modes[i].run(&s, argv + SERVER_ARGS + 1);
	}
	fprintf(stderr, "usage: see the head of bench/imap_load.c\n");
	return 2;
}
