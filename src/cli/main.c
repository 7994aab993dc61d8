/* gatepost: one binary; its first word says what it does. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"

#ifdef GATEPOST_ASAN
/*
 * The leak checker traces its own process at exit, which the sandbox forbids: it would wait for
 * ever. The unit tests, which have no sandbox, look for leaks.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static const struct cli_action *find(const char *name)
{
	size_t n;
	const struct cli_action *commands = cli_commands(&n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* `-c FILE` may stand in front of the command, as in other programs: it is moved to the end, where
 * the command looks for it. */
static void move_config(int argc, char **argv)
{
	if (argc < 4 || strcmp(argv[1], "-c") != 0)
		return;
	char *option = argv[1], *file = argv[2];
	memmove(&argv[1], &argv[3], (size_t)(argc - 3) * sizeof(*argv));
	argv[argc - 2] = option;
	argv[argc - 1] = file;
}

int main(int argc, char **argv)
{
	move_config(argc, argv);
	if (argc > 1 && strcmp(argv[1], "role") == 0) /* how the supervisor starts a role */
		return cmd_role(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return cmd_help(1, argv);
	const struct cli_action *command = argc > 1 ? find(argv[1]) : NULL;
	if (command)
		return command->run(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "gatepost: no such command: %s\n", argv[1]);
	fputs("usage: gatepost COMMAND …; `gatepost help` lists the commands\n", stderr);
	return CLI_USAGE;
}
