#include "ipc/outgoing.h"

#include "ipc/fields.h"
#include "ipc/messages.h"

enum {
	TRACE_MAX = 2048,
	REPLY_TEXT_MAX = 2048,
	SIGNATURE_LEN_MAX = 1024,
	KEY_LEN_MAX = 4096,
	STATUS_LEN_MAX = 16, /* "5.123.456" */
	MTA_TEXT_MAX = DNS_NAME_MAX + PEER_TEXT_MAX + 3,
	URL_LEN_MAX = 2048,
};

/* clang-format off */
#define OUTGOING_FIELDS(in)                                                                        \
	FIELD(in, mail.reverse_path, IPC_STR, IPC_ADDRESS_MAX),                                    \
	FIELD(in, mail.envelope_id, IPC_STR, OUTGOING_ENVELOPE_ID_MAX),                            \
	FIELD(in, mail.ret, IPC_U8, N_OUTGOING_RETURNS - 1),                                       \
	FIELD(in, mail.body, IPC_U8, 2),                                                           \
	FIELD(in, mail.smtputf8, IPC_U8, 1),                                                       \
	FIELD(in, mail.require_tls, IPC_U8, 1),                                                    \
	FIELD(in, mail.by_mode, IPC_U8, N_OUTGOING_BYS - 1),                                       \
	FIELD(in, mail.by_trace, IPC_U8, 1),                                                       \
	FIELD(in, mail.deliver_by, IPC_U64, 0)
/* clang-format on */

static const struct ipc_field submitter_fields[] = {
    FIELD(ipc_submitter, account, IPC_U64, 0),
    FIELD(ipc_submitter, connection, IPC_U64, 0),
    FIELD(ipc_submitter, peer, IPC_STR, PEER_TEXT_MAX),
    FIELD(ipc_submitter, user, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_submitter, channel, IPC_FD, 0),
};

static const struct ipc_field submit_mail_fields[] = {
    OUTGOING_FIELDS(ipc_submit_mail),
    FIELD(ipc_submit_mail, hold_until, IPC_U64, 0),
    FIELD(ipc_submit_mail, size, IPC_U64, 0),
};

static const struct ipc_field submit_rcpt_fields[] = {
    FIELD(ipc_submit_rcpt, recipient, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_submit_rcpt, original_recipient, IPC_STR, OUTGOING_ORIGINAL_RECIPIENT_MAX),
    FIELD(ipc_submit_rcpt, notify, IPC_U8, 15),
};

static const struct ipc_field submit_data_fields[] = {
    FIELD(ipc_submit_data, trace, IPC_STR, TRACE_MAX),
    FIELD(ipc_submit_data, message, IPC_FD, 0),
};

static const struct ipc_field submit_cancel_fields[] = {
    FIELD(ipc_submit_cancel, message, IPC_U64, 0),
};

static const struct ipc_field submit_answer_fields[] = {
    FIELD(ipc_submit_answer, result, IPC_U8, N_SUBMIT_RESULTS - 1),
    FIELD(ipc_submit_answer, message, IPC_U64, 0),
    FIELD(ipc_submit_answer, detail, IPC_STR, IPC_TEXT_MAX),
};

static const struct ipc_field may_send_fields[] = {
    FIELD(ipc_may_send, request, IPC_U64, 0),
    FIELD(ipc_may_send, account, IPC_U64, 0),
    FIELD(ipc_may_send, authors, IPC_STRS, OUTGOING_AUTHORS_MAX),
    FIELD(ipc_may_send, sender, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_may_send, domain, IPC_STR, DNS_NAME_MAX),
};

static const struct ipc_field may_send_answer_fields[] = {
    FIELD(ipc_may_send_answer, request, IPC_U64, 0),
    FIELD(ipc_may_send_answer, result, IPC_U8, N_MAY_SENDS - 1),
    FIELD(ipc_may_send_answer, address, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_may_send_answer, selectors, IPC_STRS, OUTGOING_SIGNATURES_MAX),
    FIELD(ipc_may_send_answer, algorithms, IPC_U64S, OUTGOING_SIGNATURES_MAX),
};

