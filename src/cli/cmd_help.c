/* gatepost help */
#include <stdio.h>

#include "cli/commands.h"

enum { ABOUT_COLUMN = 28 };

int cmd_help(int argc, char **argv)
{
	static const struct cli_spec spec = {"help", "", "Lists the commands.", 0, 0, 0};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	size_t n;
	const struct cli_action *commands = cli_commands(&n);
	fputs("Gatepost, a mail server whose stored mail is sealed.\n\n", stdout);
	for (size_t i = 0; i < n; i++) {
		int len = printf("  gatepost %s %s", commands[i].name, commands[i].operands);
		printf(
		    "%*s%s\n", len < ABOUT_COLUMN ? ABOUT_COLUMN - len : 1, "", commands[i].about);
	}
	fputs("\n`gatepost COMMAND --help` says more of each. Exit status: 0 done, 1 failed, 2 "
	      "wrong usage.\n",
	    stdout);
	return CLI_OK;
}
