/* gatepost alias add|list|remove */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"

enum { TARGETS_MAX = 100 };

static int alias_add(int argc, char **argv)
{
	static const struct cli_spec spec = {"alias add", "ALIAS ADDRESS…",
	    "Gives the mail for ALIAS to each ADDRESS: accounts or aliases of this server, or\n"
	    "addresses of other servers, to which it is forwarded; `alias list` shows which "
	    "leave.\n"
	    "Aliases that lead in circles are followed once.",
	    2, TARGETS_MAX + 1, CLI_CONFIG};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct str targets[TARGETS_MAX];
	for (size_t i = 1; i < arguments.n; i++)
		targets[i - 1] = str_of_cstr(arguments.operands[i]);
	struct ipc_control request = {.verb = CONTROL_ALIAS_ADD,
	    .name = str_of_cstr(arguments.operands[0]),
	    .targets = {targets, arguments.n - 1}};
	status = cli_ask(server, &request, NULL);
	if (status == CLI_OK)
		printf("added %s\n", arguments.operands[0]);
	return status;
}

static int alias_remove(int argc, char **argv)
{
	static const struct cli_spec spec = {"alias remove", "ALIAS",
	    "Removes an alias; the accounts it leads to stay.", 1, 1, CLI_CONFIG};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_control request = {
	    .verb = CONTROL_ALIAS_REMOVE, .name = str_of_cstr(arguments.operands[0])};
	status = cli_ask(server, &request, NULL);
	if (status == CLI_OK)
		printf("removed %s\n", arguments.operands[0]);
	return status;
}

/* The rows name alias and target; those of one alias follow each other. */
static void print_json(const struct cli_rows *rows)
{
	json_t *all = json_array();
	json_t *targets = NULL;
	json_t *leaving = NULL;
	for (size_t r = 0; r < rows->n_rows; r++) {
		if (r == 0 || strcmp(rows->cells[r][0], rows->cells[r - 1][0]) != 0) {
			targets = json_array();
			json_t *one = json_object();
			json_object_set_new(one, "alias", json_string(rows->cells[r][0]));
			json_object_set_new(one, "targets", targets);
			leaving = json_array();
			json_object_set_new(one, "leaves", leaving);
			json_array_append_new(all, one);
		}
		json_array_append_new(targets, json_string(rows->cells[r][1]));
		if (strcmp(rows->cells[r][2], "yes") == 0)
			json_array_append_new(leaving, json_string(rows->cells[r][1]));
	}
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

static int alias_list(int argc, char **argv)
{
	static const struct cli_spec spec = {"alias list", "",
	    "Lists the aliases and where they lead; `leaves` says whether that is another "
	    "server's.",
	    0, 0, CLI_CONFIG | CLI_JSON};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	status = cli_ask_list(server, CONTROL_ALIAS_LIST, &rows);
	if (status != CLI_OK)
		return status;
	if (arguments.json)
		print_json(&rows);
	else
		cli_print_rows(&rows, false, false);
	return CLI_OK;
}

int cmd_alias(int argc, char **argv)
{
	static const struct cli_action actions[] = {
	    {"add", "ALIAS ADDRESS…", "give an address's mail to others", alias_add},
	    {"list", "", "list the aliases", alias_list},
	    {"remove", "ALIAS", "remove one", alias_remove},
	};
	return cli_run_action("alias", actions, ARRAY_LEN(actions), argc, argv);
}
