#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "seal/vfs.h"
#include "directory/resolve.h"
#include "directory/test_folder.h"
#include "mail/charset.h"

enum { ARENA_LEN = 1 << 20, FILE_MAX = 1 << 24 };

struct fixture {
	struct test_folder folder;
	struct database *db;
	struct resolver *resolver;
	struct arena arena;
	uint8_t slot[SLOT_LEN];
};

static struct name name_of(struct fixture *f, const char *address)
{
	struct name name;
	assert_true(name_parse(str_of_cstr(address), &f->arena, &name));
	return name;
}

static uint64_t add_account(struct fixture *f, const char *address)
{
	uint64_t account = 0;
	struct name name = name_of(f, address);
	assert_int_equal(database_account_reserve(f->db, &name, 0, &account), 0);
	assert_int_equal(database_account_activate(f->db, account, f->slot, f->slot), 0);
	resolver_changed(f->resolver);
	return account;
}

static int try_alias(struct fixture *f, const char *alias, const char *const *targets, size_t n)
{
	struct name name = name_of(f, alias);
	struct name to[DATABASE_TARGETS_MAX];
	for (size_t i = 0; i < n; i++)
		to[i] = name_of(f, targets[i]);
	resolver_changed(f->resolver);
	return database_alias_add(f->db, &name, to, n);
}

static void assert_resolves(struct fixture *f, const char *address, uint64_t account)
{
	struct resolved r = resolver_resolve(f->resolver, str_of_cstr(address));
	assert_int_equal(r.result, RCPT_OK);
	assert_int_equal(r.n_accounts, 1);
	assert_int_equal(r.accounts[0], account);
}

