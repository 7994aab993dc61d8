#include "session/imap/spools.h"

#include <assert.h>
#include <stdlib.h>

/* Only the last is open: a command may have more literals than the process descriptors. */
static void begin(void *context)
{
	struct imap_spools *s = context;

	if (s->n > 0)
		store_spool_end(s->list[s->n - 1]);
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? 2 * s->cap : 4;
		s->list = reallocarray(s->list, s->cap, sizeof(struct store_spool *));
		if (s->list == NULL)
			abort();
	}
	s->list[s->n++] = store_spool_new(s->store, s->max, 0);
}

/* What fails is told when the command is run: the literal has to be read to its end in any case. */
static void add(void *context, struct str piece)
{
	struct imap_spools *s = context;

	(void)store_spool_write(s->list[s->n - 1], piece);
}

static void forget(void *context)
{
	struct imap_spools *s = context;

	while (s->n > 0)
		store_spool_free(&s->list[--s->n]);
}

void imap_spools_init(
    struct imap_spools *spools, struct imap_reader *reader, struct store *s, uint64_t message_max)
{
	const struct imap_spooler spooler = {.from = IMAP_SPOOL_FROM,
	    .here_max = IMAP_SPOOL_HERE_MAX,
	    .begin = begin,
	    .add = add,
	    .forget = forget,
	    .context = spools};

	*spools = (struct imap_spools){.store = s, .max = message_max};
	imap_reader_spool(reader, &spooler);
}

void imap_spools_done(struct imap_spools *spools)
{
	forget(spools);
	free(spools->list);
}

struct store_spool *imap_spool(const struct imap_spools *spools, size_t number)
{
	assert(number > 0 && number <= spools->n);
	return spools->list[number - 1];
}
