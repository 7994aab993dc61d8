/* The ports to which users bring mail that goes out (RFC 6409). */
#include "gate/smtp/dialogue.h"

static const struct smtp_policy policy = {.submits = true};

int gate_submission(struct gate *g)
{
	return smtp_serve(g, &policy);
}
