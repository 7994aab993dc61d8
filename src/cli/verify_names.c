/*
 * What stands in the data folder beside the files that an instance has: nobody looks into it, so it
 * is named. Only names are read here, and folders opened; no file is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "cli/verify.h"

#define DIGIT   "[0-9]"
#define DIGITS6 DIGIT DIGIT DIGIT DIGIT DIGIT DIGIT
#define HEX     "[0-9a-f]"
#define HEX4    HEX HEX HEX HEX
#define HEX16   HEX4 HEX4 HEX4 HEX4
#define HEX32   HEX16 HEX16

enum { PATH_LEN_MAX = 1024, UNKNOWN_MAX = 1000 };

enum known { UNKNOWN, FILE_OF_OURS, FOLDER_OF_OURS, LEFT, UNREAD };

/* `folder` as a path below the data folder; in it, "accounts/#" is that of an account. */
static const struct row {
	const char *folder, *pattern;
	enum known known;
} rows[] = {
    {"", "gatepost.conf", FILE_OF_OURS},
    {"", "tls", FOLDER_OF_OURS},
    {"", "directory", FOLDER_OF_OURS},
    {"", "accounts", FOLDER_OF_OURS},
    {"", "queue", FOLDER_OF_OURS},
    {"", "ledger", FOLDER_OF_OURS},
    {"", "run", FOLDER_OF_OURS},
    {"tls", "keyholder.key", FILE_OF_OURS},
    {"tls", "keyholder.key.new", LEFT},
    {"directory", "server.key", FILE_OF_OURS},
    {"directory", "server.key.new", LEFT},
    {"directory", "directory.db", FILE_OF_OURS},
    {"directory", "directory.db-wal", FILE_OF_OURS},
    {"directory", "directory.db-shm", FILE_OF_OURS},
    {"directory", "directory.db.new-" HEX16, LEFT},
    {"queue", "queue.key", FILE_OF_OURS},
    {"queue", "queue.key.new", LEFT},
    {"queue", "queue.db", FILE_OF_OURS},
    {"queue", "queue.db-wal", FILE_OF_OURS},
    {"queue", "queue.db-shm", FILE_OF_OURS},
    {"queue", "queue.db.new-" HEX16, LEFT},
    {"queue", HEX32, FILE_OF_OURS},
    {"queue", ".new-" HEX16, LEFT},
    {"ledger", "ledger.log", FILE_OF_OURS},
    {"run", "control", FILE_OF_OURS},
    {"run", "gatepost.pid", FILE_OF_OURS},
    {"run", "roles", FILE_OF_OURS},
    {"run", "roles.new", LEFT},
    {"accounts", ".making-*", LEFT},
    {"accounts", ".removing-*", LEFT},
    {"accounts/#", "keys", FILE_OF_OURS},
    {"accounts/#", "letterbox", FOLDER_OF_OURS},
    {"accounts/#", "blobs", FOLDER_OF_OURS},
    {"accounts/#", "mailbox.db", FILE_OF_OURS},
    {"accounts/#", "mailbox.db-wal", FILE_OF_OURS},
    {"accounts/#", "mailbox.db-shm", FILE_OF_OURS},
    {"accounts/#", "mailbox.db.new-" HEX16, LEFT},
    {"accounts/#", "mailbox.db.damaged-*", UNREAD},
    {"accounts/#", "mailbox.db.is-damaged", LEFT},
    {"accounts/#", "mailbox.db.shorter*", LEFT},
    {"accounts/#/letterbox", DIGITS6 ".seg", FILE_OF_OURS},
    {"accounts/#/blobs", HEX32, FILE_OF_OURS},
    {"accounts/#/blobs", ".new-" HEX16, LEFT},
};

struct walk {
	struct verify *v;
	size_t n_unknown;
};

/* --- what is known of a name --- */

/* `file` is one that the configuration names: is `path` that file, or a folder that leads to it? */
static enum known judge_file(const char *file, enum known known, const char *path)
{
	size_t len = strlen(path);

	if (strncmp(file, path, len) != 0)
		return UNKNOWN;
	return file[len] == '\0' ? known : file[len] == '/' ? FOLDER_OF_OURS : UNKNOWN;
}

