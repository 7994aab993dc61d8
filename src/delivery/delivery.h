/*
 * delivery/delivery.h: the role that puts messages into letterboxes.
 *
 * A gate hands over a message (a sealed memory file, or the bytes of a short one) with the accounts
 * that get it. Delivery writes Return-Path: and the gate's trace fields on top, seals body and
 * headers, appends a record to each letterbox, syncs, and answers; then it tells the registry which
 * accounts changed. All of a message's letterboxes get it or none.
 *
 * What is ready when the loop comes round is one batch: one lock and one sync per letterbox for all
 * of its messages.
 *
 * Working folder: accounts/. It reads public keys and the ends of segments, and cannot open what it
 * has written. One gate has one message under way; anything else it sends ends its channel and is
 * an alarm.
 */
#ifndef DELIVERY_DELIVERY_H
#define DELIVERY_DELIVERY_H

#include "sandbox/role.h"

/* The role's process: returns its exit status. */
int delivery_main(struct role_start *start);

#endif
