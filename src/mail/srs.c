#include "mail/srs.h"

#include <errno.h>
#include <sodium.h>

#include "mail/address.h"

enum {
	HASH_BYTES = 5,
	HASH_LEN = 8, /* in base32 */
	DAY_LEN = 2,
	DAY_ROUND = 32 * 32,
	DIGEST_LEN = crypto_generichash_BYTES,
};

static const struct str tag0 = STR_INIT("SRS0="), tag1 = STR_INIT("SRS1=");

bool srs_is_rewritten(struct str local)
{
	return str_starts_nocase(local, tag0) || str_starts_nocase(local, tag1);
}

/* --- base32 of RFC 4648 §6, lower case when read --- */

static char base32_digit(unsigned value)
{
	return "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value & 31];
}

static int base32_value(char c)
{
	c = ascii_upper(c);
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* Over everything behind the hash, in lower case, and which form it is in. */
static void hash_of(const uint8_t key[static SRS_KEY_LEN], struct str tag, struct str covered,
    char ret_hash[static HASH_LEN])
{
	crypto_generichash_state state;
	uint8_t digest[DIGEST_LEN];
	uint64_t bits = 0;

	crypto_generichash_init(&state, key, SRS_KEY_LEN, sizeof(digest));
	crypto_generichash_update(&state, (const uint8_t *)tag.p, tag.len);
	for (size_t i = 0; i < covered.len; i++) {
		uint8_t c = (uint8_t)ascii_lower(covered.p[i]);
		crypto_generichash_update(&state, &c, 1);
	}
	crypto_generichash_final(&state, digest, sizeof(digest));
	for (size_t i = 0; i < HASH_BYTES; i++)
		bits = bits << 8 | digest[i];
	for (size_t i = 0; i < HASH_LEN; i++)
		ret_hash[i] = base32_digit((unsigned)(bits >> (5 * (HASH_LEN - 1 - i))));
}

static bool is_ours(
    const uint8_t key[static SRS_KEY_LEN], struct str tag, struct str hash, struct str covered)
{
	char right[HASH_LEN], given[HASH_LEN];

	if (hash.len != HASH_LEN)
		return false;
	hash_of(key, tag, covered, right);
	for (size_t i = 0; i < HASH_LEN; i++)
		given[i] = ascii_upper(hash.p[i]);
	return sodium_memcmp(right, given, HASH_LEN) == 0;
}

/* --- forwards --- */

static int finish(const uint8_t key[static SRS_KEY_LEN], struct str tag, struct str covered,
    struct str our_domain, struct buf *out)
{
	struct buf local CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf address CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	char hash[HASH_LEN];

	hash_of(key, tag, covered, hash);
	buf_add(&local, tag);
	buf_add(&local, str_of(hash, HASH_LEN));
	buf_add_c(&local, '=');
	buf_add(&local, covered);
	if (buf_failed(&local) || !address_local_quote(buf_str(&local), &address) ||
	    !buf_add_c(&address, '@') || !buf_add(&address, our_domain))
		return -E2BIG;
	return buf_add(out, buf_str(&address)) ? 0 : -E2BIG;
}

/* What another server rewrote: "SRS0=rest" of its domain becomes "domain==rest";
 * "SRS1=hash=first==rest" keeps its first domain and rest, and gets our hash. */
static int forward_again(const uint8_t key[static SRS_KEY_LEN], struct str local, struct str domain,
    struct str our_domain, struct buf *out)
{
	struct buf covered CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str rest = local;

	if (str_skip_nocase(&rest, tag0)) {
		buf_add(&covered, domain);
		buf_add(&covered, STR("=="));
		buf_add(&covered, rest);
	} else {
		(void)str_skip_nocase(&rest, tag1);
		str_cut(&rest, '='); /* their hash */
		buf_add(&covered, rest);
	}
	if (buf_failed(&covered))
		return -E2BIG;
	return finish(key, tag1, buf_str(&covered), our_domain, out);
}

int srs_forward(const uint8_t key[static SRS_KEY_LEN], uint32_t day, struct str reverse_path,
    struct str our_domain, struct buf *out)
{
	struct buf plain CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf covered CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str local, domain;

	if (reverse_path.len == 0)
		return 0;
	if (!address_split(reverse_path, &local, &domain))
		return -EINVAL;
	if (!address_local_unquote(local, &plain))
		return -E2BIG;
	if (srs_is_rewritten(buf_str(&plain)))
		return forward_again(key, buf_str(&plain), domain, our_domain, out);
	buf_add_c(&covered, base32_digit(day % DAY_ROUND / 32));
	buf_add_c(&covered, base32_digit(day % 32));
	buf_add_c(&covered, '=');
	buf_add(&covered, domain);
	buf_add_c(&covered, '=');
	buf_add(&covered, buf_str(&plain));
	if (buf_failed(&covered))
		return -E2BIG;
	return finish(key, tag0, buf_str(&covered), our_domain, out);
}

/* --- and back --- */

static int add_address(struct str local, struct str domain, struct buf *out)
{
	struct buf address CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);

	if (local.len == 0 || domain.len == 0 || str_index(domain, '@') < domain.len)
		return -EINVAL;
	if (!address_local_quote(local, &address) || !buf_add_c(&address, '@') ||
	    !buf_add(&address, domain))
		return -EINVAL;
	return buf_add(out, buf_str(&address)) ? 0 : -EINVAL;
}

/* Days go round every DAY_ROUND; one that lies a little ahead is a clock's. */
static bool is_fresh(struct str text, uint32_t day)
{
	int high = text.len == DAY_LEN ? base32_value(text.p[0]) : -1;
	int low = text.len == DAY_LEN ? base32_value(text.p[1]) : -1;

	if (high < 0 || low < 0)
		return false;
	uint32_t then = (uint32_t)high * 32 + (uint32_t)low;
	uint32_t age = (day % DAY_ROUND + DAY_ROUND - then) % DAY_ROUND;
	return age <= SRS_DAYS || age == DAY_ROUND - 1;
}

static int reverse0(struct str covered, uint32_t day, struct buf *out)
{
	if (!is_fresh(str_cut(&covered, '='), day))
		return -ETIME;
	struct str domain = str_cut(&covered, '=');
	return add_address(covered, domain, out);
}

static int reverse1(struct str covered, struct buf *out)
{
	struct buf local CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str domain = str_cut(&covered, '=');

	if (!str_skip(&covered, STR("=")) || !buf_add(&local, tag0) || !buf_add(&local, covered))
		return -EINVAL;
	return add_address(buf_str(&local), domain, out);
}

int srs_reverse(
    const uint8_t key[static SRS_KEY_LEN], uint32_t day, struct str local, struct buf *out)
{
	struct buf plain CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);

	if (!address_local_unquote(local, &plain))
		return -ENOENT;
	struct str covered = buf_str(&plain);
	bool first = str_skip_nocase(&covered, tag0);
	if (!first && !str_skip_nocase(&covered, tag1))
		return -ENOENT;
	struct str hash = str_cut(&covered, '=');
	if (!is_ours(key, first ? tag0 : tag1, hash, covered))
		return -EPERM;
	return first ? reverse0(covered, day, out) : reverse1(covered, out);
}
