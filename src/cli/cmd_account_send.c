/* gatepost account grant-send|revoke-send, and what `account show` says of it */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"

static int change(const struct cli_spec *spec, enum control_verb verb, int argc, char **argv)
{
	const char *to = NULL;
	bool on_behalf = false;
	const struct cli_option options[] = {
	    {"--to", "USER", "the account that sends as ADDRESS", &to, NULL},
	    {"--on-behalf", NULL, "only on behalf of it: Sender: shows who it was", NULL,
	        &on_behalf},
	};
	struct cli_arguments arguments;
	int status = cli_read_arguments(spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	if (to == NULL) {
		fprintf(stderr, "gatepost %s: --to USER is missing\n", spec->name);
		return CLI_USAGE;
	}
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct str user = str_of_cstr(to);
	struct ipc_control request = {.verb = (uint8_t)verb,
	    .name = str_of_cstr(arguments.operands[0]),
	    .targets = {&user, 1},
	    .on_behalf = on_behalf};
	status = cli_ask(server, &request, NULL);
	if (status == CLI_OK)
		printf("%s %s send %s %s\n", to,
		    verb == CONTROL_SEND_GRANT ? "may now" : "may no more",
		    on_behalf ? "on behalf of" : "as", arguments.operands[0]);
	return status;
}

int cli_account_grant_send(int argc, char **argv)
{
	static const struct cli_spec spec = {"account grant-send", "ADDRESS --to USER",
	    "Lets the account USER send mail as ADDRESS, an account or alias of this server, and\n"
	    "nobody sees that it was not its owner; with --on-behalf only in its name: From: says\n"
	    "ADDRESS, Sender: says USER. These are two rights; --on-behalf gives the second "
	    "alone.\n"
	    "An account may always send as its own address and as aliases that lead to it alone.",
	    1, 1, CLI_CONFIG};
	return change(&spec, CONTROL_SEND_GRANT, argc, argv);
}

int cli_account_revoke_send(int argc, char **argv)
{
	static const struct cli_spec spec = {"account revoke-send", "ADDRESS --to USER",
	    "Takes back what `account grant-send` gave, with the same options.", 1, 1, CLI_CONFIG};
	return change(&spec, CONTROL_SEND_REVOKE, argc, argv);
}

/* The addresses that stand with a right, in JSON. */
static json_t *addresses(const struct cli_rows *grants, const char *right)
{
	json_t *list = json_array();
	for (size_t r = 0; r < grants->n_rows; r++)
		if (strcmp(grants->cells[r][1], right) == 0)
			json_array_append_new(list, json_string(grants->cells[r][0]));
	return list;
}

int cli_account_print(
    struct cli_server *server, const char *address, const struct cli_rows *rows, bool json)
{
	struct cli_rows grants CLEANUP(cli_rows_done) = {0};
	struct ipc_control request = {.verb = CONTROL_SEND_LIST, .name = str_of_cstr(address)};
	int status = cli_ask(server, &request, &grants);
	if (status != CLI_OK || rows->n_rows == 0)
		return status;
	if (json) {
		json_t *object = cli_json_of_row(rows, 0);
		json_object_set_new(object, "sends_as", addresses(&grants, "as"));
		json_object_set_new(object, "sends_on_behalf_of", addresses(&grants, "on-behalf"));
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
		return CLI_OK;
	}
	for (size_t c = 0; c < rows->n_columns; c++)
		printf("%-12s  %s\n", rows->columns[c], rows->cells[0][c]);
	for (size_t r = 0; r < grants.n_rows; r++)
		printf("%-12s  %s\n",
		    strcmp(grants.cells[r][1], "as") == 0 ? "sends as" : "on behalf of",
		    grants.cells[r][0]);
	return CLI_OK;
}
