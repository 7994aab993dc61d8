/*
 * test/mime/dump.h: what both dump programs print, so that it can be compared line by line:
 *
 *   == FILE
 *   PATH <tab> KEY <tab> VALUE
 *
 * PATH is "0" for the message, "0.2" for its second child. Bytes that are not printable ASCII are
 * written as \xHH, so that a difference can be read.
 */
#ifndef TEST_MIME_DUMP_H
#define TEST_MIME_DUMP_H

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static inline void dump_value(const char *path, const char *key, const char *p, size_t len)
{
	printf("%s\t%s\t", path, key);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c >= ' ' && c < 0x7f && c != '\\')
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	putchar('\n');
}

/* Length and the first half of the SHA-256. */
static inline void dump_body(const char *path, const char *p, size_t len)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned hash_len = 0;

	if (EVP_Digest(p, len, hash, &hash_len, EVP_sha256(), NULL) != 1)
		return;
	printf("%s\tbody\t%zu ", path, len);
	for (unsigned i = 0; i < hash_len / 2; i++)
		printf("%02x", hash[i]);
	putchar('\n');
}

#endif
