#include "dns/address_policy.h"

#include <arpa/inet.h>

enum { IPV4_LEN = 4, IPV6_LEN = 16 };

struct network {
	unsigned char address[IPV6_LEN];
	unsigned bits;
	const char *kind;
	size_t ipv4_at; /* where such an address has one of IPv4; 0: nowhere */
};

/* clang-format off */
static const struct network ipv4[] = {
	{{0}, 8, "no address of a host", 0},
	{{10}, 8, "a private address", 0},
	{{100, 64}, 10, "an address of a carrier's network", 0}, /* RFC 6598 */
	{{127}, 8, "a loopback address", 0},
	{{169, 254}, 16, "a link-local address", 0},
	{{172, 16}, 12, "a private address", 0},
	{{192, 0, 0}, 24, "an address for protocols", 0},
	{{192, 0, 2}, 24, "an address for documentation", 0},
	{{192, 88, 99}, 24, "a 6to4 relay's address", 0}, /* RFC 7526 */
	{{192, 168}, 16, "a private address", 0},
	{{198, 18}, 15, "an address for benchmarks", 0},
	{{198, 51, 100}, 24, "an address for documentation", 0},
	{{203, 0, 113}, 24, "an address for documentation", 0},
	{{224}, 4, "a multicast address", 0},
	{{240}, 4, "a reserved address", 0},
};

/* The first that fits counts; what fits none lies outside 2000::/3, where no host of the public
 * network is. */
static const struct network ipv6[] = {
	{{[15] = 1}, 128, "a loopback address", 0},
	{{[10] = 0xff, 0xff}, 96, NULL, 12},              /* mapped, RFC 4291 §2.5.5.2 */
	{{0, 0x64, 0xff, 0x9b}, 96, NULL, 12},            /* NAT64, RFC 6052 §2.1 */
	{{0x20, 0x02}, 16, NULL, 2},                      /* 6to4, RFC 3056 */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, "an address for documentation", 0},
	{{0x20, 0x01}, 23, "an address for protocols", 0}, /* Teredo among them */
	{{0x3f, 0xff}, 20, "an address for documentation", 0}, /* RFC 9637 */
	{{0x20}, 3, NULL, 0},
	{{0xfc}, 7, "a private address", 0},              /* RFC 4193 */
	{{0xfe, 0x80}, 10, "a link-local address", 0},
	{{0xfe, 0xc0}, 10, "a site-local address", 0},
	{{0xff}, 8, "a multicast address", 0},
};
/* clang-format on */

static bool lies_in(struct str address, const struct network *network)
{
	for (unsigned bit = 0; bit < network->bits; bit++) {
		unsigned char mask = (unsigned char)(0x80 >> bit % 8);
		if ((((unsigned char)address.p[bit / 8] ^ network->address[bit / 8]) & mask) != 0)
			return false;
	}
	return true;
}

static const char *refuses_ipv4(struct str address)
{
	for (size_t i = 0; i < ARRAY_LEN(ipv4); i++)
		if (lies_in(address, &ipv4[i]))
			return ipv4[i].kind;
	return NULL;
}

const char *address_policy_refuses(struct str address)
{
	if (address.len == IPV4_LEN)
		return refuses_ipv4(address);
	if (address.len != IPV6_LEN)
		return "no address";
	for (size_t i = 0; i < ARRAY_LEN(ipv6); i++) {
		const struct network *n = &ipv6[i];
		if (lies_in(address, n))
			return n->ipv4_at == 0 ? n->kind
			                       : refuses_ipv4(str_first(
			                             str_from(address, n->ipv4_at), IPV4_LEN));
	}
	return "a reserved address";
}

const char *address_policy_refuses_text(const char *address)
{
	unsigned char bytes[IPV6_LEN];

	if (inet_pton(AF_INET, address, bytes) == 1)
		return address_policy_refuses(str_of(bytes, IPV4_LEN));
	if (inet_pton(AF_INET6, address, bytes) == 1)
		return address_policy_refuses(str_of(bytes, IPV6_LEN));
	return "no address";
}
