/*
 * scribe/scribe.h: a process that reads a message on its way out, completes it, and ends; or a few
 * messages of one submitter, one after the other.
 *
 * It speaks with the queue over one channel: IPC_PREPARE brings a message, IPC_EXAMINED says what
 * it is, IPC_FINISH what is to become of it, IPC_FINISHED brings what it became and what the
 * keyholder has to sign. What is read and how is in mail/outgoing_message.h and mail/dkim_sign.h.
 *
 * It opens nothing, and has one thing: the message. What held it is overwritten before the next one
 * comes. It ends after as many messages as its start says, after SCRIBE_LIFE_MS, or when the next
 * does not come (ipc/scribing.h: SCRIBE_IDLE_MS).
 */
#ifndef SCRIBE_SCRIBE_H
#define SCRIBE_SCRIBE_H

#include "ipc/outgoing.h"

/* So long the queue may take to the first message, and between IPC_EXAMINED and IPC_FINISH: it asks
 * others. */
enum { SCRIBE_WAIT_MS = 120 * 1000 };

/* The whole life of a scribe; the channel is closed at its end. 0: it did its work, or the queue
 * did not want it; 1: the machine failed it. */
int scribe_run(struct ipc_scribe *start);

#endif
