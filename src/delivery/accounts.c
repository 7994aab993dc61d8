#include "delivery/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "store/account.h"
#include "store/io.h"

static void close_account(struct account *a)
{
	record_header_key_forget(&a->header_key);
	letterbox_close(&a->letterbox);
	fd_close(&a->blobs_fd);
	free(a);
}

struct record_sender *accounts_sender(struct accounts *accounts)
{
	if (!accounts->has_sender)
		record_sender_init(&accounts->sender);
	accounts->has_sender = true;
	return &accounts->sender;
}

void accounts_forget_sender(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->n; i++)
		record_header_key_forget(&accounts->v[i]->header_key);
	record_sender_done(&accounts->sender);
	accounts->has_sender = false;
}

void accounts_done(struct accounts *accounts)
{
	accounts_forget_sender(accounts);
	for (size_t i = 0; i < accounts->n; i++)
		close_account(accounts->v[i]);
	accounts->n = 0;
}

void accounts_drop(struct accounts *accounts, struct account *account)
{
	for (size_t i = 0; i < accounts->n; i++) {
		if (accounts->v[i] == account) {
			accounts->v[i] = accounts->v[--accounts->n];
			close_account(account);
			return;
		}
	}
}

static int open_folder(int accounts_fd, uint64_t id, int *ret_fd)
{
	char name[ACCOUNT_NAME_LEN_MAX + 1];
	account_folder_name(id, name);
	return io_open(accounts_fd, name, O_RDONLY | O_DIRECTORY, 0, ret_fd);
}

static int look_at_folders(int folder_fd, struct account_folders *ret_folders)
{
	static const char *const names[ACCOUNT_FOLDERS] = {".", "letterbox", "blobs"};
	struct account_folders folders = {0};
	for (size_t i = 0; i < ACCOUNT_FOLDERS; i++) {
		struct stat st;
		if (fstatat(folder_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		folders.device[i] = st.st_dev;
		folders.number[i] = st.st_ino;
	}
	*ret_folders = folders;
	return 0;
}

static bool same_folders(const struct account_folders *a, const struct account_folders *b)
{
	for (size_t i = 0; i < ACCOUNT_FOLDERS; i++) {
		if (a->device[i] != b->device[i] || a->number[i] != b->number[i])
			return false;
	}
	return true;
}

/* Reads the public key and, where there is a quota, what is used of it. */
static int freshen(struct account *a, int folder_fd)
{
	char *file = NULL;
	size_t len = 0;
	int error = fd_read_plain_file(folder_fd, "keys", KEYS_FILE_LEN, &file, &len);
	if (error)
		return error == -EFBIG ? -EBADMSG : error;
	error = keys_decode_public(str_of(file, len), &a->keys);
	free(file);
	if (!error && a->keys.account_id != a->id)
		error = -EBADMSG;
	if (!error && a->keys.quota_bytes > 0)
		error = letterbox_used(a->letterbox, &a->used);
	a->fresh_at = clock_ms();
	return error;
}

static int open_account(int accounts_fd, uint64_t id, struct account **ret_account)
{
	int folder CLEANUP(fd_close) = -1;
	int error = open_folder(accounts_fd, id, &folder);
	if (error)
		return error;
	struct account *a = calloc(1, sizeof(*a));
	if (!a)
		abort();
	*a = (struct account){.id = id, .blobs_fd = -1};
	/* Before they are opened: one that is replaced meanwhile is noticed later. */
	error = look_at_folders(folder, &a->folders);
	if (!error)
		error = letterbox_open(folder, id, &a->letterbox);
	if (!error)
		error = freshen(a, folder);
	if (error) {
		close_account(a);
		return error;
	}
	*ret_account = a;
	return 0;
}

static struct account *find(struct accounts *accounts, uint64_t id)
{
	for (size_t i = 0; i < accounts->n; i++) {
		if (accounts->v[i]->id == id)
			return accounts->v[i];
	}
	return NULL;
}

/* Makes room for one more: false when every one is part of the batch. */
static bool make_room(struct accounts *accounts)
{
	if (accounts->n < ACCOUNTS_MAX)
		return true;
	struct account *oldest = NULL;
	for (size_t i = 0; i < accounts->n; i++) {
		struct account *a = accounts->v[i];
		if (!a->pinned && (!oldest || a->last_use < oldest->last_use))
			oldest = a;
	}
	if (oldest)
		accounts_drop(accounts, oldest);
	return oldest != NULL;
}

/* An account that was opened before, looked at again where that is long ago. -ESTALE: others stand
 * in the place of its folders. */
static int refresh(struct accounts *accounts, struct account *a)
{
	if (clock_ms() - a->fresh_at < ACCOUNTS_FRESH_MS)
		return 0;
	int folder CLEANUP(fd_close) = -1;
	struct account_folders now;
	int error = open_folder(accounts->folder_fd, a->id, &folder);
	if (!error)
		error = look_at_folders(folder, &now);
	if (!error && !same_folders(&a->folders, &now))
		error = -ESTALE;
	return error ? error : freshen(a, folder);
}

int accounts_get(struct accounts *accounts, uint64_t id, struct account **ret_account)
{
	struct account *a = find(accounts, id);
	int error = 0;
	if (a && !a->pinned) {
		error = refresh(accounts, a);
		if (error) {
			accounts_drop(accounts, a);
			a = NULL;
		}
		error = error == -ESTALE ? 0 : error;
	}
	if (!a && !error) {
		if (!make_room(accounts))
			return -EMFILE;
		error = open_account(accounts->folder_fd, id, &a);
		if (!error)
			accounts->v[accounts->n++] = a;
	}
	if (error)
		return error;
	a->last_use = ++accounts->n_uses;
	*ret_account = a;
	return 0;
}

int accounts_blobs(struct account *a, int accounts_fd, int *ret_fd, mode_t *ret_mode)
{
	if (a->blobs_fd < 0) {
		int folder CLEANUP(fd_close) = -1;
		int error = open_folder(accounts_fd, a->id, &folder);
		if (!error)
			error = io_open(folder, "blobs", O_RDONLY | O_DIRECTORY, 0, &a->blobs_fd);
		if (error)
			return error;
	}
	struct stat st;
	if (fstat(a->blobs_fd, &st) < 0)
		return -errno;
	*ret_fd = a->blobs_fd;
	*ret_mode = st.st_mode & 0660;
	return 0;
}
