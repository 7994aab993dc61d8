/* ledger/ledger.h: the role that keeps the append-only log (docs/formats-ledger.md). */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "sandbox/role.h"

/* The role: opens ledger.log, enters its sandbox, appends events until told to stop. */
int ledger_main(struct role_start *start);

#endif
