/*
 * sandbox/lean.h: what a gate does not need does not go into it.
 *
 * The binary holds all roles, and so every process begins with all their libraries mapped: the
 * database, the compressor, the character tables. A gate uses the C library and TLS. The others are
 * marked so that fork leaves them out (MADV_DONTFORK): a fork and an exit cost a third less, and
 * who breaks a gate finds less code in it.
 *
 * What a gate shares with its gatekeeper and seldom writes (the heap as start-up left it, most of
 * it TLS's tables; what the loader wrote into the libraries) is put into files of memory, mapped
 * privately in its old place: then neither fork nor exit go through its pages one by one.
 *
 * Besides, it fills the holes of the heap (base/heap.h).
 *
 * It does nothing under the sanitizers, which look at every library. Where something cannot be
 * done, gates are larger, and work.
 */
#ifndef SANDBOX_LEAN_H
#define SANDBOX_LEAN_H

#include "base/attr.h"
#include "base/str.h"

/* Before the sandbox (it reads /proc/self/maps) and before the first fork. */
void lean_prepare(void);

struct lean_mapping {
	char *start;
	size_t len;
	struct str file; /* borrowed from the line; empty: no file */
	bool is_heap;
};

/* Cuts a line of /proc/self/maps; false when it is none. */
MUST_USE bool lean_read_mapping(struct str line, struct lean_mapping *ret_mapping);

/* True for the file of a library that no gate uses. */
bool lean_is_foreign(struct str file);

#endif
