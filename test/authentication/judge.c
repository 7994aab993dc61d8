/*
 * judge NOW KEYS < MESSAGE: what src/mail/ says of a message's signatures, for vectors.py.
 * judge NOW KEYS DOMAIN SELECTOR PRIVATE_KEY RESULTS < MESSAGE: the message with one more ARC set,
 * its results as in the file RESULTS; nothing where it must not be sealed.
 *
 * KEYS is a file of lines "name record". Lines of the answer:
 *
 *   arc STATUS OLDEST_PASS NEXT_INSTANCE reason…
 *   dkim RESULT BITS UNSIGNED_BYTES domain reason…
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/fd.h"
#include "base/num.h"
#include "mail/arc_seal.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"
#include "mail/key_names.h"

enum { FILE_MAX = 64 << 20, ARENA_LEN = 4 << 20 };

static struct key_names wanted;

static struct str read_file(const char *path)
{
	char *text = NULL;
	size_t len = 0;

	if (fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &len) < 0)
		exit(2);
	return str_of(text, len);
}

/* A key that was not named before is none that the running server would have. */
static enum dkim_lookup find(void *ctx, struct str name, struct arena *a, struct str *ret)
{
	if (key_names_find(&wanted, name) == wanted.n)
		return DKIM_KEY_MISSING;
	for (struct str rest = *(struct str *)ctx; rest.len > 0;) {
		struct str line = str_cut_line(&rest);
		if (str_eq_nocase(str_cut(&line, ' '), name))
			return arena_dup(a, line, ret) ? DKIM_KEY_FOUND : DKIM_KEY_LATER;
	}
	return DKIM_KEY_MISSING;
}

static void tell_signatures(const struct dkim_message *m)
{
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	size_t n;

	if (dkim_verify(m->header, m->body, m->now, m->lookups, m->arena, v, &n) < 0)
		exit(3);
	for (size_t i = 0; i < n; i++)
		printf("dkim %s %u %llu %.*s %s\n", dkim_result_word(v[i].result), v[i].bits,
		    (unsigned long long)v[i].unsigned_bytes, STR_FMT(v[i].signature.domain),
		    v[i].reason != NULL ? v[i].reason : "");
}

static void complete(const char *key_file, struct str field, struct str text, struct buf *out)
{
	unsigned char hash[DKIM_HASH_LEN], signature[DKIM_SIGNATURE_LEN_MAX];
	size_t len = sizeof(signature);
	FILE *f = fopen(key_file, "r");
	EVP_PKEY *key = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	assert(key != NULL && arc_seal_is_text(text));
	fclose(f);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	dkim_hash(text, hash);
	bool ok = EVP_PKEY_sign_init(ctx) == 1 &&
	          EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	          EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	          EVP_PKEY_sign(ctx, signature, &len, hash, sizeof(hash)) == 1 &&
	          dkim_sign_complete(field, str_of(signature, len), out);
	assert(ok);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

/* domain, selector, private key, results */
static void seal(const struct dkim_message *m, const struct arc_chain *chain,
    const struct arc_verdict *verdict, char **args)
{
	struct buf results = BUF_MAX(ARC_RESULTS_MAX), text = BUF_MAX(FILE_MAX);
	struct buf field = BUF_MAX(ARC_SEAL_FIELD_MAX), signature = BUF_MAX(FILE_MAX);
	struct buf top = BUF_MAX(ARC_SEAL_FIELD_MAX), whole = BUF_MAX(FILE_MAX);
	uint8_t hash[DKIM_HASH_LEN];
	struct arc_sealer sealer = {
	    str_of_cstr(args[0]), str_of_cstr(args[1]), verdict->next, m->now};
	struct dkim_body body;
	struct str given = read_file(args[3]);

	dkim_body_begin(&body, DKIM_RELAXED, DKIM_BODY_WHOLE);
	dkim_body_add(&body, m->body);
	dkim_body_end(&body, hash);
	bool ok = arc_seal_results(verdict->next, given, &results) &&
	          arc_seal_message(&sealer, m->header, hash, &field, &text);
	assert(ok);
	complete(args[2], buf_str(&field), buf_str(&text), &signature);
	struct arc_set set = {.results = buf_str(&results), .signature = buf_str(&signature)};
	buf_clear(&text);
	ok = arc_seal_chain(&sealer, chain, verdict->status, &set, &top, &text);
	assert(ok);
	complete(args[2], buf_str(&top), buf_str(&text), &whole);
	printf(
	    "%.*s%.*s%.*s", STR_FMT(buf_str(&whole)), STR_FMT(set.signature), STR_FMT(set.results));
	fwrite(m->header.p, 1, m->header.len, stdout);
	fwrite(m->body.p, 1, m->body.len, stdout);
	buf_done(&results);
	buf_done(&text);
	buf_done(&field);
	buf_done(&signature);
	buf_done(&top);
	buf_done(&whole);
	free((void *)(uintptr_t)given.p);
}

int main(int argc, char **argv)
{
	struct arena a = ARENA_MAX(ARENA_LEN);
	struct arc_chain chain;
	struct arc_verdict verdict;
	uint64_t now;

	if ((argc != 3 && argc != 7) || !num_parse(str_of_cstr(argv[1]), INT64_MAX, &now))
		return 2;
	struct str keys = read_file(argv[2]), text = read_file("/dev/stdin");
	struct dkim_lookups lookups = {find, &keys};
	struct dkim_message m = {.now = now, .lookups = &lookups, .arena = &a};
	header_split(text, &m.header, &m.body);
	arc_read(m.header, &chain);
	key_names_collect(m.header, &chain, &a, &wanted);
	if (arc_verify(&chain, &m, &verdict) < 0)
		return 3;
	if (argc == 3) {
		printf("arc %s %u %u %s\n", arc_status_word(verdict.status), verdict.oldest_pass,
		    verdict.next, verdict.reason != NULL ? verdict.reason : "");
		tell_signatures(&m);
	} else if (verdict.next > 0) {
		seal(&m, &chain, &verdict, argv + 3);
	}
	free((void *)(uintptr_t)keys.p);
	free((void *)(uintptr_t)text.p);
	arena_done(&a);
	return 0;
}
