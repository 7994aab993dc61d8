#include "tls/typed_form.h"

#include "base/attr.h"

enum { N_SPACES = 64, RANDOMS_LEN = 64, HASH_SHA256_LEN = 32, HASH_SHA384_LEN = 48 };

/* ECCurveType named_curve, RFC 8422 §5.4 */
enum { NAMED_CURVE = 3, POINT_UNCOMPRESSED = 4 };

/*
 * RFC 8446 §4.4.3: "a string that consists of octet 32 repeated 64 times, the context string, a
 * single 0 byte which serves as the separator, the content to be signed": Transcript-Hash of the
 * cipher suite's hash.
 */
bool typed_form_is_tls13(struct str content)
{
	static const struct str context = STR_INIT("TLS 1.3, server CertificateVerify\0");
	if (content.len < N_SPACES)
		return false;
	for (size_t i = 0; i < N_SPACES; i++)
		if (content.p[i] != ' ')
			return false;
	struct str rest = str_from(content, N_SPACES);
	return str_skip(&rest, context) &&
	       (rest.len == HASH_SHA256_LEN || rest.len == HASH_SHA384_LEN);
}

/*
 * RFC 8422 §5.4:
 *   struct { ECCurveType curve_type; NamedCurve namedcurve; } ECParameters;
 *   struct { opaque point <1..2^8-1>; } ECPoint;
 *   struct { ECParameters curve_params; ECPoint public; } ServerECDHParams;
 * signed behind client_random[32] and server_random[32].
 */
bool typed_form_is_tls12(struct str content)
{
	static const struct {
		uint16_t curve;
		uint8_t point_len;
		bool is_montgomery;
	} curves[] = {
	    {0x001d, 32, true},   /* x25519 */
	    {0x0017, 65, false},  /* secp256r1 */
	    {0x0018, 97, false},  /* secp384r1 */
	    {0x0019, 133, false}, /* secp521r1 */
	};
	struct str rest = str_from(content, RANDOMS_LEN);
	if (rest.len < 4)
		return false;
	const unsigned char *params = (const unsigned char *)rest.p;
	if (params[0] != NAMED_CURVE)
		return false;
	unsigned curve = (unsigned)params[1] << 8 | params[2];
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (curves[i].curve != curve)
			continue;
		if (params[3] != curves[i].point_len || rest.len != 4U + curves[i].point_len)
			return false;
		return curves[i].is_montgomery || params[4] == POINT_UNCOMPRESSED;
	}
	return false;
}