static void assert_result(struct fixture *f, const char *address, enum rcpt_result result)
{
	struct resolved r = resolver_resolve(f->resolver, str_of_cstr(address));
	assert_int_equal(r.result, result);
	assert_int_equal(r.n_accounts, 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	charset_init();
	test_folder_enter(&f->folder);
	f->arena = ARENA_MAX(ARENA_LEN);
	memset(f->slot, 0x5a, sizeof(f->slot));
	assert_int_equal(database_make_key(), 0);
	assert_int_equal(database_open(true, &f->db), 0);
	assert_int_equal(resolver_new(f->db, &f->resolver), 0);
	assert_int_equal(database_domain_add(f->db, STR("example.test")), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	resolver_free(f->resolver);
	database_close(f->db);
	arena_done(&f->arena);
	test_folder_leave(&f->folder);
	free(f);
	return 0;
}

/* --- the database --- */

static void an_account_is_visible_only_while_active(void **state)
{
	struct fixture *f = *state;
	struct name name = name_of(f, "anna@example.test");
	uint64_t account = 0;
	uint64_t other = 0;
	uint64_t unfinished = 0;
	assert_int_equal(database_account_reserve(f->db, &name, 0, &account), 0);
	assert_int_equal(database_account_id(f->db, &name, &other), -ENOENT);
	assert_int_equal(database_account_reserve(f->db, &name, 0, &other), -EEXIST);
	assert_int_equal(database_unfinished(f->db, 0, &unfinished), 0);
	assert_int_equal(unfinished, account);
	assert_int_equal(database_account_activate(f->db, account, f->slot, f->slot), 0);
	assert_int_equal(database_unfinished(f->db, 0, &unfinished), -ENOENT);
	assert_int_equal(database_account_id(f->db, &name, &other), 0);
	assert_int_equal(other, account);
	/* an active account cannot be erased */
	assert_int_equal(database_account_erase(f->db, account), 0);
	assert_int_equal(database_account_id(f->db, &name, &other), 0);
	assert_int_equal(database_account_retire(f->db, account), 0);
	uint8_t slot[SLOT_LEN];
	assert_int_equal(database_slot(f->db, account, SLOT_PASSWORD, slot), -ENOENT);
	assert_int_equal(database_slot(f->db, account, SLOT_RECOVERY, slot), -ENOENT);
	assert_int_equal(database_account_id(f->db, &name, &other), -ENOENT);
	assert_int_equal(database_account_erase(f->db, account), 0);
	assert_int_equal(database_unfinished(f->db, 0, &unfinished), -ENOENT);
	/* its number is never given out again */
	assert_true(add_account(f, "anna@example.test") > account);
}

static void what_is_in_use_stays(void **state)
{
	struct fixture *f = *state;
	uint64_t anna = add_account(f, "anna@example.test");
	const char *targets[] = {"anna@example.test"};
	assert_int_equal(try_alias(f, "info@example.test", targets, 1), 0);
	assert_int_equal(try_alias(f, "info@example.test", targets, 1), -EEXIST);
	assert_int_equal(try_alias(f, "anna@example.test", targets, 1), -EEXIST);
	assert_int_equal(try_alias(f, "info@other.test", targets, 1), -ENOENT);
	assert_int_equal(database_account_retire(f->db, anna), -EBUSY);
	assert_int_equal(database_domain_remove(f->db, STR("example.test")), -EBUSY);
	assert_int_equal(database_domain_remove(f->db, STR("other.test")), -ENOENT);
	assert_int_equal(database_domain_add(f->db, STR("example.test")), -EEXIST);
	struct name info = name_of(f, "info@example.test");
	assert_int_equal(database_alias_remove(f->db, &info), 0);
	assert_int_equal(database_alias_remove(f->db, &info), -ENOENT);
	assert_int_equal(database_account_retire(f->db, anna), 0);
}

static void lists_are_sorted_and_read_in_pieces(void **state)
{
	struct fixture *f = *state;
	static const char *const addresses[] = {
	    "c@example.test", "a@example.test", "b@b.test", "b@example.test", "a@b.test"};
	static const char *const sorted[] = {
	    "a@b.test", "b@b.test", "a@example.test", "b@example.test", "c@example.test"};
	assert_int_equal(database_domain_add(f->db, STR("b.test")), 0);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		add_account(f, addresses[i]);
	struct name after = {STR(""), STR("")};
	size_t seen = 0;
	for (;;) {
		struct account_row *rows;
		size_t n;
		assert_int_equal(database_accounts(f->db, &after, 2, &f->arena, &rows, &n), 0);
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++) {
			struct name expected = name_of(f, sorted[seen++]);
			assert_true(name_eq(&rows[i].name, &expected));
		}
		after = rows[n - 1].name;
	}
	assert_int_equal(seen, ARRAY_LEN(sorted));
}

static void survives_and_needs_its_key(void **state)
{
	struct fixture *f = *state;
	uint64_t anna = add_account(f, "anna@example.test");
	uint8_t recovery[CIPHER_PUBLIC_LEN] = {7};
	uint8_t read_back[CIPHER_PUBLIC_LEN];
	assert_int_equal(database_recovery(f->db, read_back), -ENOENT);
	assert_int_equal(database_set_recovery(f->db, recovery), 0);
	database_close(f->db);
	f->db = NULL;
	assert_int_equal(database_make_key(), -EEXIST);
	assert_int_equal(database_open(false, &f->db), 0);
	uint64_t account = 0;
	struct name name = name_of(f, "anna@example.test");
	assert_int_equal(database_account_id(f->db, &name, &account), 0);
	assert_int_equal(account, anna);
	assert_int_equal(database_recovery(f->db, read_back), 0);
	assert_memory_equal(recovery, read_back, sizeof(recovery));
	database_close(f->db);
	f->db = NULL;
#ifndef GATEPOST_NO_SEALING
	/* no address in any file */
	char *bytes = NULL;
	size_t len = 0;
	assert_int_equal(fd_read_file(AT_FDCWD, DATABASE_FILE, FILE_MAX, &bytes, &len), 0);
	assert_int_equal(str_find(str_of(bytes, len), STR("anna")), len);
	assert_int_equal(str_find(str_of(bytes, len), STR("example")), len);
	free(bytes);
	assert_int_equal(unlink(DATABASE_KEY), 0);
	assert_int_equal(database_make_key(), 0);
	assert_int_equal(database_open(false, &f->db), -EBADMSG);
#endif
}

static void flip(const char *name, size_t at)
{
	uint8_t byte;
	int fd CLEANUP(fd_close) = open(name, O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_pread_all(fd, &byte, 1, (off_t)at), 0);
	byte ^= 1;
	assert_int_equal(fd_pwrite_all(fd, str_of(&byte, 1), (off_t)at), 0);
}

/* Whose fault it is can be told: the key's, or the database's. */
static void says_what_is_damaged(void **state)
{
	struct fixture *f = *state;
	uint32_t n_pages = 0;
	add_account(f, "anna@example.test");
	assert_int_equal(database_check(f->db, 1, UINT16_MAX, &n_pages), 0);
	assert_true(n_pages > 1);
	flip(DATABASE_FILE, (size_t)VFS_PAGE_LEN * (n_pages - 1) + 5);
	assert_int_equal(database_check(f->db, 1, UINT16_MAX, &n_pages), -EBADMSG);
	flip(DATABASE_FILE, (size_t)VFS_PAGE_LEN * (n_pages - 1) + 5);
	database_close(f->db);
	f->db = NULL;
	for (size_t at = 0; at < SECRET_LEN + CIPHER_CHECKSUM_LEN; at++) {
		flip(DATABASE_KEY, at);
		assert_int_equal(database_check_key(), -ENOKEY);
		assert_int_equal(database_open(false, &f->db), -ENOKEY);
		flip(DATABASE_KEY, at);
	}
	/* As the first version wrote it: without a checksum. */
	assert_int_equal(truncate(DATABASE_KEY, SECRET_LEN), 0);
	assert_int_equal(database_check_key(), 0);
	assert_int_equal(database_open(false, &f->db), 0);
	database_close(f->db);
	f->db = NULL;
	assert_int_equal(truncate(DATABASE_KEY, SECRET_LEN - 1), 0);
	assert_int_equal(database_open(false, &f->db), -ENOKEY);
}

/* --- who gets the mail --- */

static void finds_accounts_in_any_spelling(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(database_domain_add(f->db, STR("xn--bcher-kva.example")), 0);
	uint64_t anna = add_account(f, "Anna@Example.test");
	uint64_t joerg = add_account(f, "J\xc3\xb6rg@b\xc3\xbc"
	                                "cher.example");
	assert_resolves(f, "anna@example.test", anna);
	assert_resolves(f, "ANNA@EXAMPLE.TEST", anna);
	assert_resolves(f, "\"anna\"@example.test", anna);
	assert_resolves(f, "j\xc3\xb6rg@xn--bcher-kva.example", joerg);
	assert_resolves(f,
	    "J\xc3\x96RG@B\xc3\x9c"
	    "CHER.example",
	    joerg);
	assert_result(f,
	    "anna@b\xc3\xbc"
	    "cher.example",
	    RCPT_UNKNOWN);
	assert_result(f, "nobody@example.test", RCPT_UNKNOWN);
	assert_result(f, "anna@elsewhere.test", RCPT_NOT_LOCAL);
	assert_result(f, "anna", RCPT_NOT_LOCAL);
	assert_result(f, "", RCPT_NOT_LOCAL);
	assert_result(f, "a\x01z@example.test", RCPT_UNKNOWN);
}

static void takes_tags_off(void **state)
{
	struct fixture *f = *state;
	uint64_t anna = add_account(f, "anna@example.test");
	assert_resolves(f, "anna+shop@example.test", anna);
	assert_resolves(f, "ANNA+a+b@example.test", anna);
	assert_resolves(f, "anna+@example.test", anna);
	assert_result(f, "+anna@example.test", RCPT_UNKNOWN);
	struct name tagged = name_of(f, "anna+shop@example.test");
	assert_false(name_may_be_new(&tagged));
}

static void postmaster_is_always_there(void **state)
{
	struct fixture *f = *state;
	assert_result(f, "postmaster@example.test", RCPT_UNKNOWN);
	uint64_t anna = add_account(f, "anna@example.test");
	uint64_t bert = add_account(f, "bert@example.test");
	assert_resolves(f, "postmaster@example.test", anna);
	assert_resolves(f, "PostMaster@example.test", anna);
	assert_resolves(f, "Postmaster", anna);
	const char *targets[] = {"bert@example.test"};
	assert_int_equal(try_alias(f, "postmaster@example.test", targets, 1), 0);
	assert_resolves(f, "postmaster@example.test", bert);
	/* abuse goes where postmaster does, until it is somebody's own name. */
	assert_resolves(f, "abuse@example.test", bert);
	const char *own[] = {"anna@example.test"};
	assert_int_equal(try_alias(f, "abuse@example.test", own, 1), 0);
	assert_resolves(f, "Abuse@example.test", anna);
	/* A domain without accounts has the server's first one. */
	assert_int_equal(database_domain_add(f->db, STR("empty.test")), 0);
	resolver_changed(f->resolver);
	assert_resolves(f, "postmaster@empty.test", anna);
	assert_resolves(f, "abuse@empty.test", anna);
	assert_result(f, "hostmaster@empty.test", RCPT_UNKNOWN);
	assert_result(f, "postmaster@elsewhere.test", RCPT_NOT_LOCAL);
}

static void follows_aliases_once(void **state)
{
	struct fixture *f = *state;
	uint64_t anna = add_account(f, "anna@example.test");
	uint64_t bert = add_account(f, "bert@example.test");
	const char *both[] = {"anna@example.test", "bert@example.test", "all@example.test"};
	const char *circle[] = {"team@example.test", "anna@example.test"};
	assert_int_equal(try_alias(f, "team@example.test", both, 3), 0);
	assert_int_equal(try_alias(f, "all@example.test", circle, 2), 0);
	static const char *const addresses[] = {
	    "team@example.test", "all@example.test", "all+tag@example.test"};
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct resolved r = resolver_resolve(f->resolver, str_of_cstr(addresses[i]));
		assert_int_equal(r.result, RCPT_OK);
		assert_int_equal(r.n_accounts, 2);
		assert_true(r.accounts[0] == anna || r.accounts[1] == anna);
		assert_true(r.accounts[0] == bert || r.accounts[1] == bert);
	}
	/* a circle without an account in it is nobody */
	const char *a[] = {"loop-b@example.test"};
	const char *b[] = {"loop-a@example.test"};
	assert_int_equal(try_alias(f, "loop-a@example.test", a, 1), 0);
	assert_int_equal(try_alias(f, "loop-b@example.test", b, 1), 0);
	assert_result(f, "loop-a@example.test", RCPT_UNKNOWN);
}

