/* cli/commands.h: the table of subcommands, for main and for `gatepost help`. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

const struct cli_action *cli_commands(size_t *ret_n);

#endif
