/*
 * bench/client.h: the generator's end of a connection, IMAP or SMTP, with or without TLS.
 *
 * Reads lines out of one large buffer and skips literals without looking at them, so that it costs
 * little beside the server that is measured. Does not parse values. A connection that ends, an
 * answer that is late (CLIENT_PATIENCE_S) or malformed ends the program: a run with an error has no
 * figures.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLIENT_BUFFER_LEN = 256 * 1024, CLIENT_PATIENCE_S = 600 };

struct client {
	int fd;
	SSL *tls;
	char *in;
	size_t room, in_len, in_at;
	uint64_t bytes; /* read so far */
	unsigned tag;   /* of the last command */
};

/* What came in answer to one command, up to its tagged line. */
struct answer {
	bool ok;
	char text[120]; /* of the tagged line, as much as fits, without quotes */
	double ms;
	uint64_t bytes, literal_bytes;
	unsigned long fetches, expunges, exists;
	unsigned long hits; /* numbers of SEARCH, SORT or THREAD */
	uint64_t digest;    /* of these answers' text */
	unsigned long long uidvalidity, highestmodseq;
};

_Noreturn void die(const char *what);
double now_ms(void);

/* Connects to 127.0.0.1; `tls` NULL: without TLS. Fills `*c`, to be released by client_close. */
void client_open(struct client *c, const char *port, SSL_CTX *tls);
void client_close(struct client *c);
SSL_CTX *client_tls(void);

void client_write(struct client *c, const char *bytes, size_t len);
/* The next line, NUL in place of its CRLF, valid until the next call. */
char *client_line(struct client *c, size_t *ret_len);
void client_skip(struct client *c, size_t len);

/* Reads the greeting and signs in. */
void imap_sign_in(struct client *c, const char *user, const char *password);
/* Sends a tag and the command's text; the answer is still to be read. */
void imap_send(struct client *c, const char *command);
/* Reads the answer of the command sent last. `ret->ms` is counted from the call. */
void imap_answer(struct client *c, struct answer *ret);
/* Both, timed together. */
void imap_command(struct client *c, const char *command, struct answer *ret);
/* The same for what prepares a measurement: an answer other than OK ends the program. */
void imap_must(struct client *c, const char *command);

/* Reads a reply of SMTP or LMTP; a refusal ends the program. */
void smtp_must(struct client *c);

#endif
