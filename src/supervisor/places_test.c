/* What root gives to a role, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervisor/places.h"

enum { ROLE_ID = 65534 };

static uid_t owner_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_uid;
}

static void make(const char *path)
{
	assert_int_equal(fd_write_file(AT_FDCWD, path, STR("x"), 0600), 0);
}

static void root_gives_a_role_its_own_files_only(void **state)
{
	char folder[] = "/tmp/gatepost-places-XXXXXX";
	struct identities ids;
	int data CLEANUP(fd_close) = -1;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < N_ROLES; i++)
		ids.of[i] = (struct identity){ROLE_ID, ROLE_ID, ROLE_ID};
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("directory", 0700), 0);
	make("directory/directory.db");
	make("secret");
	assert_int_equal(link("secret", "directory/planted"), 0);
	assert_int_equal(symlink("../secret", "directory/pointer"), 0);
	assert_int_equal(places_open_data(folder, &ids, &data), 0);
	assert_int_equal(owner_of("directory"), ROLE_ID);
	assert_int_equal(owner_of("directory/directory.db"), ROLE_ID);
	assert_int_equal(owner_of("secret"), 0);
	assert_int_equal(owner_of("directory/pointer"), 0);
	static const char *const files[] = {
	    "directory/planted", "directory/pointer", "directory/directory.db", "secret"};
	static const char *const folders[] = {
	    "run", "tls", "directory", "ledger", "accounts", "queue"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_int_equal(unlink(files[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		assert_int_equal(rmdir(folders[i]), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(root_gives_a_role_its_own_files_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