static const struct ipc_field route_fields[] = {
    FIELD(ipc_route, request, IPC_U64, 0),
    FIELD(ipc_route, address, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_route, reverse_path, IPC_STR, IPC_ADDRESS_MAX),
};

static const struct ipc_field route_answer_fields[] = {
    FIELD(ipc_route_answer, request, IPC_U64, 0),
    FIELD(ipc_route_answer, result, IPC_U8, RCPT_TEMPORARY),
    FIELD(ipc_route_answer, accounts, IPC_U64S, IPC_RECIPIENTS_MAX),
    FIELD(ipc_route_answer, outside, IPC_STRS, OUTGOING_OUTSIDE_MAX),
    FIELD(ipc_route_answer, reverse_path, IPC_STR, IPC_ADDRESS_MAX),
};

static const struct ipc_field signers_fields[] = {
    FIELD(ipc_signers, request, IPC_U64, 0),
    FIELD(ipc_signers, domain, IPC_STR, DNS_NAME_MAX),
};

static const struct ipc_field signers_answer_fields[] = {
    FIELD(ipc_signers_answer, request, IPC_U64, 0),
    FIELD(ipc_signers_answer, selectors, IPC_STRS, OUTGOING_SIGNATURES_MAX),
    FIELD(ipc_signers_answer, algorithms, IPC_U64S, OUTGOING_SIGNATURES_MAX),
};

static const struct ipc_field scribe_fields[] = {
    FIELD(ipc_scribe, channel, IPC_FD, 0),
    FIELD(ipc_scribe, messages, IPC_U8, SCRIBE_MESSAGES_MAX),
};

static const struct ipc_field prepare_fields[] = {
    FIELD(ipc_prepare, message, IPC_FD, 0),
    FIELD(ipc_prepare, complete, IPC_U8, 1),
    FIELD(ipc_prepare, body, IPC_U8, 2),
};

static const struct ipc_field examined_fields[] = {
    FIELD(ipc_examined, result, IPC_U8, N_EXAMINED - 1),
    FIELD(ipc_examined, detail, IPC_STR, IPC_TEXT_MAX),
    FIELD(ipc_examined, authors, IPC_STRS, OUTGOING_AUTHORS_MAX),
    FIELD(ipc_examined, sender, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_examined, tls_optional, IPC_U8, 1),
    FIELD(ipc_examined, body, IPC_U8, 2),
    FIELD(ipc_examined, smtputf8, IPC_U8, 1),
    FIELD(ipc_examined, header_len, IPC_U32, 0),
};

static const struct ipc_field finish_fields[] = {
    FIELD(ipc_finish, trace, IPC_STR, TRACE_MAX),
    FIELD(ipc_finish, sender, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_finish, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_finish, selectors, IPC_STRS, OUTGOING_SIGNATURES_MAX),
    FIELD(ipc_finish, algorithms, IPC_U64S, OUTGOING_SIGNATURES_MAX),
    FIELD(ipc_finish, at, IPC_U64, 0),
    FIELD(ipc_finish, name, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_finish, peer, IPC_STR, PEER_TEXT_MAX),
};

static const struct ipc_field finished_fields[] = {
    FIELD(ipc_finished, fields, IPC_STRS, OUTGOING_SIGNATURES_MAX),
    FIELD(ipc_finished, hashes, IPC_STRS, OUTGOING_SIGNATURES_MAX),
    FIELD(ipc_finished, message, IPC_FD, 0),
};

static const struct ipc_field keys_wanted_fields[] = {
    FIELD(ipc_keys_wanted, names, IPC_STRS, OUTGOING_KEYS_MAX),
};

static const struct ipc_field key_fields[] = {
    FIELD(ipc_key, index, IPC_U16, OUTGOING_KEYS_MAX - 1),
    FIELD(ipc_key, result, IPC_U8, N_DNS_RESULTS - 1),
    FIELD(ipc_key, records, IPC_STRS, OUTGOING_RECORDS_MAX),
};

static const struct ipc_field seal_fields[] = {
    FIELD(ipc_seal, text, IPC_FD, 0),
};