static void expansion_is_bounded(void **state)
{
	struct fixture *f = *state;
	enum { GROUPS = 3, EACH = 80 };
	const char *groups[GROUPS] = {"g0@example.test", "g1@example.test", "g2@example.test"};
	for (int g = 0; g < GROUPS; g++) {
		const char *targets[EACH];
		char addresses[EACH][64];
		for (int i = 0; i < EACH; i++) {
			snprintf(addresses[i], sizeof(addresses[i]), "u%d-%d@example.test", g, i);
			targets[i] = addresses[i];
			add_account(f, addresses[i]);
		}
		assert_int_equal(try_alias(f, groups[g], targets, EACH), 0);
	}
	assert_int_equal(try_alias(f, "two@example.test", groups, 2), 0);
	assert_int_equal(try_alias(f, "three@example.test", groups, 3), 0);
	struct resolved r = resolver_resolve(f->resolver, STR("two@example.test"));
	assert_int_equal(r.result, RCPT_OK);
	assert_int_equal(r.n_accounts, 2 * EACH);
	r = resolver_resolve(f->resolver, STR("three@example.test"));
	assert_int_equal(r.result, RCPT_TEMPORARY);
	assert_int_equal(r.error, -E2BIG);
}

static void a_change_is_seen_at_once(void **state)
{
	struct fixture *f = *state;
	assert_result(f, "anna@example.test", RCPT_UNKNOWN);
	uint64_t anna = add_account(f, "anna@example.test");
	assert_resolves(f, "anna@example.test", anna);
	assert_int_equal(database_account_retire(f->db, anna), 0);
	resolver_changed(f->resolver);
	assert_result(f, "anna@example.test", RCPT_UNKNOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(an_account_is_visible_only_while_active),
	    TEST(what_is_in_use_stays),
	    TEST(lists_are_sorted_and_read_in_pieces),
	    TEST(survives_and_needs_its_key),
	    TEST(says_what_is_damaged),
	    TEST(finds_accounts_in_any_spelling),
	    TEST(takes_tags_off),
	    TEST(postmaster_is_always_there),
	    TEST(follows_aliases_once),
	    TEST(expansion_is_bounded),
	    TEST(a_change_is_seen_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
