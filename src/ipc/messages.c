#include "ipc/messages.h"

#include "ipc/fields.h"

enum {
	ACCOUNT_KEYS_MAX = 4096,
	ALIAS_TARGETS_MAX = 100,
	SIGN_INPUT_MAX = 1024,
	SIGNATURE_MAX = 1024,
	KEY_HASH_LEN = 32,
	TRACE_MAX = 2048,
	ENVELOPE_ID_MAX = 100, /* RFC 3461 §4.4 */
	CHANGED_ACCOUNTS_MAX = 4096,
	DAMAGE_FILE_MAX = 256,
	DAMAGE_WHAT_MAX = 128,
	ROW_COLUMNS_MAX = 32,
	ALIAS_ACCOUNTS_MAX = 200,
};

static const struct ipc_field peer_fields[] = {
    FIELD(ipc_peer, role, IPC_U8, N_ROLES - 1),
    FIELD(ipc_peer, index, IPC_U16, 0),
    FIELD(ipc_peer, channel, IPC_FD, 0),
};

static const struct ipc_field listener_fields[] = {
    FIELD(ipc_listener, implicit_tls, IPC_U8, 1),
    FIELD(ipc_listener, port, IPC_U16, 0),
    FIELD(ipc_listener, socket, IPC_FD, 0),
};

static const struct ipc_field drain_fields[] = {
    FIELD(ipc_drain, ms, IPC_U32, 0),
};

static const struct ipc_field ready_fields[] = {
    FIELD(ipc_ready, unused, IPC_U8, 0),
    FIELD(ipc_ready, landlock, IPC_U8, 0),
};

static const struct ipc_field replace_me_fields[] = {
    FIELD(ipc_replace_me, unused, IPC_U8, 0),
};

static const struct ipc_field misconduct_fields[] = {
    FIELD(ipc_misconduct, role, IPC_U8, N_ROLES - 1),
    FIELD(ipc_misconduct, index, IPC_U16, 0),
};

static const struct ipc_field overdue_fields[] = {
    FIELD(ipc_overdue, pid, IPC_U32, INT32_MAX),
};

static const struct ipc_field gate_fields[] = {
    FIELD(ipc_gate, connection, IPC_U64, 0),
    FIELD(ipc_gate, peer, IPC_STR, PEER_TEXT_MAX),
    FIELD(ipc_gate, channel, IPC_FD, 0),
};

static const struct ipc_field budget_fields[] = {
    FIELD(ipc_budget, bytes, IPC_U64, 0),
};

static const struct ipc_field budget_answer_fields[] = {
    FIELD(ipc_budget_answer, granted, IPC_U8, 1),
};

static const struct ipc_field introduce_fields[] = {
    FIELD(ipc_introduce, role, IPC_U8, N_ROLES - 1),
    FIELD(ipc_introduce, index, IPC_U16, 0),
};

static const struct ipc_field introduced_fields[] = {
    FIELD(ipc_introduced, channel, IPC_FD, 0),
};

static const struct ipc_field not_introduced_fields[] = {
    FIELD(ipc_not_introduced, reason, IPC_U8, INTRODUCE_BUSY),
};

static const struct ipc_field rcpt_fields[] = {
    FIELD(ipc_rcpt, null_sender, IPC_U8, 1),
    FIELD(ipc_rcpt, address, IPC_STR, IPC_ADDRESS_MAX),
};

static const struct ipc_field rcpt_answer_fields[] = {
    FIELD(ipc_rcpt_answer, result, IPC_U8, RCPT_TEMPORARY),
    FIELD(ipc_rcpt_answer, accounts, IPC_U64S, ALIAS_ACCOUNTS_MAX),
    FIELD(ipc_rcpt_answer, forwards, IPC_U8, 1),
};

static const struct ipc_field auth_fields[] = {
    FIELD(ipc_auth, user, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_auth, password, IPC_SECRET, IPC_PASSWORD_MAX),
    FIELD(ipc_auth, protocol, IPC_U8, N_SIGN_IN_PROTOCOLS - 1),
    FIELD(ipc_auth, stream, IPC_FD, 0),
};

static const struct ipc_field auth_answer_fields[] = {
    FIELD(ipc_auth_answer, result, IPC_U8, AUTH_TEMPORARY),
    FIELD(ipc_auth_answer, account, IPC_U64, 0),
};

static const struct ipc_field sign_fields[] = {
    FIELD(ipc_sign, scheme, IPC_U8, SIGN_TLS12),
    FIELD(ipc_sign, hash, IPC_U8, 2),
    FIELD(ipc_sign, pss, IPC_U8, 1),
    FIELD(ipc_sign, key, IPC_STR, KEY_HASH_LEN),
    FIELD(ipc_sign, input, IPC_STR, SIGN_INPUT_MAX),
};

