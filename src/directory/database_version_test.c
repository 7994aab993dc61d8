/* Directories that earlier versions wrote (test/formats/) open in this one. */
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
#include "directory/database_dkim.h"
#include "directory/database_private.h"
#include "directory/resolve.h"
#include "directory/test_folder.h"
#include "mail/charset.h"

enum { FILE_MAX = 1 << 24, ARENA_LEN = 1 << 16 };

static void copy_in(int tree, const char *sample, const char *name)
{
	char path[128];
	char *bytes = NULL;
	size_t len = 0;
	snprintf(path, sizeof(path), "test/formats/%s/%s", sample, name);
	assert_int_equal(fd_read_file(tree, path, FILE_MAX, &bytes, &len), 0);
	int fd CLEANUP(fd_close) = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, str_of(bytes, len)), 0);
	free(bytes);
}

static struct name name_of(struct arena *a, const char *address)
{
	struct name name;
	assert_true(name_parse(str_of_cstr(address), a, &name));
	return name;
}

static uint64_t account_of(struct database *db, struct arena *a, const char *address)
{
	struct name name = name_of(a, address);
	uint64_t account = 0;
	assert_int_equal(database_account_id(db, &name, &account), 0);
	return account;
}

static void expect_everything(struct database *db, struct arena *a)
{
	struct resolver *resolver;
	uint8_t slot[SLOT_LEN];
	uint64_t alice = account_of(db, a, "alice@example.test");
	uint64_t bob = account_of(db, a, "bob@example.test");
	assert_int_equal(database_slot(db, alice, SLOT_PASSWORD, slot), 0);
	assert_int_equal(database_slot(db, bob, SLOT_RECOVERY, slot), 0);
	assert_int_equal(resolver_new(db, &resolver), 0);
	struct resolved r = resolver_resolve(resolver, STR("sales@b\xc3\xbc"
	                                                   "cher.example"));
	assert_int_equal(r.result, RCPT_OK);
	assert_int_equal(r.n_accounts, 2);
	assert_int_equal(r.n_outside, 0);
	resolver_free(resolver);
}

/* All that was there is there, and what came later can be used; once more, it is as it was left. */
static void version_1_opens(void **state UNUSED)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct test_folder folder;
	struct database *db;
	unsigned rights = 0;
	test_folder_enter(&folder);
	copy_in(folder.before, "directory-1", DATABASE_FILE);
	copy_in(folder.before, "directory-1", DATABASE_KEY);
	assert_int_equal(database_open(false, &db), 0);
	expect_everything(db, &a);
	struct name alias = name_of(&a, "all@example.test");
	uint64_t bob = account_of(db, &a, "bob@example.test");
	assert_int_equal(database_grant(db, &alias, bob, GRANT_SEND_AS), 0);
	database_close(db);
	assert_int_equal(database_open(false, &db), 0);
	expect_everything(db, &a);
	assert_int_equal(database_granted(db, &alias, bob, &rights), 0);
	assert_int_equal(rights, GRANT_SEND_AS);
	database_close(db);
	test_folder_leave(&folder);
}

/* With an alias that leaves the house, a key of DKIM and a grant. */
static void version_3_opens(void **state UNUSED)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct test_folder folder;
	struct database *db;
	struct dkim_row *keys;
	struct name *targets;
	unsigned rights = 0;
	size_t n;
	test_folder_enter(&folder);
	copy_in(folder.before, "directory-3", DATABASE_FILE);
	copy_in(folder.before, "directory-3", DATABASE_KEY);
	assert_int_equal(database_open(false, &db), 0);
	expect_everything(db, &a);
	struct name alias = name_of(&a, "all@example.test"),
	            away = name_of(&a, "away@example.test");
	uint64_t bob = account_of(db, &a, "bob@example.test");
	assert_int_equal(database_granted(db, &alias, bob, &rights), 0);
	assert_int_equal(rights, GRANT_SEND_AS);
	assert_int_equal(database_alias_targets(db, &away, &a, &targets, &n), 0);
	assert_true(n == 1 && str_eq(targets[0].domain, STR("elsewhere.example")));
	assert_int_equal(database_dkim_keys(db, STR("example.test"), &a, &keys, &n), 0);
	assert_int_equal(n, 1);
	assert_true(str_eq(keys[0].selector, STR("s1")) && keys[0].state == DKIM_ACTIVE);
	assert_true(
	    str_eq(keys[0].public_key, STR("public")) && str_eq(keys[0].sealed, STR("sealed")));
	database_close(db);
	test_folder_leave(&folder);
}

static void a_newer_version_is_left_alone(void **state UNUSED)
{
	struct test_folder folder;
	struct database *db;
	test_folder_enter(&folder);
	assert_int_equal(database_make_key(), 0);
	assert_int_equal(database_open(true, &db), 0);
	assert_int_equal(
	    sqlite3_exec(db->handle, "PRAGMA user_version=1000", NULL, NULL, NULL), SQLITE_OK);
	database_close(db);
	assert_int_equal(database_open(false, &db), -EPROTONOSUPPORT);
	test_folder_leave(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(version_1_opens),
	    cmocka_unit_test(version_3_opens),
	    cmocka_unit_test(a_newer_version_is_left_alone),
	};
	charset_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
