/*
 * Makes the files of a small instance for test/reader: `make_sample FOLDER`.
 *
 *   FOLDER/directory/            directory.db and server.key
 *   FOLDER/accounts/ID/          one account, as a crash of all processes leaves it
 *   FOLDER/expected/INBOX/…      what the reader has to find
 *   FOLDER/recovery              the recovery key, as text
 *
 * The password is "pa\u0308ss\u00a0word", which PRECIS prepares to "p\u00e4ss word".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "directory/database.h"
#include "directory/password.h"
#include "seal/recovery.h"
#include "seal/slot.h"
#include "store/account.h"
#include "store/blob_file.h"
#include "store/letterbox.h"
#include "store/metadata.h"
#include "store/store_append.h"
#include "store/store_ingest.h"
#include "store/store_mailbox.h"

enum { SMALL = 40, BIG_LEN = 3 << 20, LATER = 3, ARENA = 1 << 20 };

static uint64_t account;
static struct keys keys;

static void must(int error, const char *what)
{
	if (error == 0)
		return;
	fprintf(stderr, "make_sample: %s: error %d\n", what, -error);
	exit(1);
}

static void enter(const char *folder)
{
	must(mkdir(folder, 0700) < 0 ? -1 : 0, folder);
	must(chdir(folder) < 0 ? -1 : 0, folder);
}

static void make_directory(const struct secret *master)
{
	struct database *db;
	struct name name = {.local = STR("ann"), .domain = STR("example.test")};
	uint8_t public_key[CIPHER_PUBLIC_LEN], password[SLOT_LEN], recovery_slot[SLOT_LEN];
	struct secret *recovery CLEANUP(secret_free) = recovery_new(public_key);
	struct buf prepared CLEANUP(buf_done) = BUF_MAX(SLOT_PASSWORD_MAX);
	char text[RECOVERY_TEXT_LEN + 1];

	recovery_encode(recovery, text);
	must(fd_write_file(AT_FDCWD, "recovery", str_of_cstr(text), 0600), "recovery");
	enter("directory");
	must(database_make_key(), "server.key");
	must(database_open(true, &db), "directory.db");
	must(database_domain_add(db, name.domain), "domain");
	must(database_account_reserve(db, &name, 0, &account), "account");
	must(password_prepare(STR("pa\u0308ss\u00a0word"), &prepared) ? 0 : -1, "password");
	must(slot_seal_password(master, account, buf_str(&prepared), &slot_cost_test, password),
	    "password slot");
	must(slot_seal_recovery(master, account, public_key, recovery_slot), "recovery slot");
	must(database_account_activate(db, account, password, recovery_slot), "account");
	/* Not closed: the log stays. */
	must(chdir("..") < 0 ? -1 : 0, "chdir");
}

static void deliver(struct str message)
{
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(1 << 20),
	                  out CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(4096);
	struct metadata m = {.kind = METADATA_DELIVERED,
	    .reverse_path = STR("bob@example.test"),
	    .recipient = STR("ann@example.test")};
	struct letterbox_place place;
	struct record_sender sender;
	struct body body;

	must(metadata_encode(&m, &metadata) ? 0 : -1, "metadata");
	if (message.len > BLOB_FILE_MIN) {
		int blobs CLEANUP(fd_close) = open("blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(blob_file_write(blobs, 0600, &message, 1, &body), "blob");
	} else {
		must(body_seal(&message, 1, &sealed, &body), "body");
	}
	record_sender_init(&sender);
	must(record_seal(&sender, &keys.public, 1764000000000, buf_str(&metadata), &body,
	         buf_str(&sealed), &out),
	    "record");
	must(letterbox_open(AT_FDCWD, account, &l), "letterbox");
	must(letterbox_lock(l, LETTERBOX_WAIT_MS), "lock");
	must(letterbox_append(l, buf_str(&out), &place), "append");
	must(letterbox_sync(l), "sync");
	letterbox_unlock(l);
}

static void expect(const char *box, unsigned number, struct str message)
{
	char name[100];

	snprintf(name, sizeof(name), "../../expected/%s/%u.eml", box, number);
	must(fd_write_file(AT_FDCWD, name, message, 0600), name);
}

static void compose(unsigned number, struct buf *out)
{
	buf_clear(out);
	buf_printf(out,
	    "From: Bob <bob@example.test>\r\nTo: ann@example.test\r\nSubject: Letter %u\r\n"
	    "Date: Mon, 23 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%u@example.test>\r\n\r\n",
	    number, number);
	for (unsigned i = 0; i < number * 5; i++)
		buf_printf(
		    out, "Line %u of letter %u, between you, me and the gatepost.\r\n", i, number);
}

static void deliver_all(void)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(2 * BIG_LEN);
	unsigned number = 1;

	for (; number <= SMALL; number++) {
		compose(number, &message);
		deliver(buf_str(&message));
		expect("INBOX", number, buf_str(&message));
	}
	compose(number, &message);
	while (message.len < BIG_LEN)
		buf_printf(&message, "%08lx %08lx\r\n", random(), random());
	deliver(buf_str(&message));
	expect("INBOX", number, buf_str(&message));
}

static void append(struct store *store, uint64_t mailbox)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct store_append *append;
	struct store_uids uids;
	uint32_t uidvalidity;

	compose(100, &message);
	struct store_append_message m = {.bytes = buf_str(&message)};
	must(store_append_begin(store, mailbox, &append), "append");
	must(store_append_add(append, &m), "append");
	must(store_append_commit(append, &arena, &uidvalidity, &uids), "append");
	store_append_free(append);
	expect("INBOX", SMALL + 2, buf_str(&message));
}

static void deliver_later(void)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20);

	for (unsigned number = 1; number <= LATER; number++) {
		compose(200 + number, &message);
		deliver(buf_str(&message));
		expect("new", number, buf_str(&message));
	}
}

int main(int argc, char **argv)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	struct store_watch watch = {0};
	struct store *store;
	uint8_t file[KEYS_FILE_LEN];
	size_t n_taken;
	char name[ACCOUNT_NAME_LEN_MAX + 1];

	must(argc == 2 ? 0 : -1, "usage: make_sample FOLDER");
	store_init();
	enter(argv[1]);
	must(mkdir("expected", 0700) + mkdir("expected/INBOX", 0700) + mkdir("expected/new", 0700),
	    "mkdir");
	make_directory(master);
	keys_new(account, 0, &keys);
	keys_encode(&keys, master, file);
	enter("accounts");
	int here CLEANUP(fd_close) = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(account_create(here, account, str_of(file, sizeof(file)), false), "folder");
	account_folder_name(account, name);
	must(chdir(name) < 0 ? -1 : 0, name);
	deliver_all();
	must(store_open(master, account, &watch, &store), "store");
	must(store_ingest(store, &n_taken), "ingest");
	must(n_taken == SMALL + 1 ? 0 : -1, "ingest all");
	append(store, 1);
	deliver_later();
	/* As a crash would: nothing is closed, the logs stay as they are. */
	_exit(0);
}
