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
	bool is_of_account =
	    kind == OBJECT_ACCOUNT || kind == OBJECT_MAILBOX || kind == OBJECT_SENDER;
	return (struct object){.kind = kind, .account = is_of_account ? account : 0};
}

/* All rights on all objects of another account: nothing but asking for a recipient, and to submit
 * mail (what it may be sent as is another question). */
static void an_account_has_nothing_of_another(void **state UNUSED)
{
	struct subject subject = {SUBJECT_ACCOUNT, MINE};
	for (enum right right = 0; right < N_RIGHTS; right++)
		for (enum object_kind kind = 0; kind < N_OBJECT_KINDS; kind++)
			assert_int_equal(authorize(subject, right, object_of(kind, FOREIGN)),
			    (right == RIGHT_ASK && kind == OBJECT_RECIPIENT) ||
			        (right == RIGHT_SUBMIT && kind == OBJECT_QUEUE));
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
	assert_false(authorize((struct subject){SUBJECT_ACCOUNT, 0}, RIGHT_OPEN,
	    (struct object){.kind = OBJECT_MAILBOX}));
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

/* Sending as and on behalf are apart: neither is the other, and none is without a grant. */
static void who_may_send_as_an_address(void **state UNUSED)
{
	struct subject me = {SUBJECT_ACCOUNT, MINE};
	struct object mine = {.kind = OBJECT_SENDER, .account = MINE};
	struct object foreign = {.kind = OBJECT_SENDER, .account = FOREIGN};
	struct object nobodys = {.kind = OBJECT_SENDER};
	assert_true(authorize(me, RIGHT_SEND_AS, mine));
	assert_false(authorize(me, RIGHT_SEND_ON_BEHALF, mine));
	for (unsigned granted = 0; granted < 1u << N_RIGHTS; granted++) {
		bool as = granted >> RIGHT_SEND_AS & 1;
		bool on_behalf = granted >> RIGHT_SEND_ON_BEHALF & 1;
		foreign.granted = nobodys.granted = granted;
		assert_int_equal(authorize(me, RIGHT_SEND_AS, foreign), as);
		assert_int_equal(authorize(me, RIGHT_SEND_ON_BEHALF, foreign), on_behalf);
		assert_int_equal(authorize(me, RIGHT_SEND_AS, nobodys), as);
		assert_int_equal(authorize(me, RIGHT_SEND_ON_BEHALF, nobodys), on_behalf);
		/* a grant opens nothing but that */
		struct object mailbox = {
		    .kind = OBJECT_MAILBOX, .account = FOREIGN, .granted = granted};
		assert_false(authorize(me, RIGHT_OPEN, mailbox));
		assert_false(
		    authorize((struct subject){SUBJECT_ACCOUNT, 0}, RIGHT_SEND_AS, nobodys));
		assert_false(
		    authorize((struct subject){SUBJECT_STRANGER, 0}, RIGHT_SEND_AS, nobodys));
		assert_false(
		    authorize((struct subject){SUBJECT_OPERATOR, 0}, RIGHT_SEND_AS, foreign));
	}
	assert_false(authorize(
	    (struct subject){SUBJECT_STRANGER, 0}, RIGHT_SUBMIT, object_of(OBJECT_QUEUE, 0)));
	assert_false(authorize(me, RIGHT_MANAGE, object_of(OBJECT_QUEUE, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_account_has_nothing_of_another),
	    cmocka_unit_test(a_stranger_may_only_ask),
	    cmocka_unit_test(nobody_but_its_owner_opens_a_mailbox),
	    cmocka_unit_test(an_operator_manages),
	    cmocka_unit_test(who_may_send_as_an_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