static const struct ipc_field sealed_fields[] = {
    FIELD(ipc_sealed, signature, IPC_STR, SIGNATURE_LEN_MAX),
};

static const struct ipc_field dkim_sign_fields[] = {
    FIELD(ipc_dkim_sign, request, IPC_U64, 0),
    FIELD(ipc_dkim_sign, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_dkim_sign, selector, IPC_STR, DKIM_SELECTOR_MAX),
    FIELD(ipc_dkim_sign, hash, IPC_STR, OUTGOING_SHA256_LEN),
};

static const struct ipc_field dkim_signed_fields[] = {
    FIELD(ipc_dkim_signed, request, IPC_U64, 0),
    FIELD(ipc_dkim_signed, ok, IPC_U8, 1),
    FIELD(ipc_dkim_signed, signature, IPC_STR, SIGNATURE_LEN_MAX),
};

static const struct ipc_field dkim_make_fields[] = {
    FIELD(ipc_dkim_make, request, IPC_U64, 0),
    FIELD(ipc_dkim_make, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_dkim_make, selector, IPC_STR, DKIM_SELECTOR_MAX),
    FIELD(ipc_dkim_make, algorithm, IPC_U8, N_DKIM_ALGORITHMS - 1),
};

static const struct ipc_field dkim_made_fields[] = {
    FIELD(ipc_dkim_made, request, IPC_U64, 0),
    FIELD(ipc_dkim_made, error, IPC_U32, 0),
    FIELD(ipc_dkim_made, public_key, IPC_STR, KEY_LEN_MAX),
    FIELD(ipc_dkim_made, sealed, IPC_STR, KEY_LEN_MAX),
};

static const struct ipc_field dkim_key_fields[] = {
    FIELD(ipc_dkim_key, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_dkim_key, selector, IPC_STR, DKIM_SELECTOR_MAX),
    FIELD(ipc_dkim_key, algorithm, IPC_U8, N_DKIM_ALGORITHMS - 1),
    FIELD(ipc_dkim_key, sealed, IPC_STR, KEY_LEN_MAX),
};

static const struct ipc_field dkim_forget_fields[] = {
    FIELD(ipc_dkim_forget, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_dkim_forget, selector, IPC_STR, DKIM_SELECTOR_MAX),
};

static const struct ipc_field courier_fields[] = {
    FIELD(ipc_courier, channel, IPC_FD, 0),
};

static const struct ipc_field carry_fields[] = {
    OUTGOING_FIELDS(ipc_carry),
    FIELD(ipc_carry, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_carry, host, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_carry, port, IPC_U16, 0),
    FIELD(ipc_carry, relay, IPC_U8, 1),
    FIELD(ipc_carry, implicit_tls, IPC_U8, 1),
    FIELD(ipc_carry, relay_user, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_carry, relay_password, IPC_SECRET, IPC_PASSWORD_MAX),
    FIELD(ipc_carry, source, IPC_STR, PEER_TEXT_MAX),
    FIELD(ipc_carry, tls_must, IPC_U8, 1),
    FIELD(ipc_carry, tls_optional, IPC_U8, 1),
    FIELD(ipc_carry, sts_mode, IPC_U8, N_STS_MODES - 1),
    FIELD(ipc_carry, sts_mx, IPC_STRS, OUTGOING_STS_MX_MAX),
    FIELD(ipc_carry, eight_bit, IPC_U8, 1),
};

static const struct ipc_field carry_rcpt_fields[] = {
    FIELD(ipc_carry_rcpt, recipient, IPC_STR, IPC_ADDRESS_MAX),
    FIELD(ipc_carry_rcpt, original_recipient, IPC_STR, OUTGOING_ORIGINAL_RECIPIENT_MAX),
    FIELD(ipc_carry_rcpt, notify, IPC_U8, 15),
};

static const struct ipc_field carry_message_fields[] = {
    FIELD(ipc_carry_message, n_recipients, IPC_U16, 0),
    FIELD(ipc_carry_message, message, IPC_FD, 0),
};

