#include "pop3/command.h"

#include "base/num.h"

enum arguments {
	ARGUMENTS_NONE,
	ARGUMENTS_TEXT,
	ARGUMENTS_AUTH,
	ARGUMENTS_MESSAGE,
	ARGUMENTS_MAYBE_MESSAGE,
	ARGUMENTS_TOP,
};

static const struct {
	struct str name;
	enum arguments arguments;
} commands[N_POP3_COMMANDS] = {
    [POP3_CAPA] = {STR_INIT("CAPA"), ARGUMENTS_NONE},
    [POP3_STLS] = {STR_INIT("STLS"), ARGUMENTS_NONE},
    [POP3_USER] = {STR_INIT("USER"), ARGUMENTS_TEXT},
    [POP3_PASS] = {STR_INIT("PASS"), ARGUMENTS_TEXT},
    [POP3_AUTH] = {STR_INIT("AUTH"), ARGUMENTS_AUTH},
    [POP3_QUIT] = {STR_INIT("QUIT"), ARGUMENTS_NONE},
    [POP3_NOOP] = {STR_INIT("NOOP"), ARGUMENTS_NONE},
    [POP3_STAT] = {STR_INIT("STAT"), ARGUMENTS_NONE},
    [POP3_LIST] = {STR_INIT("LIST"), ARGUMENTS_MAYBE_MESSAGE},
    [POP3_UIDL] = {STR_INIT("UIDL"), ARGUMENTS_MAYBE_MESSAGE},
    [POP3_RETR] = {STR_INIT("RETR"), ARGUMENTS_MESSAGE},
    [POP3_TOP] = {STR_INIT("TOP"), ARGUMENTS_TOP},
    [POP3_DELE] = {STR_INIT("DELE"), ARGUMENTS_MESSAGE},
    [POP3_RSET] = {STR_INIT("RSET"), ARGUMENTS_NONE},
};

enum pop3_line pop3_line_cut(struct str *pending, size_t max, struct str *ret_line)
{
	struct str window = str_first(*pending, max);
	size_t at = str_index(window, '\n');

	if (at == window.len)
		return at < max ? POP3_LINE_MORE : POP3_LINE_TOO_LONG;
	struct str line = str_first(*pending, at);
	if (str_ends(line, STR("\r")))
		line.len--;
	*ret_line = line;
	*pending = str_from(*pending, at + 1);
	return POP3_LINE_WHOLE;
}

/* Cuts a word off; what follows it begins behind the spaces. */
static struct str cut_word(struct str *rest)
{
	struct str word = str_cut(rest, ' ');

	while (str_skip(rest, STR(" ")))
		;
	return word;
}

/* RFC 1939 §5: messages are numbered from 1. */
static bool read_message(struct str *rest, struct pop3_command *c, const char **ret_error)
{
	uint64_t number;

	if (!num_parse(cut_word(rest), UINT32_MAX, &number) || number == 0) {
		*ret_error = "expected a message number";
		return false;
	}
	c->has_message = true;
	c->message = (uint32_t)number;
	return true;
}

static bool read_lines(struct str *rest, struct pop3_command *c, const char **ret_error)
{
	uint64_t number;

	if (!num_parse(cut_word(rest), UINT32_MAX, &number)) {
		*ret_error = "expected a number of lines";
		return false;
	}
	c->lines = (uint32_t)number;
	return true;
}

static bool read_text(struct str *rest, struct pop3_command *c, const char **ret_error)
{
	if (rest->len == 0) {
		*ret_error = "expected a space and an argument";
		return false;
	}
	c->argument = *rest;
	*rest = str_of("", 0);
	return true;
}

/*   auth-command = "AUTH" SP sasl-mech [SP (base64 / "=")]     (RFC 5034 §6)
 *
 * AUTH alone is older than that, and asks for the list of mechanisms. */
static void read_auth(struct str *rest, struct pop3_command *c)
{
	c->mechanism = cut_word(rest);
	c->has_initial = rest->len > 0;
	c->initial = cut_word(rest);
}

static bool read_arguments(
    enum arguments arguments, struct str *rest, struct pop3_command *c, const char **ret_error)
{
	switch (arguments) {
	case ARGUMENTS_NONE:
		return true;
	case ARGUMENTS_TEXT:
		return read_text(rest, c, ret_error);
	case ARGUMENTS_AUTH:
		read_auth(rest, c);
		return true;
	case ARGUMENTS_MAYBE_MESSAGE:
		return rest->len == 0 || read_message(rest, c, ret_error);
	case ARGUMENTS_MESSAGE:
		return read_message(rest, c, ret_error);
	case ARGUMENTS_TOP:
		return read_message(rest, c, ret_error) && read_lines(rest, c, ret_error);
	}
	return false;
}

static bool find(struct str keyword, enum pop3_command_id *ret_id)
{
	for (size_t i = 0; i < N_POP3_COMMANDS; i++)
		if (str_eq_nocase(keyword, commands[i].name)) {
			*ret_id = (enum pop3_command_id)i;
			return true;
		}
	return false;
}

/*   command = keyword *(SP param) CRLF
 *   keyword = 3*4VCHAR                  (RFC 2449 §3) */
bool pop3_command_parse(struct str line, struct pop3_command *ret_command, const char **ret_error)
{
	struct pop3_command c = {0};
	struct str rest = line;

	if (str_index(line, '\0') < line.len || str_index(line, '\r') < line.len) {
		*ret_error = "NUL or CR within a line";
		return false;
	}
	if (!find(str_cut(&rest, ' '), &c.id)) {
		*ret_error = "unknown command";
		return false;
	}
	enum arguments arguments = commands[c.id].arguments;
	while (arguments != ARGUMENTS_TEXT && str_skip(&rest, STR(" ")))
		;
	if (!read_arguments(arguments, &rest, &c, ret_error))
		return false;
	if (rest.len > 0) {
		*ret_error = "too many arguments";
		return false;
	}
	*ret_command = c;
	return true;
}
