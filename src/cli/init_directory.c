/*
 * The directory of a new instance, with its first domain and account. No server runs yet: what the
 * roles do together for `gatepost account add` is done here in one process, in the same order.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/init.h"
#include "directory/database.h"
#include "directory/password.h"
#include "seal/keys.h"
#include "store/account.h"

enum { NAMES_ARENA_LEN = 16 * 1024, SHARED_MODE = 02770 };

struct first {
	struct database *db;
	struct arena arena;
	uint8_t recovery_public[CIPHER_PUBLIC_LEN];
};

static void first_done(struct first *first)
{
	database_close(first->db);
	arena_done(&first->arena);
}

static int add_domain(struct first *first, const struct init *init)
{
	struct str domain;
	if (!init->domain)
		return CLI_GO_ON;
	if (!name_parse_domain(str_of_cstr(init->domain), &first->arena, &domain))
		return cli_fail(
		    "--domain %s: not a domain name; write it like example.org", init->domain);
	int error = database_domain_add(first->db, domain);
	return error ? cli_fail("directory.db: cannot be written (%s)", strerror(-error))
	             : CLI_GO_ON;
}

/* As root, the accounts belong to the group of the roles that work on them. */
static int share_accounts(int accounts_fd)
{
	const struct group *group = getgrnam("gatepost-store");
	if (!group)
		return -ENOENT;
	if (fchown(accounts_fd, 0, group->gr_gid) < 0 || fchmod(accounts_fd, SHARED_MODE) < 0)
		return -errno;
	return 0;
}

static int make_account_folder(int accounts_fd, uint64_t account, const struct secret *master)
{
	uint8_t file[KEYS_FILE_LEN];
	struct keys keys;
	bool is_shared = geteuid() == 0;
	int error = is_shared ? share_accounts(accounts_fd) : 0;
	if (error)
		return error;
	keys_new(account, 0, &keys);
	keys_encode(&keys, master, file);
	keys_done(&keys);
	return account_create(accounts_fd, account, str_of(file, sizeof(file)), is_shared);
}

static int make_account(
    struct first *first, int accounts_fd, const struct name *name, struct str password)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	uint8_t password_slot[SLOT_LEN];
	uint8_t recovery_slot[SLOT_LEN];
	uint64_t account = 0;
	int error = database_account_reserve(first->db, name, 0, &account);
	if (!error)
		error = slot_seal_password(
		    master, account, password, &slot_cost_default, password_slot);
	if (!error)
		error = slot_seal_recovery(master, account, first->recovery_public, recovery_slot);
	if (!error)
		error = make_account_folder(accounts_fd, account, master);
	if (!error)
		error = database_account_activate(first->db, account, password_slot, recovery_slot);
	return error;
}

static int add_account(struct first *first, int accounts_fd, const struct init *init)
{
	struct name name;
	struct buf password CLEANUP(buf_done) = BUF_MAX(PASSWORD_LEN_MAX);
	if (!init->account)
		return CLI_GO_ON;
	if (!name_parse(str_of_cstr(init->account), &first->arena, &name) ||
	    !name_may_be_new(&name) || database_domain_find(first->db, name.domain))
		return cli_fail("--account %s: not an address of %s", init->account, init->domain);
	struct str given = str_of_cstr(init->password);
	if (given.len < PASSWORD_NEW_LEAST || !password_prepare(given, &password))
		return cli_fail("the password is too short, or has control characters; take at "
		                "least %d characters",
		    PASSWORD_NEW_LEAST);
	int error = make_account(first, accounts_fd, &name, buf_str(&password));
	explicit_bzero(password.p, password.len);
	return error ? cli_fail("%s: cannot be added (%s)", init->account, strerror(-error))
	             : CLI_GO_ON;
}

static int open_database(struct first *first, struct init *init)
{
	int error = database_make_key();
	if (!error)
		error = database_open(true, &first->db);
	struct secret *recovery CLEANUP(secret_free) = recovery_new(first->recovery_public);
	recovery_encode(recovery, init->recovery);
	if (!error)
		error = database_set_recovery(first->db, first->recovery_public);
	return error ? cli_fail("directory.db: cannot be made (%s)", strerror(-error)) : CLI_GO_ON;
}

/* The database is opened by its name alone, in the working folder. */
static int in_folder(int accounts_fd, struct init *init)
{
	struct first first CLEANUP(first_done) = {.arena = ARENA_MAX(NAMES_ARENA_LEN)};
	int status = open_database(&first, init);
	if (status == CLI_GO_ON)
		status = add_domain(&first, init);
	if (status == CLI_GO_ON)
		status = add_account(&first, accounts_fd, init);
	return status;
}

int init_directory(int data_fd, struct init *init)
{
	int before CLEANUP(fd_close) = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int folder CLEANUP(fd_close) =
	    openat(data_fd, "directory", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int accounts CLEANUP(fd_close) =
	    openat(data_fd, "accounts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (before < 0 || folder < 0 || accounts < 0 || fchdir(folder) < 0)
		return cli_fail("directory: cannot be opened (%s)", strerror(errno));
	int status = in_folder(accounts, init);
	if (fchdir(before) < 0)
		return cli_fail("the working folder is gone (%s)", strerror(errno));
	return status;
}
