#include "smtp/command.h"

#include "base/num.h"
#include "base/utf8.h"

static const struct {
	struct str keyword;
	size_t line_max;
} verbs[N_SMTP_VERBS] = {
    [SMTP_UNKNOWN] = {STR_INIT(""), SMTP_COMMAND_LINE_MAX},
    [SMTP_EHLO] = {STR_INIT("EHLO"), SMTP_COMMAND_LINE_MAX},
    [SMTP_HELO] = {STR_INIT("HELO"), SMTP_COMMAND_LINE_MAX},
    [SMTP_MAIL] = {STR_INIT("MAIL"), SMTP_MAIL_LINE_MAX},
    [SMTP_RCPT] = {STR_INIT("RCPT"), SMTP_RCPT_LINE_MAX},
    [SMTP_DATA] = {STR_INIT("DATA"), SMTP_COMMAND_LINE_MAX},
    [SMTP_BDAT] = {STR_INIT("BDAT"), SMTP_COMMAND_LINE_MAX},
    [SMTP_RSET] = {STR_INIT("RSET"), SMTP_COMMAND_LINE_MAX},
    [SMTP_VRFY] = {STR_INIT("VRFY"), SMTP_COMMAND_LINE_MAX},
    [SMTP_EXPN] = {STR_INIT("EXPN"), SMTP_COMMAND_LINE_MAX},
    [SMTP_HELP] = {STR_INIT("HELP"), SMTP_COMMAND_LINE_MAX},
    [SMTP_NOOP] = {STR_INIT("NOOP"), SMTP_COMMAND_LINE_MAX},
    [SMTP_QUIT] = {STR_INIT("QUIT"), SMTP_COMMAND_LINE_MAX},
    [SMTP_STARTTLS] = {STR_INIT("STARTTLS"), SMTP_COMMAND_LINE_MAX},
    [SMTP_AUTH] = {STR_INIT("AUTH"), SMTP_AUTH_LINE_MAX},
};

struct smtp_command smtp_command_parse(struct str line)
{
	struct smtp_command command = {.verb = SMTP_UNKNOWN, .argument = line};
	command.keyword = str_cut(&command.argument, ' ');
	while (str_skip(&command.argument, STR(" ")))
		;
	while (command.argument.len > 0 && command.argument.p[command.argument.len - 1] == ' ')
		command.argument.len--;
	for (size_t i = 1; i < N_SMTP_VERBS; i++) {
		if (str_eq_nocase(command.keyword, verbs[i].keyword))
			command.verb = (enum smtp_verb)i;
	}
	return command;
}

size_t smtp_command_line_max(enum smtp_verb verb)
{
	return verbs[verb].line_max;
}

bool smtp_line_is_clean(struct str line)
{
	bool ascii = true;
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];
		if ((c < 32 && c != '\t') || c == 127)
			return false;
		ascii &= c < 128;
	}
	return ascii || utf8_is_valid(line);
}

static bool skip_word(struct str *argument, struct str word)
{
	if (!str_skip_nocase(argument, word))
		return false;
	while (str_skip(argument, STR(" ")))
		;
	return true;
}

bool smtp_skip_from(struct str *argument)
{
	return skip_word(argument, STR("FROM:"));
}

bool smtp_skip_to(struct str *argument)
{
	return skip_word(argument, STR("TO:"));
}

bool smtp_bdat_parse(struct str argument, uint64_t *ret_size, bool *ret_last)
{
	uint64_t size;
	struct str marker = argument;
	struct str digits = str_cut(&marker, ' ');
	bool last = str_eq_nocase(marker, STR("LAST"));
	if (!num_parse(digits, UINT64_MAX, &size) || (digits.len < argument.len && !last))
		return false;
	*ret_size = size;
	*ret_last = last;
	return true;
}
