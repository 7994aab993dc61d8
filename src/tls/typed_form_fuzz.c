/* Fuzz target: the contents that the keyholder is asked to sign. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/typed_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str content = str_of(data, len);
	bool is_tls13 = typed_form_is_tls13(content);
	bool is_tls12 = typed_form_is_tls12(content);
	assert(!(is_tls13 && is_tls12));
	assert(!(is_tls13 || is_tls12) || len <= TYPED_FORM_LEN_MAX);
	return 0;
}
