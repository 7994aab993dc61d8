/* gatepost verify */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "cli/verify.h"
#include "ipc/channel.h"
#include "session/verify.h"

static const char about[] =
    "Looks at every byte of every file of the instance and names what is not as it was\n"
    "written, and what is there that no instance has. Mail is sealed, so without an account's "
    "password its records, large messages and\n"
    "keys are compared with their checksums and its index is left out (state `sealed`); with\n"
    "--account one account is looked at with its password, to the last byte.\n\n"
    "The running server does it, each account in a session of its own; where none runs, this\n"
    "command does it itself. Exit status 1: something is damaged, or could not be looked at.";

/* --- rows --- */

static void clear_progress(struct verify *v)
{
	if (v->showing[0] != '\0')
		fputs("\r\033[K", stderr);
	v->showing[0] = '\0';
}

void verify_row(struct verify *v, const char *file, const char *state, const uint64_t *offset,
    const char *problem)
{
	struct str names[] = {STR("file"), STR("state"), STR("offset"), STR("problem")};
	char at[24] = "";
	clear_progress(v);
	if (offset)
		snprintf(at, sizeof(at), "%" PRIu64, *offset);
	struct str values[] = {
	    str_of_cstr(file), str_of_cstr(state), str_of_cstr(at), str_of_cstr(problem)};
	struct ipc_control_row row = {{names, ARRAY_LEN(names)}, {values, ARRAY_LEN(values)}};
	v->n_rows++;
	if (v->to < 0)
		cli_rows_add(&v->rows, &row);
	else if (ipc_send(v->to, IPC_CONTROL_ROW, &row) < 0)
		_exit(CLI_FAILED);
	v->has_damage = v->has_damage || strcmp(state, "changed") == 0 ||
	                strcmp(state, "unknown") == 0 || strcmp(state, "damaged") == 0 ||
	                strcmp(state, "failed") == 0;
}

void verify_damage(struct verify *v, const char *file, uint64_t offset, const char *problem)
{
	verify_row(v, file, "damaged", &offset, problem);
}

void verify_failed(struct verify *v, const char *file, int error)
{
	verify_row(v, file, "failed", NULL, strerror(-error));
}

void verify_progress(struct verify *v, const char *what, uint64_t done, uint64_t of)
{
	if (!v->shows_progress || of == 0)
		return;
	snprintf(v->showing, sizeof(v->showing), "%s: %" PRIu64 " %% of %" PRIu64 " MB", what,
	    100 * done / of, of >> 20);
	fprintf(stderr, "\r\033[K%s", v->showing);
	fflush(stderr);
}

/* --- asking the running server --- */

/* What a session says is not trusted: it reads what strangers sent. */
static void take_damage(struct verify *v, uint64_t id, const struct ipc_damage *damage)
{
	char file[LOG_QUOTE_MAX + 64];
	snprintf(file, sizeof(file), "accounts/%" PRIu64 "/%s", id, log_quote(damage->file).text);
	verify_damage(v, file, damage->offset, log_quote(damage->what).text);
}

static void take_end(struct verify *v, const char *name, const struct ipc_verified *end)
{
	if (end->error == EKEYREJECTED)
		verify_row(v, name, "failed", NULL, "that is not its password");
	else if (end->error)
		verify_failed(v, name, end->error > INT16_MAX ? -EIO : -(int)end->error);
	else if (end->n_damaged == 0)
		verify_row(v, name, end->with_key ? "ok" : "sealed", NULL, "");
}

int verify_recv(int channel, struct ipc_received *ret_m)
{
	struct pollfd p = {.fd = channel, .events = POLLIN};
	int n = poll(&p, 1, VERIFY_SILENCE_MS);
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	return ipc_recv(channel, ret_m);
}

/* 0: it goes on; 1: that was all; or -errno. A session tells so many damages; one that tells more
 * is not as we made it, and would fill the memory here. */
static int take_answer(
    struct verify *v, uint64_t id, const char *name, int channel, unsigned *n_damages)
{
	struct ipc_received m;
	int error = verify_recv(channel, &m);
	if (error)
		return error;
	const struct ipc_verified *verified = m.msg;
	int result = 0;
	if (m.type == IPC_DAMAGE && (*n_damages)++ < VERIFY_DAMAGES_MAX) {
		take_damage(v, id, m.msg);
	} else if (m.type != IPC_VERIFIED) {
		result = -EPROTO;
	} else if (verified->done) {
		take_end(v, name, verified);
		result = 1;
	} else {
		verify_progress(v, name, verified->bytes, verified->of_bytes);
	}
	ipc_received_done(&m);
	return result;
}

void verify_take(struct verify *v, uint64_t id, const char *name, int channel)
{
	unsigned n_damages = 0;
	int answer;
	while ((answer = take_answer(v, id, name, channel, &n_damages)) == 0)
		;
	if (answer < 0)
		verify_row(v, name, "failed", NULL,
		    answer == -ETIMEDOUT ? "the session says nothing"
		                         : "the session ended before; see the log");
}

static void ask_account(
    struct verify *v, struct cli_server *server, const char *address, uint64_t id)
{
	char name[64];
	int ends[2];
	snprintf(name, sizeof(name), "accounts/%" PRIu64, id);
	int error = ipc_pair(ends);
	if (error) {
		verify_failed(v, name, error);
		return;
	}
	int ours CLEANUP(fd_close) = ends[0];
	int theirs CLEANUP(fd_close) = ends[1];
	struct ipc_control_verify request = {.name = str_of_cstr(address),
	    .password = str_of_cstr(v->password ? v->password : ""),
	    .channel = theirs};
	int status = cli_ask_verify(server, &request);
	fd_close(&theirs);
	if (status != CLI_OK) {
		verify_row(v, name, "failed", NULL, "the server could not begin");
		return;
	}
	verify_take(v, id, name, ours);
}

