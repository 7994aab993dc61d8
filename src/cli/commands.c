#include "cli/commands.h"

static const struct cli_action commands[] = {
    {"init", "", "make a new instance: folder, configuration, keys, certificate", cmd_init},
    {"serve", "", "run the server", cmd_serve},
    {"roles", "", "show what each role may do, and what the kernel says of it", cmd_roles},
    {"domain", "ACTION", "add, list, remove domains; their DNS records, and keys for DKIM",
        cmd_domain},
    {"account", "ACTION",
        "add, list, show, remove accounts; replace a password; who may send as whom", cmd_account},
    {"alias", "ACTION", "add, list, remove aliases", cmd_alias},
    {"queue", "ACTION", "list, show, retry, hold, release, remove mail that waits to leave",
        cmd_queue},
    {"verify", "", "look at every byte of every file; name what is damaged, or no file of ours",
        cmd_verify},
    {"version", "", "print the version", cmd_version},
    {"help", "", "print this", cmd_help},
};

const struct cli_action *cli_commands(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(commands);
	return commands;
}
