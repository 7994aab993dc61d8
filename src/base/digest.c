#include "base/digest.h"

#include <sodium.h>

struct digest_text digest_of(struct str content)
{
	unsigned char digest[DIGEST_TEXT_LEN / 2];
	struct digest_text text;

	crypto_generichash(digest, sizeof(digest),
	    (const unsigned char *)(content.p ? content.p : ""), content.len, NULL, 0);
	sodium_bin2hex(text.text, sizeof(text.text), digest, sizeof(digest));
	return text;
}
