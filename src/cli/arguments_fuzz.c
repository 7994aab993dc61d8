/* Fuzz target: sizes and options as somebody may type them. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	assert(text);
	memcpy(text, data, len);
	text[len] = '\0';
	uint64_t bytes;
	if (cli_parse_size(text, &bytes))
		assert(bytes <= INT64_MAX);
	free(text);
	return 0;
}
