/* Which commands there are after sign-in (RFC 1939 §5), and what they share. */
#include "session/pop3/commands.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/store_message.h"

/* STLS, USER, PASS and AUTH belong to the gate. */
static void (*const handlers[N_POP3_COMMANDS])(
    struct pop3_session *s, const struct pop3_command *c) = {
    [POP3_CAPA] = pop3_cmd_capa,
    [POP3_QUIT] = pop3_cmd_quit,
    [POP3_NOOP] = pop3_cmd_noop,
    [POP3_STAT] = pop3_cmd_stat,
    [POP3_LIST] = pop3_cmd_list,
    [POP3_UIDL] = pop3_cmd_uidl,
    [POP3_RETR] = pop3_cmd_retr,
    [POP3_TOP] = pop3_cmd_retr,
    [POP3_DELE] = pop3_cmd_dele,
    [POP3_RSET] = pop3_cmd_rset,
};

void pop3_run(struct pop3_session *s, const struct pop3_command *c)
{
	unsigned before = s->n_errors;

	if (handlers[c->id] == NULL) {
		pop3_error(s, "Already signed in");
		return;
	}
	handlers[c->id](s, c);
	if (s->n_errors == before)
		s->n_errors = 0;
}

void pop3_error(struct pop3_session *s, const char *text)
{
	s->n_errors++;
	buf_printf(&s->out.buf, "-ERR %s\r\n", text);
}

/* SYS/PERM: trying again will not help, somebody must see to it; SYS/TEMP: it may (RFC 3206 §4). */
void pop3_store_error(struct pop3_session *s, int error)
{
	if (error == -ENOENT)
		pop3_error(s, "Another device removed that message meanwhile");
	else if (error == -EBADMSG)
		pop3_error(s, "[SYS/PERM] Stored data is damaged; it was reported");
	else if (error == -EACCES)
		pop3_error(s, "[SYS/PERM] The rights to this mailbox do not allow that");
	else if (error == -EBUSY)
		pop3_error(s, "[SYS/TEMP] The mailbox is busy, try again");
	else
		pop3_error(s, "[SYS/TEMP] The store does not answer, try again");
}

int pop3_authorize(struct pop3_session *s, unsigned rights)
{
	return authorize_mailbox(s->store, &s->subject, rights, s->view->mailbox);
}

bool pop3_is_there(const struct pop3_session *s, size_t at)
{
	return (s->marks[at] & POP3_DELETED) == 0 &&
	       (s->sizes == NULL || s->sizes[at] != STORE_SIZE_GONE);
}

bool pop3_find(struct pop3_session *s, uint32_t message, size_t *ret_at)
{
	if (message > s->view->n) {
		buf_printf(&s->out.buf, "-ERR No such message, there are %zu\r\n", s->view->n);
		s->n_errors++;
		return false;
	}
	size_t at = message - 1;
	if (!pop3_is_there(s, at)) {
		pop3_error(s, (s->marks[at] & POP3_DELETED) != 0
		                  ? "That message is marked as deleted"
		                  : "Another device removed that message meanwhile");
		return false;
	}
	*ret_at = at;
	return true;
}

int pop3_load_sizes(struct pop3_session *s)
{
	if (s->sizes != NULL)
		return 0;
	uint32_t *sizes = calloc(s->view->n + 1, sizeof(*sizes));
	assert(sizes != NULL);
	int r = store_line_sizes(s->view, sizes);
	if (r < 0)
		free(sizes);
	else
		s->sizes = sizes;
	return r;
}
