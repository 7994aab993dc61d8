/* gatepost account add|list|show|password|remove */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static int account_add(int argc, char **argv)
{
	static const struct cli_spec spec = {"account add", "ADDRESS",
	    "Adds an account. Its password is asked for on the terminal, twice.\n\n"
	    "Mail is sealed under keys that the password unlocks: nobody can read it without the\n"
	    "password or the organisation's recovery key, an administrator neither.",
	    1, 1, CLI_CONFIG | CLI_JSON};
	bool from_stdin = false;
	const char *quota = NULL;
	const struct cli_option options[] = {
	    {"--password-stdin", NULL, "read the password from a line of standard input", NULL,
	        &from_stdin},
	    {"--quota", "BYTES",
	        "the most its mail may take; K, M, G, T are understood; 0: no limit "
	        "(default: limits.quota)",
	        &quota, NULL},
	};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct config config;
	status = cli_load_config(arguments.config, &config);
	if (status != CLI_GO_ON)
		return status;
	uint64_t quota_bytes = config.quota;
	if (quota && !cli_parse_size(quota, &quota_bytes)) {
		cli_fail("--quota %s: not a number of bytes; write it like 500M or 2G", quota);
		return CLI_USAGE;
	}
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	char password[CLI_PASSWORD_MAX + 1];
	status = cli_read_password("New password", from_stdin, true, password);
	if (status != CLI_GO_ON)
		return status;
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	struct ipc_control request = {.verb = CONTROL_ACCOUNT_ADD,
	    .name = str_of_cstr(arguments.operands[0]),
	    .password = str_of_cstr(password),
	    .quota_bytes = quota_bytes};
	status = cli_ask(server, &request, &rows);
	explicit_bzero(password, sizeof(password));
	if (status != CLI_OK)
		return status;
	if (arguments.json)
		return cli_print_rows(&rows, true, true);
	printf("added %s\n", arguments.operands[0]);
	return CLI_OK;
}

static int account_list(int argc, char **argv)
{
	static const struct cli_spec spec = {
	    "account list", "", "Lists the accounts of all domains.", 0, 0, CLI_CONFIG | CLI_JSON};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	status = cli_ask_list(server, CONTROL_ACCOUNT_LIST, &rows);
	return status == CLI_OK ? cli_print_rows(&rows, arguments.json, false) : status;
}

static int account_show(int argc, char **argv)
{
	static const struct cli_spec spec = {"account show", "ADDRESS",
	    "Shows what the directory knows of an account, and which addresses beside its own it "
	    "may\n"
	    "send as; nothing of its mail.",
	    1, 1, CLI_CONFIG | CLI_JSON};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_control request = {
	    .verb = CONTROL_ACCOUNT_SHOW, .name = str_of_cstr(arguments.operands[0])};
	status = cli_ask(server, &request, &rows);
	if (status != CLI_OK)
		return status;
	return cli_account_print(server, arguments.operands[0], &rows, arguments.json);
}

static int change_password(const char *config, const char *address, bool with_recovery,
    bool from_stdin, char *credential, char *password)
{
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	int status = cli_connect(config, &server);
	if (status == CLI_GO_ON)
		status = cli_read_password(with_recovery ? "Recovery key" : "Present password",
		    from_stdin, false, credential);
	if (status == CLI_GO_ON)
		status = cli_read_password("New password", from_stdin, true, password);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_control request = {.verb = CONTROL_ACCOUNT_PASSWORD,
	    .name = str_of_cstr(address),
	    .password = str_of_cstr(password),
	    .credential = str_of_cstr(credential)};
	status = cli_ask(server, &request, NULL);
	if (status == CLI_OK)
		printf("changed the password of %s\n", address);
	return status;
}

static int account_password(int argc, char **argv)
{
	static const struct cli_spec spec = {"account password", "ADDRESS",
	    "Replaces an account's password. The present password is asked for first, because the\n"
	    "account's keys are sealed under it; with --recovery, the organisation's recovery "
	    "key.\n"
	    "Without both nobody can open the mail, an administrator neither: then the mail is\n"
	    "lost, and the account can only be removed and added anew.",
	    1, 1, CLI_CONFIG};
	bool from_stdin = false;
	bool with_recovery = false;
	const struct cli_option options[] = {
	    {"--recovery", NULL, "give the recovery key instead of the present password", NULL,
	        &with_recovery},
	    {"--password-stdin", NULL,
	        "read both from standard input: the present password (or recovery key), then the "
	        "new one, a line each",
	        NULL, &from_stdin},
	};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	char credential[CLI_PASSWORD_MAX + 1] = "";
	char password[CLI_PASSWORD_MAX + 1] = "";
	status = change_password(arguments.config, arguments.operands[0], with_recovery, from_stdin,
	    credential, password);
	explicit_bzero(credential, sizeof(credential));
	explicit_bzero(password, sizeof(password));
	return status;
}

static int account_remove(int argc, char **argv)
{
	static const struct cli_spec spec = {"account remove", "ADDRESS",
	    "Removes an account with all its mail, by forgetting its keys and deleting its "
	    "folder.\n"
	    "This cannot be undone.",
	    1, 1, CLI_CONFIG};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	status = cli_connect(arguments.config, &server);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_control request = {
	    .verb = CONTROL_ACCOUNT_REMOVE, .name = str_of_cstr(arguments.operands[0])};
	status = cli_ask(server, &request, NULL);
	if (status == CLI_OK)
		printf("removed %s\n", arguments.operands[0]);
	return status;
}

int cmd_account(int argc, char **argv)
{
	static const struct cli_action actions[] = {
	    {"add", "ADDRESS", "add an account", account_add},
	    {"list", "", "list the accounts", account_list},
	    {"show", "ADDRESS", "show one", account_show},
	    {"password", "ADDRESS", "replace its password", account_password},
	    {"grant-send", "ADDRESS", "let another account send as this address",
	        cli_account_grant_send},
	    {"revoke-send", "ADDRESS", "take that back", cli_account_revoke_send},
	    {"remove", "ADDRESS", "remove it with all its mail", account_remove},
	};
	return cli_run_action("account", actions, ARRAY_LEN(actions), argc, argv);
}
