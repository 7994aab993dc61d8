/* store/order.h: making the rows of the table `orders`. Private to src/store. */
#ifndef STORE_ORDER_H
#define STORE_ORDER_H

#include "store/store_private.h"

struct order_source {
	uint32_t message;
	int64_t sent_at;     /* or INTERNALDATE */
	struct str subject;  /* decoded */
	struct str envelope; /* as IMAP sends it */
	struct str message_id;
	const struct str *references; /* as threading counts them, oldest first */
	size_t n_references;
};

/* Adds a message's row within a transaction. */
MUST_USE int order_add(struct store *s, const struct order_source *source);

#endif
