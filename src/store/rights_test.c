/* Access control lists: their limits, whose they become, and what is left of them after damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "store/store_mailbox.h"
#include "store/store_rights.h"
#include "store/test_account.h"

static struct test_account t;
static struct store *s;
static struct arena arena;

static int set_up(void **state UNUSED)
{
	test_account_make(&t);
	arena = (struct arena)ARENA_MAX(1 << 20);
	s = test_open(&t);
	return 0;
}

static int tear_down(void **state UNUSED)
{
	store_close(s);
	arena_done(&arena);
	test_account_remove(&t);
	return 0;
}

static unsigned rights_of(uint64_t mailbox, const char *identifier)
{
	unsigned rights = 0;
	int error = store_rights_get(s, mailbox, str_of_cstr(identifier), &rights);

	return error == -ENOENT ? UINT32_MAX : error < 0 ? UINT32_MAX - 1 : rights;
}

static int grant(uint64_t mailbox, const char *identifier, unsigned rights)
{
	return store_rights_set(s, mailbox, str_of_cstr(identifier), STORE_RIGHTS_SET, rights);
}

static void test_limits(void **state UNUSED)
{
	char name[STORE_IDENTIFIER_LEN_MAX + 1];
	memset(name, 'x', sizeof(name));
	assert_int_equal(
	    store_rights_set(s, 1, str_of(name, sizeof(name)), STORE_RIGHTS_SET, 1), -ENAMETOOLONG);
	for (unsigned i = 0; i < STORE_GRANTS_MAX; i++) {
		snprintf(name, sizeof(name), "%u@example.test", i);
		assert_int_equal(grant(1, name, STORE_RIGHT_READ), 0);
	}
	assert_int_equal(grant(1, "one@more.test", STORE_RIGHT_READ), -E2BIG);
	assert_int_equal(grant(1, "7@example.test", STORE_RIGHT_LOOKUP), 0);
	assert_int_equal(rights_of(1, "7@example.test"), STORE_RIGHT_LOOKUP);
	assert_int_equal(grant(99, "x@example.test", STORE_RIGHT_READ), -ENOENT);
}

/* New mailboxes have the list of the one above them: together they are not without end. */
static void test_inherited(void **state UNUSED)
{
	char name[64];
	uint64_t id, n = 0;
	int error = 0;
	assert_int_equal(store_mailbox_create(s, STR("A"), STORE_NO_USE, &id), 0);
	for (unsigned i = 0; i < STORE_GRANTS_MAX; i++) {
		snprintf(name, sizeof(name), "%u@example.test", i);
		assert_int_equal(grant(id, name, STORE_RIGHT_READ), 0);
	}
	for (; !error; n++) {
		snprintf(name, sizeof(name), "A/%u", (unsigned)n);
		error = store_mailbox_create(s, str_of_cstr(name), STORE_NO_USE, &id);
	}
	assert_int_equal(error, -E2BIG);
	assert_int_equal(n, STORE_GRANTS_OF_ALL_MAX / STORE_GRANTS_MAX);
	assert_int_equal(rights_of(id, "7@example.test"), STORE_RIGHT_READ);
	assert_int_equal(grant(1, "7@example.test", STORE_RIGHT_READ), -E2BIG);
	assert_int_equal(grant(id, "7@example.test", STORE_RIGHT_LOOKUP), 0);
	assert_int_equal(store_mailbox_create(s, STR("B"), STORE_NO_USE, &id), 0);
	assert_int_equal(store_mailbox_delete(s, STR("A/1")), 0);
	assert_int_equal(grant(1, "7@example.test", STORE_RIGHT_READ), 0);
}

/* The lists come back to the mailboxes of their names, also where these have other ids. */
static void test_salvaged(void **state UNUSED)
{
	const unsigned few = STORE_RIGHT_LOOKUP | STORE_RIGHT_READ;
	struct store_mailbox m = {0};
	uint64_t id, gone;
	assert_int_equal(store_mailbox_create(s, STR("Gone"), STORE_NO_USE, &gone), 0);
	assert_int_equal(store_mailbox_create(s, STR("Work"), STORE_NO_USE, &id), 0);
	assert_int_equal(grant(gone, "anyone", STORE_RIGHTS_ALL), 0);
	assert_int_equal(store_mailbox_delete(s, STR("Gone")), 0);
	assert_int_equal(grant(id, "other@example.test", few), 0);
	assert_int_equal(store_mailbox_create(s, STR("Work/Below"), STORE_NO_USE, &id), 0);
	assert_int_equal(grant(id, "other@example.test", STORE_RIGHT_LOOKUP), 0);
	assert_int_equal(grant(1, "owner@example.test", STORE_RIGHT_LOOKUP), 0);
	assert_int_equal(grant(1, "nothing@example.test", 0), 0);
	store_close(s);
	int fd = open("mailbox.db.is-damaged", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0 && close(fd) == 0);
	s = test_open(&t);
	assert_int_equal(store_mailbox_find(s, STR("Work"), &arena, &m), 0);
	assert_int_equal(rights_of(m.id, "other@example.test"), few);
	assert_int_equal(rights_of(m.id, "anyone"), UINT32_MAX);
	assert_int_equal(store_mailbox_find(s, STR("Work/Below"), &arena, &m), 0);
	assert_int_equal(rights_of(m.id, "other@example.test"), STORE_RIGHT_LOOKUP);
	assert_int_equal(store_mailbox_find(s, STR("INBOX"), &arena, &m), 0);
	assert_int_equal(rights_of(m.id, "owner@example.test"), STORE_RIGHT_LOOKUP);
	assert_int_equal(rights_of(m.id, "nothing@example.test"), 0);
}

int main(void)
{
#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    STORE_TEST(test_limits), STORE_TEST(test_inherited), STORE_TEST(test_salvaged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
