/* gatepost domain add|list|remove; dns and rotate-keys stand in cmd_domain_dns.c */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/cmd_domain.h"

static int change(
    const struct cli_spec *spec, enum control_verb verb, const char *done, int argc, char **argv)
{
	struct cli_arguments arguments;
	int status = cli_read_arguments(spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_control request = {
	    .verb = (uint8_t)verb, .name = str_of_cstr(arguments.operands[0])};
	status = cli_ask(server, &request, NULL);
	if (status == CLI_OK)
		printf("%s %s\n", done, arguments.operands[0]);
	return status;
}

static int domain_add(int argc, char **argv)
{
	static const struct cli_spec spec = {"domain add", "DOMAIN",
	    "Takes mail for a domain from now on. Its accounts and aliases are added next;\n"
	    "postmaster@DOMAIN and abuse@DOMAIN are its first account, or the server's while it "
	    "has\n"
	    "none, until an alias or account has that name.",
	    1, 1, CLI_CONFIG};
	return change(&spec, CONTROL_DOMAIN_ADD, "added", argc, argv);
}

static int domain_remove(int argc, char **argv)
{
	static const struct cli_spec spec = {"domain remove", "DOMAIN",
	    "Takes no more mail for a domain that has no accounts and aliases left.", 1, 1,
	    CLI_CONFIG};
	return change(&spec, CONTROL_DOMAIN_REMOVE, "removed", argc, argv);
}

static int domain_list(int argc, char **argv)
{
	static const struct cli_spec spec = {
	    "domain list", "", "Lists the domains of the server.", 0, 0, CLI_CONFIG | CLI_JSON};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	status = cli_ask_list(server, CONTROL_DOMAIN_LIST, &rows);
	return status == CLI_OK ? cli_print_rows(&rows, arguments.json, false) : status;
}

int cmd_domain(int argc, char **argv)
{
	static const struct cli_action actions[] = {
	    {"add", "DOMAIN", "take mail for a domain", domain_add},
	    {"list", "", "list the domains", domain_list},
	    {"remove", "DOMAIN", "take no more mail for one", domain_remove},
	    {"dns", "DOMAIN", "print the records that one needs in the DNS", domain_dns},
	    {"rotate-keys", "DOMAIN", "replace the keys that its mail is signed with",
	        domain_rotate_keys},
	};
	return cli_run_action("domain", actions, ARRAY_LEN(actions), argc, argv);
}
