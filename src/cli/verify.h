/*
 * cli/verify.h: what the parts of `gatepost verify` share.
 *
 * A report is rows: file, state, offset, problem. The states: "ok", "sealed" (right as far as can
 * be told without the account's password), "torn" (ledger.log: the end of a line is missing, as a
 * crash leaves it), "changed" (another than the server last began with: the operator's change, or
 * not), "left" (a crash left it, and the next start or sign-in removes it), "unread" (known, and
 * looked at by nobody), "unknown" (no file of an instance has such a name), "damaged", "failed" (it
 * could not be looked at).
 */
#ifndef CLI_VERIFY_H
#define CLI_VERIFY_H

#include <sys/types.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "ipc/channel.h"
#include "seal/secret.h"

enum { VERIFY_ACCOUNTS_MAX = 1 << 20 };

struct verify {
	const struct config *config;
	const char *config_path;
	const char *account; /* this one alone, with its password; NULL: everything, without */
	char *password;      /* NULL: none */
	int data_fd;
	int to; /* in a child of verify_stopped: rows are sent there; else -1 */
	struct cli_rows rows;
	size_t n_rows; /* also those that were sent */
	bool shows_progress;
	bool has_damage;     /* a row is "changed", "unknown", "damaged" or "failed" */
	struct buf accounts; /* uint64_t each: the accounts that there are */
	bool knows_accounts; /* they are all in there */
	bool had_queue;      /* a server began here that has one */
	char showing[96];    /* whose progress stands on the terminal */
};

/* One row. `offset` NULL: of no place. */
void verify_row(struct verify *v, const char *file, const char *state, const uint64_t *offset,
    const char *problem);
/* A damaged place, and an error of the machine. */
void verify_damage(struct verify *v, const char *file, uint64_t offset, const char *problem);
void verify_failed(struct verify *v, const char *file, int error);

/* How far it is, on a terminal; cleared by the next row. */
void verify_progress(struct verify *v, const char *what, uint64_t done, uint64_t of);

/* As ipc_recv, for so long: a session that looks at something says so all the time. -ETIMEDOUT. */
enum { VERIFY_SILENCE_MS = 300 * 1000 };
MUST_USE int verify_recv(int channel, struct ipc_received *ret_m);

/* Takes what a session that verifies says (session/verify.h) until its end, and makes rows of it.
 */
void verify_take(struct verify *v, uint64_t id, const char *name, int channel);

/* The configuration, the certificate and its key, the key of those of DKIM, the ledger
 * (verify_files.c). */
void verify_files(struct verify *v);

/* The queue, as the running server says (verify_queue.c); in a child of verify_stopped. */
void verify_ask_queue(struct verify *v);
_Noreturn void verify_be_queue(struct verify *v, pid_t parent);
/* There is none. */
void verify_no_queue(struct verify *v);

/* Files and folders that are not an instance's, by their names; last (verify_names.c). */
void verify_names(struct verify *v);

/* The directory, the queue and the accounts of an instance that no server runs on
 * (verify_stopped.c): each in a child in the sandbox of its role. */
void verify_stopped(struct verify *v);

#endif
