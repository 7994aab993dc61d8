/* store/object.h: giving messages their object ids as they are taken in. Private to src/store. */
#ifndef STORE_OBJECT_H
#define STORE_OBJECT_H

#include "store/db.h"

/* Time and a derived number: ids of one time stand together in the index. */
enum { OBJECT_ID_LEN = 14, OBJECT_TIME_LEN = 6 };

/* What the ids are made of. */
struct object_source {
	uint64_t received_ms;
	const uint8_t *content_key; /* of the message's body */
	struct str subject;         /* decoded */
	struct str message_id;
	struct str references;     /* each followed by LF */
	const struct str *preview; /* NULL: none is known */
};

/* Within a transaction. */
MUST_USE int object_add(struct db *db, uint32_t message, const struct object_source *source);

/* The step of the schema: tables, and ids for the messages that are there. */
MUST_USE int object_make_tables(struct db *db);

#endif
