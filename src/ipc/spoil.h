/*
 * ipc/spoil.h: makes a role misbehave on its channels, for the drills (test/drills/run).
 *
 * Only in builds with GATEPOST_DRILL. GATEPOST_DRILL_MESSAGES="TYPE VARIANT UNTIL" in the
 * environment: each process sends, right behind its first message of that type, one more on the
 * same channel that is broken in that way; until UNTIL (milliseconds since 1970), so that a run can
 * see that everything works again. What the receiver must do is the fault rule of ipc/channel.h.
 *
 *   truncated     the message without its last byte
 *   longer        with one byte more
 *   unknown       of a type that no message has
 *   oversize      longer than any message may be
 *   out-of-turn   a well-formed message that is not for this channel
 *   descriptors   with a descriptor too many
 */
#ifndef IPC_SPOIL_H
#define IPC_SPOIL_H

#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

#ifdef GATEPOST_DRILL

void ipc_spoil(int channel, uint16_t type, struct str bytes, const int *fds, size_t n_fds);

#else

static inline void ipc_spoil(int channel UNUSED, uint16_t type UNUSED, struct str bytes UNUSED,
    const int *fds UNUSED, size_t n_fds UNUSED)
{
}

#endif
#endif
