#include <assert.h>
#include <stdint.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct config config;
	static struct config_error error;

	error.text[0] = '\0';
	int r = config_parse(str_of(data, len), "fuzz", &config, &error);
	assert(r == 0 ? config.hostname[0] != '\0' : error.text[0] != '\0');
	return 0;
}
