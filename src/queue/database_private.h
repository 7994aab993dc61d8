/* queue/database_private.h: the statements of the database, for the files that use them. */
#ifndef QUEUE_DATABASE_PRIVATE_H
#define QUEUE_DATABASE_PRIVATE_H

#include <sqlite3.h>

#include "queue/database.h"

enum statement { BEGIN, COMMIT, ROLLBACK, N_STATEMENTS };

struct queue_db {
	sqlite3 *handle;
	sqlite3_stmt *statements[N_STATEMENTS];
};

#endif
