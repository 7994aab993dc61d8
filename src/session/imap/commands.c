/* Which commands there are after sign-in, and in which state (RFC 9051 §3, §6). */
#include "session/imap/commands.h"

enum { ANY = IMAP_AUTHENTICATED | IMAP_SELECTED };

static const struct imap_handler handlers[N_IMAP_COMMANDS] = {
    [IMAP_CAPABILITY] = {imap_cmd_capability, ANY, false, true, false},
    [IMAP_NOOP] = {imap_cmd_noop, ANY, false, true, true},
    [IMAP_LOGOUT] = {imap_cmd_logout, ANY, false, true, false},
    [IMAP_ID] = {imap_cmd_id, ANY, false, true, false},
    [IMAP_ENABLE] = {imap_cmd_enable, ANY, false, true, false},
    [IMAP_SELECT] = {imap_cmd_select, ANY, false, true, true},
    [IMAP_EXAMINE] = {imap_cmd_select, ANY, false, true, true},
    [IMAP_CREATE] = {imap_cmd_create, ANY, false, true, false},
    [IMAP_DELETE] = {imap_cmd_delete, ANY, false, true, false},
    [IMAP_RENAME] = {imap_cmd_rename, ANY, false, true, false},
    [IMAP_SUBSCRIBE] = {imap_cmd_subscribe, ANY, false, true, false},
    [IMAP_UNSUBSCRIBE] = {imap_cmd_subscribe, ANY, false, true, false},
    [IMAP_LIST] = {imap_cmd_list, ANY, false, true, false},
    [IMAP_LSUB] = {imap_cmd_list, ANY, false, true, false},
    [IMAP_NAMESPACE] = {imap_cmd_namespace, ANY, false, true, false},
    [IMAP_STATUS] = {imap_cmd_status, ANY, false, true, true},
    [IMAP_APPEND] = {imap_cmd_append, ANY, false, true, false},
    [IMAP_IDLE] = {imap_cmd_idle, ANY, false, true, false},
    [IMAP_CHECK] = {imap_cmd_noop, IMAP_SELECTED, false, true, true},
    [IMAP_CLOSE] = {imap_cmd_close, IMAP_SELECTED, false, true, false},
    [IMAP_UNSELECT] = {imap_cmd_close, IMAP_SELECTED, false, true, false},
    [IMAP_EXPUNGE] = {imap_cmd_expunge, IMAP_SELECTED, false, false, false},
    [IMAP_SEARCH] = {imap_cmd_search, IMAP_SELECTED, true, false, false},
    [IMAP_FETCH] = {imap_cmd_fetch, IMAP_SELECTED, true, false, true},
    [IMAP_STORE] = {imap_cmd_store, IMAP_SELECTED, true, false, false},
    [IMAP_COPY] = {imap_cmd_copy, IMAP_SELECTED, false, false, false},
    [IMAP_MOVE] = {imap_cmd_copy, IMAP_SELECTED, false, false, false},
    [IMAP_SETACL] = {imap_cmd_setacl, ANY, false, false, false},
    [IMAP_DELETEACL] = {imap_cmd_setacl, ANY, false, false, false},
    [IMAP_GETACL] = {imap_cmd_getacl, ANY, false, false, false},
    [IMAP_LISTRIGHTS] = {imap_cmd_listrights, ANY, false, false, false},
    [IMAP_MYRIGHTS] = {imap_cmd_myrights, ANY, false, false, false},
    [IMAP_UNAUTHENTICATE] = {imap_cmd_unauthenticate, ANY, false, true, false},
    [IMAP_ESEARCH] = {imap_cmd_esearch, ANY, true, false, false},
    [IMAP_SORT] = {imap_cmd_sort, IMAP_SELECTED, true, false, false},
    [IMAP_THREAD] = {imap_cmd_thread, IMAP_SELECTED, true, false, false},
    [IMAP_NOTIFY] = {imap_cmd_notify, ANY, false, false, false},
    [IMAP_COMPRESS] = {imap_cmd_compress, ANY, false, true, false},
    [IMAP_REPLACE] = {imap_cmd_replace, IMAP_SELECTED, false, false, false},
    [IMAP_GETQUOTA] = {imap_cmd_getquota, ANY, false, true, false},
    [IMAP_GETQUOTAROOT] = {imap_cmd_getquotaroot, ANY, false, true, false},
    [IMAP_SETQUOTA] = {imap_cmd_setquota, ANY, false, true, false},
    [IMAP_GETMETADATA] = {imap_cmd_getmetadata, ANY, false, true, false},
    [IMAP_SETMETADATA] = {imap_cmd_setmetadata, ANY, false, true, false},
};

/* STARTTLS, LOGIN and AUTHENTICATE belong to the gate. */
const struct imap_handler *imap_handler_of(enum imap_command_id id)
{
	return handlers[id].run != NULL ? &handlers[id] : NULL;
}
