#include "session/checking.h"

#include "base/clock.h"
#include "seal/cipher.h"

void checking_init(struct checking *c)
{
	uint16_t chance;

	cipher_random(&chance, sizeof(chance));
	*c = (struct checking){.next_ms = clock_ms() + CHECKING_AFTER_MS +
	                                  (uint64_t)CHECKING_AFTER_MS * chance / UINT16_MAX};
}

void checking_done(struct checking *c)
{
	store_check_free(c->check);
	c->check = NULL;
}

bool checking_step(struct checking *c, struct store *s)
{
	uint64_t pause = CHECKING_ASK_MS;
	int more = 0;

	if (!c->check)
		more = store_check_claim(s, &c->check);
	if (more == 0 && c->check)
		more = store_check_step(c->check, CHECKING_SLICE_LEN);
	if (more == 1)
		pause = CHECKING_PAUSE_MS;
	else
		checking_done(c);
	if (more < 0)
		pause = CHECKING_AGAIN_MS;
	c->next_ms = clock_ms() + pause;
	return c->check != NULL;
}
