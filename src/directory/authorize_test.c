#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "directory/authorize.h"

enum { MINE = 7, FOREIGN = 8 };

static struct object object_of(enum object_kind kind, uint64_t account)
{
	bool is_of_account = kind == OBJECT_ACCOUNT || kind == OBJECT_MAILBOX;
	return (struct object){kind, is_of_account ? account : 0};
}

/* All rights on all objects of another account: nothing but asking for a recipient. */
static void an_account_has_nothing_of_another(void **state UNUSED)
{
	struct subject subject = {SUBJECT_ACCOUNT, MINE};
	for (enum right right = 0; right < N_RIGHTS; right++)
		for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
			assert_int_equal(authorize(subject, right, object_of(kind, FOREIGN)),
			    right == RIGHT_ASK && kind == OBJECT_RECIPIENT);
	assert_true(authorize(subject, RIGHT_OPEN, object_of(OBJECT_MAILBOX, MINE)));
	assert_true(authorize(subject, RIGHT_PASSWORD, object_of(OBJECT_ACCOUNT, MINE)));
	assert_false(authorize(subject, RIGHT_REMOVE, object_of(OBJECT_ACCOUNT, MINE)));
}

static void a_stranger_may_only_ask(void **state UNUSED)
{
	for (enum right right = 0; right < N_RIGHTS; right++)
		for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
			assert_int_equal(authorize((struct subject){SUBJECT_STRANGER, 0}, right,
			                     object_of(kind, MINE)),
			    right == RIGHT_ASK && kind == OBJECT_RECIPIENT);
}

static void nobody_but_its_owner_opens_a_mailbox(void **state UNUSED)
{
	for (enum subject_kind kind = 0; kind < N_SUBJECT_KINDS; kind++)
		for (uint64_t account = 0; account < 10; account++)
			assert_int_equal(authorize((struct subject){kind, account}, RIGHT_OPEN,
			                     object_of(OBJECT_MAILBOX, MINE)),
			    kind == SUBJECT_ACCOUNT && account == MINE);
	/* no account at all is not an account */
	assert_false(authorize(
	    (struct subject){SUBJECT_ACCOUNT, 0}, RIGHT_OPEN, (struct object){OBJECT_MAILBOX, 0}));
}

static void an_operator_manages(void **state UNUSED)
{
	struct subject operator= {SUBJECT_OPERATOR, 0};
	assert_true(authorize(operator, RIGHT_MANAGE, object_of(OBJECT_SERVER, 0)));
	assert_true(authorize(operator, RIGHT_LIST, object_of(OBJECT_SERVER, 0)));
	assert_true(authorize(operator, RIGHT_REMOVE, object_of(OBJECT_ACCOUNT, MINE)));
	assert_true(authorize(operator, RIGHT_VERIFY, object_of(OBJECT_ACCOUNT, MINE)));
	assert_false(authorize(operator, RIGHT_VERIFY, object_of(OBJECT_MAILBOX, MINE)));
	assert_false(authorize(operator, RIGHT_OPEN, object_of(OBJECT_MAILBOX, MINE)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_account_has_nothing_of_another),
	    cmocka_unit_test(a_stranger_may_only_ask),
	    cmocka_unit_test(nobody_but_its_owner_opens_a_mailbox),
	    cmocka_unit_test(an_operator_manages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
