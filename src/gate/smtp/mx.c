/* The port to which other servers bring mail for this one (RFC 5321). */
#include "gate/smtp/dialogue.h"

static const struct smtp_policy policy = {.submits = false};

int gate_smtp(struct gate *g)
{
	return smtp_serve(g, &policy);
}
