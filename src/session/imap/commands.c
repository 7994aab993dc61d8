/* Which commands there are after sign-in, and in which state (RFC 9051 §3, §6). */
#include "session/imap/commands.h"

enum { ANY = IMAP_AUTHENTICATED | IMAP_SELECTED };

static const struct imap_handler handlers[N_IMAP_COMMANDS] = {
    [IMAP_CAPABILITY] = {imap_cmd_capability, ANY, false},
    [IMAP_NOOP] = {imap_cmd_noop, ANY, false},
    [IMAP_LOGOUT] = {imap_cmd_logout, ANY, false},
    [IMAP_ID] = {imap_cmd_id, ANY, false},
    [IMAP_ENABLE] = {imap_cmd_enable, ANY, false},
    [IMAP_SELECT] = {imap_cmd_select, ANY, false},
    [IMAP_EXAMINE] = {imap_cmd_select, ANY, false},
    [IMAP_CREATE] = {imap_cmd_create, ANY, false},
    [IMAP_DELETE] = {imap_cmd_delete, ANY, false},
    [IMAP_RENAME] = {imap_cmd_rename, ANY, false},
    [IMAP_SUBSCRIBE] = {imap_cmd_subscribe, ANY, false},
    [IMAP_UNSUBSCRIBE] = {imap_cmd_subscribe, ANY, false},
    [IMAP_LIST] = {imap_cmd_list, ANY, false},
    [IMAP_LSUB] = {imap_cmd_list, ANY, false},
    [IMAP_NAMESPACE] = {imap_cmd_namespace, ANY, false},
    [IMAP_STATUS] = {imap_cmd_status, ANY, false},
    [IMAP_APPEND] = {imap_cmd_append, ANY, false},
    [IMAP_IDLE] = {imap_cmd_idle, ANY, false},
    [IMAP_CHECK] = {imap_cmd_noop, IMAP_SELECTED, false},
    [IMAP_CLOSE] = {imap_cmd_close, IMAP_SELECTED, false},
    [IMAP_UNSELECT] = {imap_cmd_close, IMAP_SELECTED, false},
    [IMAP_EXPUNGE] = {imap_cmd_expunge, IMAP_SELECTED, false},
    [IMAP_SEARCH] = {imap_cmd_search, IMAP_SELECTED, true},
    [IMAP_FETCH] = {imap_cmd_fetch, IMAP_SELECTED, true},
    [IMAP_STORE] = {imap_cmd_store, IMAP_SELECTED, true},
    [IMAP_COPY] = {imap_cmd_copy, IMAP_SELECTED, false},
    [IMAP_MOVE] = {imap_cmd_copy, IMAP_SELECTED, false},
};

/* STARTTLS, LOGIN and AUTHENTICATE belong to the gate. */
const struct imap_handler *imap_handler_of(enum imap_command_id id)
{
	return handlers[id].run != NULL ? &handlers[id] : NULL;
}
