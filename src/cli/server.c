/* Asking the running server, over its control socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "cli/cli.h"
#include "ipc/channel.h"

static const char *const default_paths[] = {"/etc/gatepost/gatepost.conf", "data/gatepost.conf"};

const char *cli_config_path(const char *given)
{
	if (given)
		return given;
	for (size_t i = 0; i < ARRAY_LEN(default_paths); i++)
		if (access(default_paths[i], F_OK) == 0)
			return default_paths[i];
	return NULL;
}

int cli_load_config(const char *path, struct config *ret_config)
{
	struct config_error error;
	path = cli_config_path(path);
	if (!path)
		return cli_fail("no configuration: neither %s nor ./%s is there; name one with -c, "
		                "or make an instance with `gatepost init`",
		    default_paths[0], default_paths[1]);
	if (config_load(path, ret_config, &error, NULL, NULL))
		return cli_fail("%s", error.text);
	return CLI_GO_ON;
}

struct cli_server {
	int channel;
};

static int connect_control(const char *data, int *ret_channel)
{
	/* The path of a socket has 107 bytes at most; that of a descriptor is short. */
	int folder CLEANUP(fd_close) = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int channel CLEANUP(fd_close) = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (folder < 0 || channel < 0)
		return -errno;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(
	    address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/run/control", folder);
	if (connect(channel, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_channel = fd_take(&channel);
	return 0;
}

int cli_connect(const char *config_path, struct cli_server **ret_server)
{
	struct config config;
	int status = cli_load_config(config_path, &config);
	if (status != CLI_GO_ON)
		return status;
	int channel = -1;
	int error = connect_control(config.data, &channel);
	if (error == -EACCES || error == -EPERM)
		return cli_fail(
		    "%s/run/control: only root and the server's own user may speak with "
		    "the server",
		    config.data);
	if (error)
		return cli_fail(
		    "the server of %s is not running (%s); start it with `gatepost serve "
		    "-c %s`",
		    config.data, strerror(-error), cli_config_path(config_path));
	struct cli_server *server = calloc(1, sizeof(*server));
	if (!server) {
		close(channel);
		return cli_fail("out of memory");
	}
	server->channel = channel;
	*ret_server = server;
	return CLI_GO_ON;
}

void cli_disconnect(struct cli_server **server)
{
	if (!*server)
		return;
	close((*server)->channel);
	free(*server);
	*server = NULL;
}

/* --- rows --- */

void cli_rows_cut(struct cli_rows *rows, size_t n)
{
	for (; rows->n_rows > n; rows->n_rows--)
		for (size_t c = 0; c < rows->n_columns; c++)
			free(rows->cells[rows->n_rows - 1][c]);
}

void cli_rows_done(struct cli_rows *rows)
{
	cli_rows_cut(rows, 0);
	for (size_t c = 0; c < rows->n_columns; c++)
		free(rows->columns[c]);
	free(rows->cells);
	*rows = (struct cli_rows){0};
}

void cli_make_visible(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
		bool is_c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
		if (*p < 0x20 || *p == 0x7f || is_c1)
			*p = '?';
		if (is_c1)
			p[1] = '?';
	}
}

/* What a role says is not trusted on the operator's terminal. */
static char *copy(struct str s)
{
	char *text = strndup(s.p ? s.p : "", s.len);
	if (!text)
		abort();
	cli_make_visible(text);
	return text;
}

bool cli_rows_add(struct cli_rows *rows, const struct ipc_control_row *row)
{
	size_t n = row->names.n;
	if (n != row->values.n || n > CLI_COLUMNS_MAX || rows->n_rows == CLI_ROWS_MAX ||
	    (rows->n_rows > 0 && n != rows->n_columns))
		return false;
	if (rows->n_rows == 0) {
		rows->n_columns = n;
		for (size_t c = 0; c < n; c++)
			rows->columns[c] = copy(row->names.v[c]);
	}
	if ((rows->n_rows & (rows->n_rows - 1)) == 0) { /* room doubles at powers of two */
		size_t room = rows->n_rows == 0 ? 1 : 2 * rows->n_rows;
		void *cells = reallocarray(rows->cells, room, sizeof(*rows->cells));
		if (!cells)
			abort();
		rows->cells = cells;
	}
	for (size_t c = 0; c < n; c++)
		rows->cells[rows->n_rows][c] = copy(row->values.v[c]);
	rows->n_rows++;
	return true;
}

/* 1: the answer goes on; else the exit status. */
static int take_answer(struct ipc_received *m, struct cli_rows *rows)
{
	if (m->type == IPC_CONTROL_ROW && rows && cli_rows_add(rows, m->msg))
		return CLI_GO_ON;
	if (m->type != IPC_CONTROL_DONE)
		return cli_fail("the server's answer makes no sense; is it of another version?");
	const struct ipc_control_done *done = m->msg;
	if (done->error == 0)
		return CLI_OK;
	char *reason = copy(done->reason);
	int status = cli_fail("%s", reason);
	free(reason);
	return status;
}

static int ask(int channel, uint16_t type, const void *request, struct cli_rows *rows)
{
	int error = ipc_send(channel, type, request);
	while (!error) {
		struct ipc_received m;
		error = ipc_recv(channel, &m);
		if (error)
			break;
		int status = take_answer(&m, rows);
		ipc_received_done(&m);
		if (status != CLI_GO_ON)
			return status;
	}
	return cli_fail("the server ended the connection (%s); its log says why", strerror(-error));
}

int cli_ask(struct cli_server *server, const struct ipc_control *request, struct cli_rows *rows)
{
	return ask(server->channel, IPC_CONTROL, request, rows);
}

int cli_ask_verify(struct cli_server *server, const struct ipc_control_verify *request)
{
	struct ipc_received m;
	int error = ipc_send(server->channel, IPC_CONTROL_VERIFY, request);
	if (!error)
		error = ipc_recv(server->channel, &m);
	if (error)
		return cli_fail(
		    "the server ended the connection (%s); its log says why", strerror(-error));
	int status = take_answer(&m, NULL);
	ipc_received_done(&m);
	return status;
}

int cli_ask_list(struct cli_server *server, enum control_verb verb, struct cli_rows *rows)
{
	for (;;) {
		size_t before = rows->n_rows;
		struct ipc_control request = {.verb = (uint8_t)verb};
		if (before > 0)
			request.name = str_of_cstr(rows->cells[before - 1][0]);
		int status = cli_ask(server, &request, rows);
		if (status != CLI_OK || rows->n_rows == before)
			return status;
	}
}

/* --- the queue --- */

/* The directory, whose socket it is, passes our channel on to the queue. */
int cli_connect_queue(const char *config_path, int *ret_channel)
{
	struct cli_server *server CLEANUP(cli_disconnect) = NULL;
	int status = cli_connect(config_path, &server);
	if (status != CLI_GO_ON)
		return status;
	int ends[2] = {-1, -1};
	int error = ipc_pair(ends);
	if (error)
		return cli_fail("cannot make a channel: %s", strerror(-error));
	int ours CLEANUP(fd_close) = ends[0];
	int theirs CLEANUP(fd_close) = ends[1];
	struct ipc_queue_control request = {.channel = theirs};
	status = ask(server->channel, IPC_QUEUE_CONTROL, &request, NULL);
	if (status != CLI_OK)
		return status;
	*ret_channel = fd_take(&ours);
	return CLI_GO_ON;
}

int cli_ask_queue(int queue, const struct ipc_queue_ask *request, struct cli_rows *rows)
{
	return ask(queue, IPC_QUEUE_ASK, request, rows);
}

int cli_ask_queue_list(
    int queue, const struct ipc_queue_ask *request, size_t most, struct cli_rows *rows)
{
	for (struct ipc_queue_ask piece = *request;;) {
		size_t before = rows->n_rows;
		int status = cli_ask_queue(queue, &piece, rows);
		if (status != CLI_OK || rows->n_rows == before || rows->n_rows >= most)
			return status;
		if (!num_parse(
		        str_of_cstr(rows->cells[rows->n_rows - 1][0]), UINT64_MAX, &piece.after))
			return cli_fail(
			    "the server's answer makes no sense; is it of another version?");
	}
}
