#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND_MAX = 64 * 1024 };

void die(const char *what)
{
	fprintf(
	    stderr, "imap_load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(1);
}

double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

SSL_CTX *client_tls(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	/* one cipher for all servers, and reads as large as the buffer */
	if (ctx == NULL || SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384") != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		die("TLS context");
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, CLIENT_BUFFER_LEN);
	return ctx;
}

void client_open(struct client *c, const char *port, SSL_CTX *tls)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
	int one = 1;

	*c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    .room = CLIENT_BUFFER_LEN,
	    .in = malloc(CLIENT_BUFFER_LEN)};
	if (c->in == NULL || c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (tls == NULL)
		return;
	c->tls = SSL_new(tls);
	SSL_set_fd(c->tls, c->fd);
	if (SSL_connect(c->tls) != 1)
		die("TLS handshake");
}

void client_close(struct client *c)
{
	if (c->tls != NULL)
		SSL_free(c->tls);
	close(c->fd);
	free(c->in);
	*c = (struct client){.fd = -1};
}

void client_write(struct client *c, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put =
		    c->tls ? SSL_write(c->tls, bytes, (int)len) : write(c->fd, bytes, len);
		if (put <= 0)
			die("write");
		bytes += put;
		len -= (size_t)put;
	}
}

/* Makes more input be there; what is in the buffer may move. */
static void client_fill(struct client *c)
{
	if (c->in_at > 0) {
		memmove(c->in, c->in + c->in_at, c->in_len - c->in_at);
		c->in_len -= c->in_at;
		c->in_at = 0;
	}
	if (c->in_len == c->room) { /* SEARCH answers in one line of any length */
		c->room *= 2;
		c->in = realloc(c->in, c->room);
		if (c->in == NULL)
			die("memory");
	}
	errno = 0;
	/* Who acknowledges late makes a server wait that writes an answer in several pieces
	 * (Nagle): Cyrus does, 40 ms each. Clients over a network see less of it, so none is shown
	 * here. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
	ssize_t got = c->tls ? SSL_read(c->tls, c->in + c->in_len, (int)(c->room - c->in_len))
	                     : read(c->fd, c->in + c->in_len, c->room - c->in_len);
	if (got <= 0)
		die("the server ended the connection");
	c->in_len += (size_t)got;
	c->bytes += (uint64_t)got;
}

char *client_line(struct client *c, size_t *ret_len)
{
	size_t looked = 0;

	for (;;) {
		char *from = c->in + c->in_at;
		size_t there = c->in_len - c->in_at;
		char *end = memchr(from + looked, '\n', there - looked);
		if (end != NULL) {
			c->in_at = (size_t)(end - c->in) + 1;
			if (end > from && end[-1] == '\r')
				end--;
			*end = '\0';
			*ret_len = (size_t)(end - from);
			return from;
		}
		looked = there;
		client_fill(c);
	}
}

void client_skip(struct client *c, size_t len)
{
	while (len > c->in_len - c->in_at) {
		len -= c->in_len - c->in_at;
		c->in_at = c->in_len;
		client_fill(c);
	}
	c->in_at += len;
}

/* Length of the literal that a line announces at its end: "{" number "}" (RFC 9051 §4.3). */
static bool announces_literal(const char *line, size_t len, size_t *ret_len)
{
	size_t from = len;

	if (len < 3 || line[len - 1] != '}')
		return false;
	while (from > 0 && line[from - 1] != '{')
		from--;
	if (from == 0)
		return false;
	*ret_len = strtoul(line + from, NULL, 10);
	return true;
}

static void note_found(const char *line, size_t len, struct answer *a)
{
	bool in_number = false;

	for (size_t i = 0; i < len; i++) {
		bool digit = line[i] >= '0' && line[i] <= '9';
		a->hits += digit && !in_number;
		in_number = digit;
		a->digest = (a->digest ^ (unsigned char)line[i]) * 1099511628211u; /* FNV-1a */
	}
}

static unsigned long long number_after(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* One untagged response, up to its first literal. */
static void note_response(const char *line, size_t len, struct answer *a)
{
	char *word;

	if (!starts(line, "* "))
		return;
	unsigned long number = strtoul(line + 2, &word, 10);
	if (word > line + 2) {
		a->fetches += starts(word, " FETCH ");
		a->expunges += starts(word, " EXPUNGE");
		if (starts(word, " EXISTS"))
			a->exists = number;
		return;
	}
	if (starts(word, "SEARCH") || starts(word, "SORT") || starts(word, "THREAD")) {
		size_t skip = (size_t)(strcspn(word, " ") + (size_t)(word - line));
		while (line[skip] == ' ')
			skip++;
		while (len > skip && line[len - 1] == ' ')
			len--;
		note_found(line + skip, len - skip, a);
	} else if (starts(word, "OK [UIDVALIDITY ")) {
		a->uidvalidity = number_after(word, "[UIDVALIDITY ");
	} else if (starts(word, "OK [HIGHESTMODSEQ ")) {
		a->highestmodseq = number_after(word, "[HIGHESTMODSEQ ");
	}
}

static void note_done(const char *line, struct answer *a)
{
	const char *status = line + strcspn(line, " ");

	status += *status == ' ';
	a->ok = starts(status, "OK");
	snprintf(a->text, sizeof(a->text), "%s", status);
	for (char *at = a->text; *at != '\0'; at++)
		if (*at == '"' || *at == '\\')
			*at = '\'';
}

void imap_answer(struct client *c, struct answer *ret)
{
	char tag[16];
	double begin = now_ms();
	uint64_t before = c->bytes;
	bool continues = false;

	*ret = (struct answer){.digest = 14695981039346656037u};
	snprintf(tag, sizeof(tag), "t%u ", c->tag);
	for (;;) {
		size_t len, literal;
		const char *line = client_line(c, &len);
		if (!continues && line[0] == 't' && starts(line, tag)) {
			note_done(line, ret);
			break;
		}
		if (!continues && starts(line, "* BYE"))
			die(line);
		if (!continues)
			note_response(line, len, ret);
		continues = announces_literal(line, len, &literal);
		if (continues) {
			ret->literal_bytes += literal;
			client_skip(c, literal);
		}
	}
	ret->bytes = c->bytes - before;
	ret->ms = now_ms() - begin;
}

void imap_send(struct client *c, const char *command)
{
	static char line[COMMAND_MAX];
	int len = snprintf(line, sizeof(line), "t%u %s\r\n", ++c->tag, command);

	if (len < 0 || (size_t)len >= sizeof(line))
		die("a command that is too long");
	client_write(c, line, (size_t)len);
}

void imap_command(struct client *c, const char *command, struct answer *ret)
{
	double begin = now_ms();

	imap_send(c, command);
	imap_answer(c, ret);
	ret->ms = now_ms() - begin;
}

void imap_must(struct client *c, const char *command)
{
	struct answer a;

	imap_command(c, command, &a);
	if (!a.ok) {
		fprintf(stderr, "imap_load: %.60s: %s\n", command, a.text);
		exit(1);
	}
}

void imap_sign_in(struct client *c, const char *user, const char *password)
{
	char command[512];
	size_t len;

	client_line(c, &len);
	snprintf(command, sizeof(command), "LOGIN %s %s", user, password);
	imap_must(c, command);
}

void smtp_must(struct client *c)
{
	size_t len;
	const char *line;

	do {
		line = client_line(c, &len);
	} while (len > 3 && line[3] == '-');
	if (line[0] != '2' && line[0] != '3') {
		fprintf(stderr, "imap_load: %s\n", line);
		exit(1);
	}
}
