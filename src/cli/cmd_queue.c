/* gatepost queue list|show|retry|hold|release|remove */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/fd.h"
#include "base/num.h"
#include "cli/cli.h"

/* The number of a message, as `queue list` prints it; or how many. */
static bool parse_number(const char *text, uint64_t *ret_number)
{
	return num_parse(str_of_cstr(text), UINT64_MAX, ret_number) && *ret_number > 0;
}

/* --- list --- */

static int queue_list(int argc, char **argv)
{
	static const struct cli_spec spec = {"queue list", "",
	    "Lists the messages that are still to be delivered, the oldest first: for whom, in "
	    "which\n"
	    "state, and why they are still here.",
	    0, 0, CLI_CONFIG | CLI_JSON};
	const char *domain = "", *account = "", *limit = "";
	const struct cli_option options[] = {
	    {"--domain", "NAME", "only those that go to this domain", &domain, NULL},
	    {"--from", "ADDRESS", "only those of this account", &account, NULL},
	    {"--limit", "NUMBER", "only so many of them", &limit, NULL},
	};
	uint64_t most = CLI_ROWS_MAX;
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	if (limit[0] != '\0' && !parse_number(limit, &most)) {
		cli_fail("%s: not a number of messages", limit);
		return CLI_USAGE;
	}
	int queue CLEANUP(fd_close) = -1;
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	status = cli_connect_queue(arguments.config, &queue);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_queue_ask ask = {
	    .verb = QUEUE_LIST, .domain = str_of_cstr(domain), .account = str_of_cstr(account)};
	status = cli_ask_queue_list(queue, &ask, most, &rows);
	if (status != CLI_OK)
		return status;
	cli_rows_cut(&rows, most);
	if (rows.n_rows == 0 && !arguments.json)
		printf("nothing waits\n");
	else
		cli_print_rows(&rows, arguments.json, false);
	return CLI_OK;
}

/* --- show --- */

static int not_a_number(const char *text)
{
	cli_fail("%s: not the number of a message; `gatepost queue list` shows them", text);
	return CLI_USAGE;
}

static json_t *row_as_json(const struct cli_rows *rows, size_t row)
{
	json_t *object = json_object();

	for (size_t c = 0; c < rows->n_columns; c++)
		json_object_set_new(object, rows->columns[c], json_string(rows->cells[row][c]));
	return object;
}

