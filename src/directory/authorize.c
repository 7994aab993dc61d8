#include "directory/authorize.h"

#include <stddef.h>

#include "base/attr.h"

enum scope { SCOPE_ANY, SCOPE_OWN, SCOPE_GRANTED };

static const struct {
	enum subject_kind subject;
	enum right right;
	enum object_kind object;
	/* SCOPE_OWN: only where subject and object are the same account; SCOPE_GRANTED: where this
	 * right on this object was granted to the subject */
	enum scope scope;
} permitted[] = {
    {SUBJECT_STRANGER, RIGHT_ASK, OBJECT_RECIPIENT, SCOPE_ANY},
    {SUBJECT_ACCOUNT, RIGHT_ASK, OBJECT_RECIPIENT, SCOPE_ANY},
    {SUBJECT_ACCOUNT, RIGHT_OPEN, OBJECT_MAILBOX, SCOPE_OWN},
    {SUBJECT_ACCOUNT, RIGHT_SEE, OBJECT_ACCOUNT, SCOPE_OWN},
    {SUBJECT_ACCOUNT, RIGHT_PASSWORD, OBJECT_ACCOUNT, SCOPE_OWN},
    {SUBJECT_ACCOUNT, RIGHT_SUBMIT, OBJECT_QUEUE, SCOPE_ANY},
    {SUBJECT_ACCOUNT, RIGHT_SEND_AS, OBJECT_SENDER, SCOPE_OWN},
    {SUBJECT_ACCOUNT, RIGHT_SEND_AS, OBJECT_SENDER, SCOPE_GRANTED},
    {SUBJECT_ACCOUNT, RIGHT_SEND_ON_BEHALF, OBJECT_SENDER, SCOPE_GRANTED},
    {SUBJECT_OPERATOR, RIGHT_MANAGE, OBJECT_QUEUE, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_ASK, OBJECT_RECIPIENT, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_LIST, OBJECT_SERVER, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_MANAGE, OBJECT_SERVER, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_SEE, OBJECT_ACCOUNT, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_PASSWORD, OBJECT_ACCOUNT, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_REMOVE, OBJECT_ACCOUNT, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_VERIFY, OBJECT_SERVER, SCOPE_ANY},
    {SUBJECT_OPERATOR, RIGHT_VERIFY, OBJECT_ACCOUNT, SCOPE_ANY},
};

static bool is_within(
    enum scope scope, struct subject subject, enum right right, struct object object)
{
	switch (scope) {
	case SCOPE_ANY:
		return true;
	case SCOPE_OWN:
		return subject.account != 0 && subject.account == object.account;
	case SCOPE_GRANTED:
		return subject.account != 0 && (object.granted >> right & 1) != 0;
	}
	return false;
}

bool authorize(struct subject subject, enum right right, struct object object)
{
	for (size_t i = 0; i < ARRAY_LEN(permitted); i++)
		if (permitted[i].subject == subject.kind && permitted[i].right == right &&
		    permitted[i].object == object.kind &&
		    is_within(permitted[i].scope, subject, right, object))
			return true;
	return false;
}
