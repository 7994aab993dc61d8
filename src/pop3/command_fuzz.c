/* Lines as they come, each read as a command: nothing is lost between them, and what is taken lies
 * within its line. */
#include <assert.h>

#include "pop3/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct str line, struct str part)
{
	assert(part.len == 0 || (part.p >= line.p && part.p + part.len <= line.p + line.len));
}

static void check(struct str line)
{
	struct pop3_command c;
	const char *error = NULL;

	if (!pop3_command_parse(line, &c, &error)) {
		assert(error != NULL);
		return;
	}
	assert(c.id < N_POP3_COMMANDS);
	assert(!c.has_message || c.message > 0);
	assert(c.has_initial == (c.initial.len > 0));
	check_inside(line, c.argument);
	check_inside(line, c.mechanism);
	check_inside(line, c.initial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size), before = rest, line;

	while (pop3_line_cut(&rest, POP3_LINE_MAX, &line) == POP3_LINE_WHOLE) {
		assert(line.len < POP3_LINE_MAX && rest.len < before.len);
		assert(rest.p[-1] == '\n' && str_index(line, '\n') == line.len);
		before = rest;
		check(line);
	}
	assert(rest.len == before.len);
	return 0;
}
