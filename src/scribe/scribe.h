/*
 * scribe/scribe.h: a process that reads one message on its way out, completes it, and ends.
 *
 * It speaks with the queue over one channel: IPC_EXAMINED says what the message is, IPC_FINISH what
 * is to become of it, IPC_FINISHED brings the message and what the keyholder has to sign. What is
 * read and how is in mail/outgoing_message.h and mail/dkim_sign.h.
 *
 * It opens nothing, and has one thing: the message.
 */
#ifndef SCRIBE_SCRIBE_H
#define SCRIBE_SCRIBE_H

#include "ipc/outgoing.h"

/* So long the queue may take between IPC_EXAMINED and IPC_FINISH: it asks others. */
enum { SCRIBE_WAIT_MS = 120 * 1000 };

/* The whole life of a scribe; the descriptors in `prepare` are closed at its end. 0: it did its
 * work, or the queue did not want it; 1: the machine failed it. */
int scribe_run(struct ipc_prepare *prepare);

#endif