static const struct ipc_field courier_ready_fields[] = {
    FIELD(ipc_courier_ready, unused, IPC_U8, 0),
};

static const struct ipc_field carried_rcpt_fields[] = {
    FIELD(ipc_carried_rcpt, index, IPC_U16, 0),
    FIELD(ipc_carried_rcpt, outcome, IPC_U8, N_CARRY_OUTCOMES - 1),
    FIELD(ipc_carried_rcpt, code, IPC_U16, 999),
    FIELD(ipc_carried_rcpt, status, IPC_STR, STATUS_LEN_MAX),
    FIELD(ipc_carried_rcpt, mta, IPC_STR, MTA_TEXT_MAX),
    FIELD(ipc_carried_rcpt, text, IPC_STR, REPLY_TEXT_MAX),
    FIELD(ipc_carried_rcpt, relayed, IPC_U8, 1),
};

static const struct ipc_field carried_fields[] = {
    FIELD(ipc_carried, reusable, IPC_U8, 1),
    FIELD(ipc_carried, unreachable, IPC_U8, 1),
    FIELD(ipc_carried, mta, IPC_STR, MTA_TEXT_MAX),
    FIELD(ipc_carried, tls, IPC_STR, PEER_TEXT_MAX),
};

static const struct ipc_field tls_result_fields[] = {
    FIELD(ipc_tls_result, policy, IPC_U8, N_TLS_POLICIES - 1),
    FIELD(ipc_tls_result, result, IPC_U8, N_TLS_RESULTS - 1),
    FIELD(ipc_tls_result, mx, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_tls_result, receiving, IPC_STR, PEER_TEXT_MAX),
    FIELD(ipc_tls_result, sending, IPC_STR, PEER_TEXT_MAX),
    FIELD(ipc_tls_result, detail, IPC_STR, IPC_TEXT_MAX),
    FIELD(ipc_tls_result, policy_strings, IPC_STRS, OUTGOING_RECORDS_MAX),
};

static const struct ipc_field asker_fields[] = {
    FIELD(ipc_asker, channel, IPC_FD, 0),
};

static const struct ipc_field dns_fields[] = {
    FIELD(ipc_dns, request, IPC_U64, 0),
    FIELD(ipc_dns, name, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_dns, type, IPC_U16, 0),
};

static const struct ipc_field dns_answer_fields[] = {
    FIELD(ipc_dns_answer, request, IPC_U64, 0),
    FIELD(ipc_dns_answer, result, IPC_U8, N_DNS_RESULTS - 1),
    FIELD(ipc_dns_answer, security, IPC_U8, N_DNS_SECURITIES - 1),
    FIELD(ipc_dns_answer, ttl, IPC_U32, 0),
    FIELD(ipc_dns_answer, canonical, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_dns_answer, records, IPC_STRS, OUTGOING_RECORDS_MAX),
    FIELD(ipc_dns_answer, detail, IPC_STR, IPC_TEXT_MAX),
};

static const struct ipc_field fetch_policy_fields[] = {
    FIELD(ipc_fetch_policy, request, IPC_U64, 0),
    FIELD(ipc_fetch_policy, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_fetch_policy, addresses, IPC_STRS, OUTGOING_RECORDS_MAX),
};

static const struct ipc_field policy_fields[] = {
    FIELD(ipc_policy, request, IPC_U64, 0),
    FIELD(ipc_policy, result, IPC_U8, N_FETCHED - 1),
    FIELD(ipc_policy, mode, IPC_U8, N_STS_MODES - 1),
    FIELD(ipc_policy, max_age, IPC_U32, 0),
    FIELD(ipc_policy, mx, IPC_STRS, OUTGOING_STS_MX_MAX),
    FIELD(ipc_policy, detail, IPC_STR, IPC_TEXT_MAX),
};

static const struct ipc_field post_report_fields[] = {
    FIELD(ipc_post_report, request, IPC_U64, 0),
    FIELD(ipc_post_report, url, IPC_STR, URL_LEN_MAX),
    FIELD(ipc_post_report, addresses, IPC_STRS, OUTGOING_RECORDS_MAX),
    FIELD(ipc_post_report, report, IPC_FD, 0),
};

