/*
 * cli/cli.h: what the subcommands share: reading arguments, asking the server, printing rows.
 *
 * One subcommand per file (cmd_*.c), each `int cmd_<name>(int argc, char **argv)` with argv[0] its
 * own name; main.c has the table. Options stand in a table that is both the parser and the text of
 * `--help`.
 *
 * Exit status: 0 done, 1 the thing asked for failed, 2 wrong usage. Data goes to standard output,
 * everything for the person to standard error; an error names what, where and what to do.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "config/config.h"
#include "ipc/messages.h"
#include "ipc/outgoing.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_GO_ON = -1 };

/* Prints "gatepost: " and the sentence on standard error; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) PRINTF(1, 2);

/* --- arguments --- */

struct cli_option {
	const char *name;  /* "--quota" */
	const char *value; /* "BYTES"; NULL for a switch */
	const char *help;
	const char **text; /* where the value goes */
	bool *flag;        /* where the switch goes */
};

enum { CLI_CONFIG = 1, CLI_JSON = 2 }; /* it takes -c FILE, --json */

struct cli_spec {
	const char *name;     /* "account add" */
	const char *operands; /* "ADDRESS" */
	const char *about;    /* lines for --help */
	size_t least, most;   /* how many operands */
	unsigned takes;
};

struct cli_arguments {
	const char *config; /* NULL: not given */
	bool json;
	char **operands;
	size_t n;
};

/*
 * Reads argv behind argv[0]. CLI_GO_ON, or the exit status: CLI_OK after --help, CLI_USAGE.
 * Operands are moved to the front of argv.
 */
MUST_USE int cli_read_arguments(const struct cli_spec *spec, const struct cli_option *options,
    size_t n_options, int argc, char **argv, struct cli_arguments *ret_arguments);

/* A subcommand with actions ("account add"): the table is searched for argv[1]. */
struct cli_action {
	const char *name;
	const char *operands;
	const char *about; /* one line */
	int (*run)(int argc, char **argv);
};

int cli_run_action(
    const char *command, const struct cli_action *actions, size_t n, int argc, char **argv);

/* Reads a number of bytes with an optional K, M, G or T (powers of 1024); false for another text.
 */
MUST_USE bool cli_parse_size(const char *text, uint64_t *ret_bytes);

/* --- configuration and server --- */

/* The file given, or the first default that is there. CLI_GO_ON, or CLI_FAILED after an error. */
MUST_USE int cli_load_config(const char *path, struct config *ret_config);
/* The path that cli_load_config takes; NULL where none is there. */
const char *cli_config_path(const char *given);

struct cli_server;

/* Connects to the running server: CLI_GO_ON, or CLI_FAILED after an error. */
MUST_USE int cli_connect(const char *config_path, struct cli_server **ret_server);
void cli_disconnect(struct cli_server **server); /* for CLEANUP */

/* --- rows --- */

enum { CLI_COLUMNS_MAX = 10 };

enum { CLI_ROWS_MAX = 1 << 20 };

struct cli_rows {
	size_t n_columns, n_rows;
	char *columns[CLI_COLUMNS_MAX];
	char *(*cells)[CLI_COLUMNS_MAX];
};

void cli_rows_done(struct cli_rows *rows); /* for CLEANUP */
/* Forgets those behind the first `n`. */
void cli_rows_cut(struct cli_rows *rows, size_t n);

/* Adds a row, copied and made visible; false when its columns are not those of the rows before, or
 * there are CLI_ROWS_MAX. */
bool cli_rows_add(struct cli_rows *rows, const struct ipc_control_row *row);

/*
 * Sends one request; rows of the answer are added to `rows` (NULL: there should be none). CLI_OK,
 * or CLI_FAILED after the server's sentence.
 */
MUST_USE int cli_ask(
    struct cli_server *server, const struct ipc_control *request, struct cli_rows *rows);

/* Asks for an account to be verified: CLI_OK when a session began to. */
MUST_USE int cli_ask_verify(struct cli_server *server, const struct ipc_control_verify *request);

/* Asks for a list piece by piece, until it has no more rows. */
MUST_USE int cli_ask_list(struct cli_server *server, enum control_verb verb, struct cli_rows *rows);

/* A channel to the queue of the running server (given): CLI_GO_ON, or CLI_FAILED after an error. */
MUST_USE int cli_connect_queue(const char *config_path, int *ret_channel);

/* The same as cli_ask and cli_ask_list, of the queue. */
MUST_USE int cli_ask_queue(int queue, const struct ipc_queue_ask *request, struct cli_rows *rows);
/* Asks no further when there are `most` rows. */
MUST_USE int cli_ask_queue_list(
    int queue, const struct ipc_queue_ask *request, size_t most, struct cli_rows *rows);

/* Puts '?' for what would move a terminal: control characters of ASCII and, in UTF-8, of C1. */
void cli_make_visible(char *text);

/* An aligned table, or an array of JSON objects; `as_one`: the first row as one object. */
int cli_print_rows(const struct cli_rows *rows, bool json, bool as_one);

struct json_t;

/* Row `r` as an object of JSON (json_decref). */
struct json_t *cli_json_of_row(const struct cli_rows *rows, size_t r);

/* --- passwords --- */

enum { CLI_PASSWORD_MAX = IPC_PASSWORD_MAX };

/*
 * A password without its line end into `ret` (wiped by the caller): a line of standard input
 * (`from_stdin`), or from the terminal without echo, `twice` where it is a new one. CLI_GO_ON, or
 * CLI_FAILED after an error.
 */
MUST_USE int cli_read_password(
    const char *prompt, bool from_stdin, bool twice, char ret[static CLI_PASSWORD_MAX + 1]);

/* --- the subcommands --- */

/* Actions of `account` about sending (cmd_account_send.c). */
int cli_account_grant_send(int argc, char **argv);
int cli_account_revoke_send(int argc, char **argv);
/* Prints what the directory says of an account, and what it may send as. */
MUST_USE int cli_account_print(
    struct cli_server *server, const char *address, const struct cli_rows *rows, bool json);

int cmd_init(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_role(int argc, char **argv);
int cmd_roles(int argc, char **argv);
int cmd_domain(int argc, char **argv);
int cmd_account(int argc, char **argv);
int cmd_alias(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_help(int argc, char **argv);

#endif
