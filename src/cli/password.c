/* Passwords from a person. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"

/* Reads to the end of the line, byte by byte: what follows it is somebody else's. */
static int read_line(int fd, char ret[static CLI_PASSWORD_MAX + 1])
{
	size_t len = 0;
	char c;
	ssize_t n;
	while ((n = read(fd, &c, 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (c == '\n')
			break;
		if (c == '\0')
			return -EINVAL;
		if (len == CLI_PASSWORD_MAX)
			return -E2BIG;
		ret[len++] = c;
	}
	if (len > 0 && ret[len - 1] == '\r')
		len--;
	ret[len] = '\0';
	return n == 0 && len == 0 ? -ENODATA : 0;
}

static int ask_terminal(int terminal, const char *prompt, char ret[static CLI_PASSWORD_MAX + 1])
{
	struct termios before;
	if (tcgetattr(terminal, &before) < 0)
		return -errno;
	struct termios silent = before;
	silent.c_lflag &= (tcflag_t)~ECHO;
	dprintf(terminal, "%s: ", prompt);
	if (tcsetattr(terminal, TCSAFLUSH, &silent) < 0)
		return -errno;
	int error = read_line(terminal, ret);
	tcsetattr(terminal, TCSAFLUSH, &before);
	dprintf(terminal, "\n");
	return error;
}

int cli_read_password(
    const char *prompt, bool from_stdin, bool twice, char ret[static CLI_PASSWORD_MAX + 1])
{
	if (from_stdin) {
		int error = read_line(STDIN_FILENO, ret);
		return error ? cli_fail("%s: not on a line of standard input (%s)", prompt,
		                   error == -ENODATA ? "it ended before" : strerror(-error))
		             : CLI_GO_ON;
	}
	int terminal CLEANUP(fd_close) = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (terminal < 0)
		return cli_fail("%s: there is no terminal to ask on; use --password-stdin", prompt);
	int error = ask_terminal(terminal, prompt, ret);
	if (error)
		return cli_fail("%s: cannot be read (%s)", prompt, strerror(-error));
	if (!twice)
		return CLI_GO_ON;
	char again[CLI_PASSWORD_MAX + 1];
	error = ask_terminal(terminal, "The same again", again);
	bool is_same = !error && strcmp(ret, again) == 0;
	explicit_bzero(again, sizeof(again));
	return is_same ? CLI_GO_ON : cli_fail("the two are not the same; nothing was changed");
}
