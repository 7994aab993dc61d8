#include "seal/recovery.h"

#include <errno.h>
#include <string.h>

enum {
	RECOVERY_VERSION = 1,
	RECOVERY_GROUP = 4,
	RECOVERY_SUM_LEN = 2,
	RECOVERY_BYTES = 1 + SECRET_LEN + RECOVERY_SUM_LEN,
	RECOVERY_DIGITS = RECOVERY_BYTES * 8 / 5,
};

_Static_assert(RECOVERY_BYTES % 5 == 0, "no bits are left over in base32");

static const char recovery_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct secret *recovery_new(uint8_t ret_public[static CIPHER_PUBLIC_LEN])
{
	struct secret *secret = secret_new();

	cipher_pair_new(secret->bytes, ret_public);
	return secret;
}

static void recovery_checksum(const uint8_t *bytes, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	struct str parts[] = {STR_INIT("recovery"), {(const char *)bytes, 1 + SECRET_LEN}};

	cipher_checksum(parts, ARRAY_LEN(parts), ret_sum);
}

/* The five bits from bit `at` on, most significant first. */
static unsigned recovery_bits(const uint8_t *bytes, size_t at)
{
	size_t byte = at / 8;
	unsigned window = (unsigned)bytes[byte] << 8;

	if (byte + 1 < RECOVERY_BYTES)
		window |= bytes[byte + 1];
	return window >> (11 - at % 8) & 31;
}

void recovery_encode(
    const struct secret *recovery_private, char ret_text[static RECOVERY_TEXT_LEN + 1])
{
	uint8_t bytes[RECOVERY_BYTES] = {RECOVERY_VERSION}, sum[CIPHER_CHECKSUM_LEN];
	size_t len = 0;

	memcpy(bytes + 1, recovery_private->bytes, SECRET_LEN);
	recovery_checksum(bytes, sum);
	memcpy(bytes + 1 + SECRET_LEN, sum, RECOVERY_SUM_LEN);
	for (size_t i = 0; i < RECOVERY_DIGITS; i++) {
		if (i > 0 && i % RECOVERY_GROUP == 0)
			ret_text[len++] = '-';
		ret_text[len++] = recovery_alphabet[recovery_bits(bytes, i * 5)];
	}
	ret_text[len] = '\0';
	cipher_wipe(bytes, sizeof(bytes));
}

/* The value of a digit as people write it, -1 for another character. */
static int recovery_digit(char c)
{
	char upper = ascii_upper(c);

	if (upper == 'O')
		upper = '0';
	if (upper == 'I' || upper == 'L')
		upper = '1';
	const char *found =
	    upper == '\0' ? NULL : memchr(recovery_alphabet, upper, sizeof(recovery_alphabet) - 1);
	return found == NULL ? -1 : (int)(found - recovery_alphabet);
}

static bool recovery_is_filler(char c)
{
	return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool recovery_parse(struct str text, uint8_t bytes[static RECOVERY_BYTES])
{
	size_t n_digits = 0;

	memset(bytes, 0, RECOVERY_BYTES);
	for (size_t i = 0; i < text.len; i++) {
		if (recovery_is_filler(text.p[i]))
			continue;
		int value = recovery_digit(text.p[i]);
		if (value < 0 || n_digits == RECOVERY_DIGITS)
			return false;
		for (size_t bit = 0; bit < 5; bit++) {
			size_t at = n_digits * 5 + bit;
			bytes[at / 8] |= (uint8_t)((value >> (4 - bit) & 1) << (7 - at % 8));
		}
		n_digits++;
	}
	return n_digits == RECOVERY_DIGITS;
}

int recovery_decode(struct str text, struct secret **ret_private)
{
	uint8_t bytes[RECOVERY_BYTES], sum[CIPHER_CHECKSUM_LEN];
	int r = -EBADMSG;

	if (text.len > RECOVERY_TEXT_MAX)
		return -EBADMSG;
	if (recovery_parse(text, bytes) && bytes[0] == RECOVERY_VERSION) {
		recovery_checksum(bytes, sum);
		if (memcmp(sum, bytes + 1 + SECRET_LEN, RECOVERY_SUM_LEN) == 0) {
			*ret_private = secret_copy(bytes + 1);
			r = 0;
		}
	}
	cipher_wipe(bytes, sizeof(bytes));
	return r;
}
