/*
 * ledger/ledger.h: the role that keeps the append-only log (docs/architecture.md has its bytes).
 *
 * It takes IPC_LEDGER_EVENT from the other roles, each the kinds that its role may raise
 * (ledger_may_raise), appends one line for each, and syncs it before it takes the next. A kind that
 * the sender may not raise ends the sender's channel, and is an alarm itself.
 *
 * It cannot change what is written: the file is open for appending only, and the role has no right
 * to open, truncate, rename or remove any file. It does not sign lines: their chain of hashes shows
 * a change in the middle, but who can write the file can also make a new chain.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <stdbool.h>

#include "sandbox/role.h"

/* The role: opens ledger.log, enters its sandbox, appends events until told to stop. */
int ledger_main(struct role_start *start);

/* True when `sender` may raise events of `kind`. */
bool ledger_may_raise(enum role sender, enum ledger_kind kind);

#endif
