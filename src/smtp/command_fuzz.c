/* A command line, read to the end of its argument as the dialogue does. */
#include <assert.h>

#include "smtp/command.h"
#include "smtp/parameter.h"
#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str line = str_of(data, size);
	struct smtp_command command = smtp_command_parse(line);
	assert(command.keyword.len + command.argument.len <= size);
	assert(smtp_command_line_max(command.verb) <= SMTP_LINE_MAX);
	bool clean = smtp_line_is_clean(line);
	struct str argument = command.argument;
	struct smtp_path path;
	struct smtp_mail_parameters mail;
	struct smtp_rcpt_parameters rcpt;
	uint64_t chunk;
	bool last;
	if (smtp_skip_from(&argument) && smtp_reverse_path_cut(&argument, &path) &&
	    smtp_mail_parameters_parse(argument, &mail) == SMTP_PARAMETER_OK)
		assert(!clean || smtp_line_is_clean(path.mailbox));
	if (smtp_skip_to(&argument) && smtp_forward_path_cut(&argument, &path))
		(void)!smtp_rcpt_parameters_parse(argument, &rcpt);
	(void)!smtp_bdat_parse(command.argument, &chunk, &last);
	return 0;
}
