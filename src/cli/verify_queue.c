/*
 * The queue's folder: the running queue looks at it itself (QUEUE_VERIFY); where no server runs, a
 * child does, in the queue's sandbox.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "cli/verify.h"
#include "queue/check.h"
#include "queue/key.h"
#include "sandbox/sandbox.h"

/* A row of the queue's answer: file, state, offset, problem. The rows were made visible. */
static void take_row(struct verify *v, char *const cells[])
{
	uint64_t offset = 0;
	bool placed = num_parse(str_of_cstr(cells[2]), UINT64_MAX, &offset);

	verify_row(v, cells[0], cells[1], placed ? &offset : NULL, cells[3]);
}

void verify_ask_queue(struct verify *v)
{
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	const struct ipc_queue_ask ask = {.verb = QUEUE_VERIFY};
	int queue CLEANUP(fd_close) = -1;

	if (cli_connect_queue(v->config_path, &queue) != CLI_GO_ON ||
	    cli_ask_queue(queue, &ask, &rows) != CLI_OK) {
		verify_row(v, "queue", "failed", NULL, "the queue could not be asked");
		return;
	}
	for (size_t i = 0; rows.n_columns == 4 && i < rows.n_rows; i++)
		take_row(v, rows.cells[i]);
	if (rows.n_rows == 0)
		verify_row(v, "queue", "ok", NULL, "");
}

void verify_no_queue(struct verify *v)
{
	if (v->had_queue)
		verify_damage(v, "queue", 0, "is missing, with all that waited in it");
	else
		verify_row(v, "queue", "ok", NULL, "no server has begun with it yet");
}

/* --- in a child --- */

static void on_found(void *ctx, const struct queue_finding *f)
{
	verify_row(ctx, f->file, f->is_damage ? "damaged" : "left", &f->offset, f->what);
}

static int look(struct verify *v)
{
	const struct queue_check_watch watch = {on_found, v};
	struct queue_check *c = NULL;
	uint64_t bytes, of_bytes;
	int error = queue_check_open(watch, &c);

	if (error == -ENOENT) {
		verify_no_queue(v);
		return 0;
	}
	int more = error ? error : 1;
	while (more > 0) {
		queue_check_progress(c, &bytes, &of_bytes);
		verify_progress(v, "queue", bytes, of_bytes);
		more = queue_check_step(c);
	}
	queue_check_free(c);
	return more;
}

_Noreturn void verify_be_queue(struct verify *v, pid_t parent)
{
	sandbox_enter_owner(ROLE_QUEUE, QUEUE_DATABASE_FILE, parent, &v->to, 1);
	size_t n_before = v->n_rows;
	int error = look(v);
	if (!error && v->n_rows == n_before)
		verify_row(v, "queue", "ok", NULL, "");
	const struct ipc_control_done done = {.error = (uint32_t)-error, .reason = STR("")};
	_exit(ipc_send(v->to, IPC_CONTROL_DONE, &done) < 0);
}
