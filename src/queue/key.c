#include "queue/key.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "seal/key_file.h"

/* docs/formats.md lists the labels in use. */
#define LABEL "queue.db"

static bool is_there(const char *name)
{
	struct stat st;
	return fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int queue_key_make(void)
{
	bool begins = !is_there(QUEUE_KEY_FILE) && !is_there(QUEUE_DATABASE_FILE);
	return begins ? key_file_make(AT_FDCWD, QUEUE_KEY_FILE) : 0;
}

int queue_key_read(struct secret **ret_key)
{
	struct secret *key CLEANUP(secret_free) = NULL;
	int error = key_file_read(AT_FDCWD, QUEUE_KEY_FILE, false, &key);
	if (!error)
		*ret_key = secret_derive(key, LABEL, STR(""));
	return error;
}