static void ask_directory(struct verify *v, struct cli_server *server)
{
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	struct ipc_control request = {.verb = CONTROL_VERIFY};
	if (cli_ask(server, &request, &rows) != CLI_OK) {
		verify_row(v, "directory", "failed", NULL, "the directory could not be asked");
		return;
	}
	for (size_t i = 0; rows.n_columns == 3 && i < rows.n_rows; i++) {
		uint64_t offset = 0;
		if (!num_parse(str_of_cstr(rows.cells[i][1]), UINT64_MAX, &offset))
			offset = 0;
		struct log_quoted file = log_quote(str_of_cstr(rows.cells[i][0]));
		verify_damage(v, file.text, offset, log_quote(str_of_cstr(rows.cells[i][2])).text);
	}
	if (rows.n_rows == 0)
		verify_row(v, "directory", "ok", NULL, "");
}

static void ask_accounts(struct verify *v, struct cli_server *server)
{
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	if (cli_ask_list(server, CONTROL_ACCOUNT_LIST, &rows) != CLI_OK) {
		verify_row(v, "accounts", "failed", NULL, "the directory cannot list all of them");
		return;
	}
	v->knows_accounts = true;
	for (size_t i = 0; rows.n_columns > 1 && i < rows.n_rows; i++) {
		uint64_t id = 0;
		if (!num_parse(str_of_cstr(rows.cells[i][1]), UINT64_MAX, &id))
			continue;
		buf_add(&v->accounts, str_of(&id, sizeof(id)));
		ask_account(v, server, rows.cells[i][0], id);
	}
}

static int ask_one(struct verify *v, struct cli_server *server)
{
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	struct ipc_control request = {
	    .verb = CONTROL_ACCOUNT_SHOW, .name = str_of_cstr(v->account)};
	uint64_t id = 0;
	int status = cli_ask(server, &request, &rows);
	if (status != CLI_OK)
		return status;
	if (rows.n_rows != 1 || rows.n_columns < 2 ||
	    !num_parse(str_of_cstr(rows.cells[0][1]), UINT64_MAX, &id))
		return cli_fail("the server's answer makes no sense; is it of another version?");
	ask_account(v, server, v->account, id);
	return CLI_GO_ON;
}

static int ask_server(struct verify *v)
{
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	int status = cli_connect(v->config_path, &server);
	if (status != CLI_GO_ON)
		return status;
	if (v->account)
		return ask_one(v, server);
	ask_directory(v, server);
	verify_ask_queue(v);
	ask_accounts(v, server);
	return CLI_GO_ON;
}

/* --- the command --- */

/* Keeps a server from starting meanwhile: the lock's descriptor, -EWOULDBLOCK when one runs. */
static int lock_instance(const struct verify *v)
{
	int fd CLEANUP(fd_close) =
	    openat(v->data_fd, "run/gatepost.pid", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
		return -errno;
	return fd >= 0 || errno == ENOENT ? (fd >= 0 ? fd_take(&fd) : -ENOENT) : -errno;
}

static int verify_content(struct verify *v, bool is_running)
{
	if (is_running)
		return ask_server(v);
	verify_stopped(v);
	return CLI_GO_ON;
}

static int verify_all(struct verify *v)
{
	int lock CLEANUP(fd_close) = lock_instance(v);
	if (lock < 0 && lock != -EWOULDBLOCK && lock != -ENOENT)
		return cli_fail(
		    "%s/run/gatepost.pid: cannot be locked (%s)", v->config->data, strerror(-lock));
	if (!v->account)
		verify_files(v);
	int status = verify_content(v, lock == -EWOULDBLOCK);
	if (status == CLI_GO_ON && !v->account)
		verify_names(v);
	return status;
}

static int run(struct verify *v, bool json)
{
	v->data_fd = open(v->config->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->data_fd < 0)
		return cli_fail("%s: cannot be opened (%s)", v->config->data, strerror(errno));
	v->shows_progress = isatty(STDERR_FILENO);
	int status = verify_all(v);
	clear_progress(v);
	if (status == CLI_GO_ON)
		status = cli_print_rows(&v->rows, json, false);
	fd_close(&v->data_fd);
	cli_rows_done(&v->rows);
	buf_done(&v->accounts);
	return status == CLI_OK && v->has_damage ? CLI_FAILED : status;
}

int cmd_verify(int argc, char **argv)
{
	static const struct cli_spec spec = {"verify", "", about, 0, 0, CLI_CONFIG | CLI_JSON};
	bool from_stdin = false;
	const char *account = NULL;
	const struct cli_option options[] = {
	    {"--account", "ADDRESS", "look at this account alone, with its password", &account,
	        NULL},
	    {"--password-stdin", NULL, "read its password from a line of standard input", NULL,
	        &from_stdin},
	};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	if (from_stdin && !account) {
		cli_fail("--password-stdin needs --account");
		return CLI_USAGE;
	}
	struct config config;
	char password[CLI_PASSWORD_MAX + 1] = "";
	status = cli_load_config(arguments.config, &config);
	if (status == CLI_GO_ON && account)
		status = cli_read_password("Password", from_stdin, false, password);
	if (status != CLI_GO_ON)
		return status;
	struct verify v = {.config = &config,
	    .config_path = cli_config_path(arguments.config),
	    .account = account,
	    .password = account ? password : NULL,
	    .accounts = BUF_MAX(VERIFY_ACCOUNTS_MAX * sizeof(uint64_t)),
	    .to = -1};
	status = run(&v, arguments.json);
	explicit_bzero(password, sizeof(password));
	return status;
}
