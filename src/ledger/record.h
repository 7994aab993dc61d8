/*
 * ledger/record.h: the lines of ledger.log.
 *
 *   sequence SP time SP kind SP sender SP account SP peer SP detail SP hash LF
 *
 * `sequence` counts from 1; `time` is milliseconds since 1970; `kind` and `sender` are names;
 * `account` is a decimal id or "-"; `peer` is an address or "-"; `detail` is in double quotes, with
 * `"`, `\` and every byte outside 0x20…0x7e as \xHH; `hash` is 64 hexadecimal digits: SHA-256 over
 * the raw 32 bytes of the line before's hash (zeros for the first) and this line's bytes up to and
 * without the space before the hash.
 *
 * A line is whole when it ends in LF and its hash is right. What follows the last LF is what a
 * crash left of an append that nobody was told about; it is closed with an LF at the next start and
 * stays in the file, marked by its missing hash, because nothing is ever cut off.
 */
#ifndef LEDGER_RECORD_H
#define LEDGER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "ipc/messages.h"

enum { RECORD_HASH_LEN = 32, RECORD_LINE_MAX = 4096 };

struct chain {
	uint64_t sequence; /* of the last line; 0: none yet */
	unsigned char hash[RECORD_HASH_LEN];
};

/* The name of a kind ("alarm.gate-crash"). */
const char *record_kind_name(enum ledger_kind kind);

/* Appends the next line to `out` and moves the chain on. False when it does not fit. */
MUST_USE bool record_write(struct chain *chain, uint64_t at_ms, enum role sender,
    const struct ipc_ledger_event *event, struct buf *out);

struct record_check {
	struct chain chain;   /* behind the last whole line */
	uint64_t lines;       /* whole ones */
	uint64_t torn;        /* left by crashes: lines without a hash of the right form */
	uint64_t first_wrong; /* number in the file, from 1, of the first line that breaks the
	                         chain; 0: none */
	bool open_end;        /* the file does not end in LF */
};

/* Takes the next line (without its LF) into the check. Lines in order, starting from a zeroed
 * struct. */
void record_check_line(struct record_check *check, struct str line);

/* Called with each line (without its LF) that is whole and whose chain is not broken before it. */
struct record_lines {
	void (*fn)(void *ctx, struct str line);
	void *ctx;
};

/* Reads a whole log: where its chain stands, and whether somebody changed it. `lines` may be NULL.
 * 0 or -errno. */
MUST_USE int record_check_file(
    int fd, const struct record_lines *lines, struct record_check *ret_check);

#endif
