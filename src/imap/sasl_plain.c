#include "imap/sasl_plain.h"

#include "base/base64.h"
#include "base/utf8.h"

bool sasl_plain_decode(struct str base64, struct buf *decoded, struct sasl_plain *ret)
{
	if (!base64_decode(base64, decoded))
		return false;

	struct str rest = buf_str(decoded);
	size_t n_nul = 0;
	for (size_t i = 0; i < rest.len; i++)
		n_nul += rest.p[i] == '\0';
	if (n_nul != 2 || !utf8_is_valid(rest))
		return false;

	struct sasl_plain plain;
	plain.authorization = str_cut(&rest, '\0');
	plain.user = str_cut(&rest, '\0');
	plain.password = rest;
	if (plain.user.len == 0 || plain.password.len == 0)
		return false;
	*ret = plain;
	return true;
}