static const struct ipc_field signed_fields[] = {
    FIELD(ipc_signed, ok, IPC_U8, 1),
    FIELD(ipc_signed, signature, IPC_STR, SIGNATURE_MAX),
};

#define ENVELOPE_FIELDS(in)                                                                        \
	FIELD(in, envelope.accounts, IPC_U64S, IPC_RECIPIENTS_MAX),                                \
	    FIELD(in, envelope.recipients, IPC_STRS, IPC_RECIPIENTS_MAX),                          \
	    FIELD(in, envelope.reverse_path, IPC_STR, IPC_ADDRESS_MAX),                            \
	    FIELD(in, envelope.trace, IPC_STR, TRACE_MAX),                                         \
	    FIELD(in, envelope.envelope_id, IPC_STR, ENVELOPE_ID_MAX),                             \
	    FIELD(in, envelope.body, IPC_U8, 2), FIELD(in, envelope.smtputf8, IPC_U8, 1)

static const struct ipc_field deliver_fields[] = {
    ENVELOPE_FIELDS(ipc_deliver),
    FIELD(ipc_deliver, message, IPC_FD, 0),
};

static const struct ipc_field deliver_short_fields[] = {
    ENVELOPE_FIELDS(ipc_deliver_short),
    FIELD(ipc_deliver_short, message, IPC_STR, IPC_SHORT_MAX),
};

static const struct ipc_field delivered_fields[] = {
    FIELD(ipc_delivered, result, IPC_U8, DELIVER_TEMPORARY),
    FIELD(ipc_delivered, account, IPC_U64, 0),
    FIELD(ipc_delivered, detail, IPC_STR, IPC_TEXT_MAX),
};

static const struct ipc_field open_fields[] = {
    FIELD(ipc_open, request, IPC_U64, 0),
    FIELD(ipc_open, account, IPC_U64, 0),
    FIELD(ipc_open, connection, IPC_U64, 0),
    FIELD(ipc_open, protocol, IPC_U8, SESSION_VERIFY),
    FIELD(ipc_open, peer, IPC_STR, PEER_TEXT_MAX),
    FIELD(ipc_open, user, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_open, master_key, IPC_FD, 0),
    FIELD(ipc_open, stream, IPC_FD, 0),
};

static const struct ipc_field account_create_fields[] = {
    FIELD(ipc_account_create, request, IPC_U64, 0),
    FIELD(ipc_account_create, account, IPC_U64, 0),
    FIELD(ipc_account_create, keys, IPC_STR, ACCOUNT_KEYS_MAX),
};

static const struct ipc_field account_remove_fields[] = {
    FIELD(ipc_account_remove, request, IPC_U64, 0),
    FIELD(ipc_account_remove, account, IPC_U64, 0),
};

static const struct ipc_field account_end_sessions_fields[] = {
    FIELD(ipc_account_end_sessions, request, IPC_U64, 0),
    FIELD(ipc_account_end_sessions, account, IPC_U64, 0),
};

static const struct ipc_field registry_done_fields[] = {
    FIELD(ipc_registry_done, request, IPC_U64, 0),
    FIELD(ipc_registry_done, error, IPC_U32, 0),
};

static const struct ipc_field changed_fields[] = {
    FIELD(ipc_changed, accounts, IPC_U64S, CHANGED_ACCOUNTS_MAX),
};

static const struct ipc_field damage_fields[] = {
    FIELD(ipc_damage, file, IPC_STR, DAMAGE_FILE_MAX),
    FIELD(ipc_damage, offset, IPC_U64, 0),
    FIELD(ipc_damage, what, IPC_STR, DAMAGE_WHAT_MAX),
};

static const struct ipc_field ledger_event_fields[] = {
    FIELD(ipc_ledger_event, kind, IPC_U8, N_LEDGER_KINDS - 1),
    FIELD(ipc_ledger_event, account, IPC_U64, 0),
    FIELD(ipc_ledger_event, peer, IPC_STR, PEER_TEXT_MAX),
    FIELD(ipc_ledger_event, detail, IPC_STR, IPC_TEXT_MAX),
};

static const struct ipc_field control_fields[] = {
    FIELD(ipc_control, verb, IPC_U8, N_CONTROL_VERBS - 1),
    FIELD(ipc_control, name, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_control, targets, IPC_STRS, ALIAS_TARGETS_MAX),
    FIELD(ipc_control, password, IPC_SECRET, IPC_PASSWORD_MAX),
    FIELD(ipc_control, credential, IPC_SECRET, IPC_PASSWORD_MAX),
    FIELD(ipc_control, quota_bytes, IPC_U64, 0),
    FIELD(ipc_control, on_behalf, IPC_U8, 1),
};