static void print_message_as_json(const struct cli_rows *message, const struct cli_rows *recipients)
{
	json_t *object = row_as_json(message, 0);
	json_t *list = json_array();

	for (size_t r = 0; r < recipients->n_rows; r++)
		json_array_append_new(list, row_as_json(recipients, r));
	json_object_set_new(object, "recipients", list);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static int queue_show(int argc, char **argv)
{
	static const struct cli_spec spec = {"queue show", "NUMBER",
	    "Shows one message: what is known of it, and for each recipient what was tried, what "
	    "the\n"
	    "other server said, and when it is tried again.",
	    1, 1, CLI_CONFIG | CLI_JSON};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	struct ipc_queue_ask ask = {.verb = QUEUE_SHOW};
	if (!parse_number(arguments.operands[0], &ask.message))
		return not_a_number(arguments.operands[0]);
	int queue CLEANUP(fd_close) = -1;
	struct cli_rows message CLEANUP(cli_rows_done) = {0};
	struct cli_rows recipients CLEANUP(cli_rows_done) = {0};
	status = cli_connect_queue(arguments.config, &queue);
	if (status == CLI_GO_ON)
		status = cli_ask_queue(queue, &ask, &message);
	if (status != CLI_OK)
		return status;
	ask.verb = QUEUE_RECIPIENTS;
	status = cli_ask_queue_list(queue, &ask, CLI_ROWS_MAX, &recipients);
	if (status != CLI_OK || message.n_rows == 0)
		return status;
	if (arguments.json) {
		print_message_as_json(&message, &recipients);
		return CLI_OK;
	}
	cli_print_rows(&message, false, true);
	putchar('\n');
	return cli_print_rows(&recipients, false, false);
}

/* --- what acts on messages --- */

struct act {
	const struct cli_spec *spec;
	enum queue_verb verb;
	const char *done; /* "released" */
};

static int act_on(int queue, const struct act *act, struct ipc_queue_ask *ask, const char *what)
{
	int status = cli_ask_queue(queue, ask, NULL);

	if (status == CLI_OK)
		printf("%s %s\n", act->done, what);
	return status;
}

static int run_act(const struct act *act, int argc, char **argv)
{
	const char *domain = "";
	bool all = false;
	const struct cli_option options[] = {
	    {"--domain", "NAME", "all messages that go to this domain", &domain, NULL},
	    {"--all", NULL, "all messages", NULL, &all},
	};
	struct cli_arguments arguments;
	int status =
	    cli_read_arguments(act->spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	if ((arguments.n > 0) + (*domain != '\0') + all != 1) {
		cli_fail("%s: name messages by their numbers, or --domain NAME, or --all",
		    act->spec->name);
		return CLI_USAGE;
	}
	struct ipc_queue_ask ask = {.verb = (uint8_t)act->verb, .domain = str_of_cstr(domain)};
	for (size_t i = 0; i < arguments.n; i++)
		if (!parse_number(arguments.operands[i], &ask.message))
			return not_a_number(arguments.operands[i]);
	int queue CLEANUP(fd_close) = -1;
	status = cli_connect_queue(arguments.config, &queue);
	if (status != CLI_GO_ON)
		return status;
	ask.message = 0;
	if (arguments.n == 0)
		return act_on(queue, act, &ask, all ? "all" : domain);
	int worst = CLI_OK;
	for (size_t i = 0; i < arguments.n; i++) {
		(void)parse_number(arguments.operands[i], &ask.message);
		if (act_on(queue, act, &ask, arguments.operands[i]) != CLI_OK)
			worst = CLI_FAILED;
	}
	return worst;
}

enum { NUMBERS_MAX = 1000 };

static int queue_retry(int argc, char **argv)
{
	static const struct cli_spec spec = {"queue retry", "[NUMBER…]",
	    "Tries messages now that would wait for their next time.", 0, NUMBERS_MAX, CLI_CONFIG};
	return run_act(&(struct act){&spec, QUEUE_RETRY, "trying"}, argc, argv);
}

static int queue_hold(int argc, char **argv)
{
	static const struct cli_spec spec = {"queue hold", "[NUMBER…]",
	    "Keeps messages back until they are released. They do not grow too old meanwhile.", 0,
	    NUMBERS_MAX, CLI_CONFIG};
	return run_act(&(struct act){&spec, QUEUE_HOLD, "holding"}, argc, argv);
}

static int queue_release(int argc, char **argv)
{
	static const struct cli_spec spec = {"queue release", "[NUMBER…]",
	    "Lets messages go that were kept back, or that their sender scheduled for later.", 0,
	    NUMBERS_MAX, CLI_CONFIG};
	return run_act(&(struct act){&spec, QUEUE_RELEASE, "released"}, argc, argv);
}

static int queue_remove(int argc, char **argv)
{
	static const struct cli_spec spec = {"queue remove", "[NUMBER…]",
	    "Removes messages for good. Their senders are not told.", 0, NUMBERS_MAX, CLI_CONFIG};
	return run_act(&(struct act){&spec, QUEUE_REMOVE, "removed"}, argc, argv);
}

int cmd_queue(int argc, char **argv)
{
	static const struct cli_action actions[] = {
	    {"list", "", "list the messages that wait, and why", queue_list},
	    {"show", "NUMBER", "show one, with all its recipients", queue_show},
	    {"retry", "[NUMBER…]", "try them now", queue_retry},
	    {"hold", "[NUMBER…]", "keep them back", queue_hold},
	    {"release", "[NUMBER…]", "let go what is kept back", queue_release},
	    {"remove", "[NUMBER…]", "remove them for good", queue_remove},
	};
	return cli_run_action("queue", actions, ARRAY_LEN(actions), argc, argv);
}
