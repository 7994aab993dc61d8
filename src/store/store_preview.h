/*
 * store/store_preview.h: the first words of a message (mail/preview.h), made when it was taken in.
 *
 * Messages that an earlier version took in have none here; whoever wants one makes it of the bytes.
 */
#ifndef STORE_STORE_PREVIEW_H
#define STORE_STORE_PREVIEW_H

#include "base/buf.h"
#include "store/store.h"

/* Appends the preview, perhaps an empty one. -ENOENT: none is kept. */
MUST_USE int store_preview(struct store *s, uint32_t message, struct buf *out);

#endif