static const struct ipc_field posted_fields[] = {
    FIELD(ipc_posted, request, IPC_U64, 0),
    FIELD(ipc_posted, ok, IPC_U8, 1),
    FIELD(ipc_posted, detail, IPC_STR, IPC_TEXT_MAX),
};

static const struct ipc_field queue_control_fields[] = {
    FIELD(ipc_queue_control, channel, IPC_FD, 0),
};

static const struct ipc_field queue_ask_fields[] = {
    FIELD(ipc_queue_ask, verb, IPC_U8, N_QUEUE_VERBS - 1),
    FIELD(ipc_queue_ask, message, IPC_U64, 0),
    FIELD(ipc_queue_ask, after, IPC_U64, 0),
    FIELD(ipc_queue_ask, domain, IPC_STR, DNS_NAME_MAX),
    FIELD(ipc_queue_ask, account, IPC_STR, IPC_ADDRESS_MAX),
};

/* Sorted by type. */
static const struct ipc_message messages[] = {
    MESSAGE(IPC_SUBMITTER, submitter),
    MESSAGE(IPC_SUBMIT_MAIL, submit_mail),
    MESSAGE(IPC_SUBMIT_RCPT, submit_rcpt),
    MESSAGE(IPC_SUBMIT_DATA, submit_data),
    MESSAGE(IPC_SUBMIT_CANCEL, submit_cancel),
    MESSAGE(IPC_SUBMIT_ANSWER, submit_answer),
    MESSAGE(IPC_MAY_SEND, may_send),
    MESSAGE(IPC_MAY_SEND_ANSWER, may_send_answer),
    MESSAGE(IPC_ROUTE, route),
    MESSAGE(IPC_ROUTE_ANSWER, route_answer),
    MESSAGE(IPC_SIGNERS, signers),
    MESSAGE(IPC_SIGNERS_ANSWER, signers_answer),
    MESSAGE(IPC_PREPARE, prepare),
    MESSAGE(IPC_EXAMINED, examined),
    MESSAGE(IPC_FINISH, finish),
    MESSAGE(IPC_FINISHED, finished),
    MESSAGE(IPC_KEYS_WANTED, keys_wanted),
    MESSAGE(IPC_KEY, key),
    MESSAGE(IPC_SEAL, seal),
    MESSAGE(IPC_SEALED, sealed),
    MESSAGE(IPC_SCRIBE, scribe),
    MESSAGE(IPC_DKIM_SIGN, dkim_sign),
    MESSAGE(IPC_DKIM_SIGNED, dkim_signed),
    MESSAGE(IPC_DKIM_MAKE, dkim_make),
    MESSAGE(IPC_DKIM_MADE, dkim_made),
    MESSAGE(IPC_DKIM_KEY, dkim_key),
    MESSAGE(IPC_DKIM_FORGET, dkim_forget),
    MESSAGE(IPC_COURIER, courier),
    MESSAGE(IPC_CARRY, carry),
    MESSAGE(IPC_CARRY_RCPT, carry_rcpt),
    MESSAGE(IPC_CARRY_MESSAGE, carry_message),
    MESSAGE(IPC_CARRIED_RCPT, carried_rcpt),
    MESSAGE(IPC_CARRIED, carried),
    MESSAGE(IPC_TLS_RESULT, tls_result),
    MESSAGE(IPC_COURIER_READY, courier_ready),
    MESSAGE(IPC_ASKER, asker),
    MESSAGE(IPC_DNS, dns),
    MESSAGE(IPC_DNS_ANSWER, dns_answer),
    MESSAGE(IPC_FETCH_POLICY, fetch_policy),
    MESSAGE(IPC_POLICY, policy),
    MESSAGE(IPC_POST_REPORT, post_report),
    MESSAGE(IPC_POSTED, posted),
    MESSAGE(IPC_QUEUE_CONTROL, queue_control),
    MESSAGE(IPC_QUEUE_ASK, queue_ask),
};

const struct ipc_message_table ipc_outgoing_messages = {messages, ARRAY_LEN(messages)};