static const struct ipc_field control_row_fields[] = {
    FIELD(ipc_control_row, names, IPC_STRS, ROW_COLUMNS_MAX),
    FIELD(ipc_control_row, values, IPC_STRS, ROW_COLUMNS_MAX),
};

static const struct ipc_field control_done_fields[] = {
    FIELD(ipc_control_done, error, IPC_U32, 0),
    FIELD(ipc_control_done, reason, IPC_STR, IPC_TEXT_MAX),
};

static const struct ipc_field control_verify_fields[] = {
    FIELD(ipc_control_verify, name, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_control_verify, password, IPC_SECRET, IPC_PASSWORD_MAX),
    FIELD(ipc_control_verify, channel, IPC_FD, 0),
};

static const struct ipc_field verified_fields[] = {
    FIELD(ipc_verified, bytes, IPC_U64, 0),
    FIELD(ipc_verified, of_bytes, IPC_U64, 0),
    FIELD(ipc_verified, n_files, IPC_U64, 0),
    FIELD(ipc_verified, n_damaged, IPC_U64, 0),
    FIELD(ipc_verified, done, IPC_U8, 1),
    FIELD(ipc_verified, with_key, IPC_U8, 1),
    FIELD(ipc_verified, error, IPC_U32, 0),
};

/* Sorted by type: ipc_message_of looks in the middle. */
static const struct ipc_message messages[] = {
    MESSAGE(IPC_PEER, peer),
    MESSAGE(IPC_LISTENER, listener),
    MESSAGE(IPC_DRAIN, drain),
    MESSAGE(IPC_READY, ready),
    MESSAGE(IPC_REPLACE_ME, replace_me),
    MESSAGE(IPC_MISCONDUCT, misconduct),
    MESSAGE(IPC_OVERDUE, overdue),
    MESSAGE(IPC_GATE, gate),
    MESSAGE(IPC_BUDGET, budget),
    MESSAGE(IPC_BUDGET_ANSWER, budget_answer),
    MESSAGE(IPC_INTRODUCE, introduce),
    MESSAGE(IPC_INTRODUCED, introduced),
    MESSAGE(IPC_NOT_INTRODUCED, not_introduced),
    MESSAGE(IPC_RCPT, rcpt),
    MESSAGE(IPC_RCPT_ANSWER, rcpt_answer),
    MESSAGE(IPC_AUTH, auth),
    MESSAGE(IPC_AUTH_ANSWER, auth_answer),
    MESSAGE(IPC_SIGN, sign),
    MESSAGE(IPC_SIGNED, signed),
    MESSAGE(IPC_DELIVER, deliver),
    MESSAGE(IPC_DELIVERED, delivered),
    MESSAGE(IPC_DELIVER_SHORT, deliver_short),
    MESSAGE(IPC_OPEN, open),
    MESSAGE(IPC_ACCOUNT_CREATE, account_create),
    MESSAGE(IPC_ACCOUNT_REMOVE, account_remove),
    MESSAGE(IPC_REGISTRY_DONE, registry_done),
    MESSAGE(IPC_ACCOUNT_END_SESSIONS, account_end_sessions),
    MESSAGE(IPC_CHANGED, changed),
    MESSAGE(IPC_DAMAGE, damage),
    MESSAGE(IPC_LEDGER_EVENT, ledger_event),
    MESSAGE(IPC_CONTROL, control),
    MESSAGE(IPC_CONTROL_ROW, control_row),
    MESSAGE(IPC_CONTROL_DONE, control_done),
    MESSAGE(IPC_CONTROL_VERIFY, control_verify),
    MESSAGE(IPC_VERIFIED, verified),
};

static const struct ipc_message_table plain_messages = {messages, ARRAY_LEN(messages)};

static const struct ipc_message *find(const struct ipc_message_table *table, uint16_t type)
{
	size_t low = 0, high = table->n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (table->v[middle].type == type)
			return &table->v[middle];
		if (table->v[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct ipc_message *ipc_message_of(uint16_t type)
{
	const struct ipc_message *found = find(&plain_messages, type);

	return found != NULL ? found : find(&ipc_outgoing_messages, type);
}

const struct ipc_message *ipc_message_at(size_t i)
{
	if (i < plain_messages.n)
		return &plain_messages.v[i];
	i -= plain_messages.n;
	return i < ipc_outgoing_messages.n ? &ipc_outgoing_messages.v[i] : NULL;
}