/* The operator's own files. */
static enum known judge_configured(const struct config *config, const char *path)
{
	const struct {
		const char *file;
		enum known known;
	} files[] = {
	    {config->certificate, FILE_OF_OURS},
	    {config->key, FILE_OF_OURS},
	    {config->outbound_ca_file, UNREAD},
	    {config->outbound_trust_anchor, UNREAD},
	    {config->outbound_root_hints, UNREAD},
	};
	enum known known = UNKNOWN;

	for (size_t i = 0; i < ARRAY_LEN(files) && known == UNKNOWN; i++)
		known = judge_file(files[i].file, files[i].known, path);
	for (size_t i = 0; i < config->n_relays && known == UNKNOWN; i++)
		known = judge_file(config->relays[i].password_file, UNREAD, path);
	return known;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(uint64_t));
}

static enum known judge_account(const struct verify *v, const char *name)
{
	size_t n = v->accounts.len / sizeof(uint64_t);
	uint64_t id;

	if (!num_parse(str_of_cstr(name), UINT64_MAX, &id))
		return UNKNOWN;
	if (!v->knows_accounts)
		return FOLDER_OF_OURS;
	return n > 0 && bsearch(&id, v->accounts.p, n, sizeof(id), by_id) ? FOLDER_OF_OURS
	                                                                  : UNKNOWN;
}

/* `kind` is the folder's path with '#' for the account. */
static enum known judge(
    const struct verify *v, const char *kind, const char *path, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].folder, kind) == 0 &&
		    fnmatch(rows[i].pattern, name, FNM_PERIOD) == 0)
			return rows[i].known;
	return strcmp(kind, "accounts") == 0 ? judge_account(v, name)
	                                     : judge_configured(v->config, path);
}

static void tell(struct walk *w, const char *path, enum known known)
{
	struct log_quoted quoted = log_quote(str_of_cstr(path));

	if (known == LEFT)
		verify_row(w->v, quoted.text, "left", NULL, "left behind by something cut short");
	else if (known == UNREAD)
		verify_row(w->v, quoted.text, "unread", NULL, "nothing says what it held");
	else if (w->n_unknown++ < UNKNOWN_MAX)
		verify_row(w->v, quoted.text, "unknown", NULL,
		    "no file of an instance has this name in this place");
}

/* --- the walk --- */

static void walk_folder(struct walk *w, int parent_fd, const char *path, const char *kind);

static bool is_folder(int folder_fd, const char *name)
{
	struct stat st;

	return fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool is_gone(int folder_fd, const char *name)
{
	struct stat st;

	return fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static void look_at(
    struct walk *w, int folder_fd, const char *folder, const char *kind, const char *name)
{
	char path[PATH_LEN_MAX], below[PATH_LEN_MAX];
	const char *slash = *folder ? "/" : "";
	const char *kind_of_name = strcmp(kind, "accounts") == 0 ? "#" : name;
	int len = snprintf(path, sizeof(path), "%s%s%s", folder, slash, name);
	int below_len = snprintf(below, sizeof(below), "%s%s%s", kind, slash, kind_of_name);
	if (len >= PATH_LEN_MAX || below_len >= PATH_LEN_MAX) {
		verify_failed(w->v, folder, -ENAMETOOLONG);
		return;
	}
	enum known known = judge(w->v, kind, path, name);
	bool expected = known == FILE_OF_OURS || known == FOLDER_OF_OURS;
	if (expected && (known == FOLDER_OF_OURS) != is_folder(folder_fd, name))
		known = UNKNOWN;
	if (known == FOLDER_OF_OURS)
		walk_folder(w, folder_fd, path, below);
	else if (known != FILE_OF_OURS && !is_gone(folder_fd, name))
		tell(w, path, known);
}

/* A folder that is not there is missed by who looks into it. */
static void walk_folder(struct walk *w, int parent_fd, const char *path, const char *kind)
{
	const char *last = strrchr(path, '/');
	const char *name = !*path ? "." : last ? last + 1 : path;
	int fd CLEANUP(fd_close) =
	    openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (errno != ENOENT)
			verify_failed(w->v, *path ? path : ".", -errno);
		return;
	}
	(void)fd_take(&fd); /* closedir closes it */
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			look_at(w, dirfd(dir), path, kind, e->d_name);
	closedir(dir);
}

void verify_names(struct verify *v)
{
	struct walk w = {.v = v};

	if (v->accounts.len > 0)
		qsort(v->accounts.p, v->accounts.len / sizeof(uint64_t), sizeof(uint64_t), by_id);
	walk_folder(&w, v->data_fd, "", "");
}
