/* Parameters: what was taken keeps to its limits, and every xtext taken can be decoded. */
#include <assert.h>

#include "smtp/parameter.h"
#include "smtp/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decoded(struct str xtext)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(SMTP_ORCPT_MAX);
	bool decoded = smtp_xtext_decode(xtext, &out);
	assert(decoded && out.len <= xtext.len);
	for (size_t i = 0; i < out.len; i++)
		assert((unsigned char)out.p[i] >= 32 && out.p[i] != 127);
}

static void check_moment(uint64_t at)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(SMTP_TIMESTAMP_LEN);
	uint64_t again = 0;
	/* A moment west of Greenwich at the end of the year 9999 is in another that has no name. */
	if (smtp_timestamp_format(at, &out)) {
		bool reads = smtp_timestamp_parse(buf_str(&out), &again);
		assert(reads && again == at);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_of(data, size);
	struct smtp_mail_parameters mail;
	if (smtp_mail_parameters_parse(s, &mail) == SMTP_PARAMETER_OK) {
		assert(mail.envid.len <= SMTP_ENVID_MAX);
		check_decoded(mail.envid);
		assert(mail.hold_seconds == 0 || mail.hold_until == 0);
		assert(mail.hold_seconds <= SMTP_HOLD_MAX);
		assert(mail.by_seconds >= -SMTP_BY_MAX && mail.by_seconds <= SMTP_BY_MAX);
		assert(mail.by_mode != SMTP_BY_RETURN || mail.by_seconds > 0);
		check_moment(mail.hold_until);
	}
	struct smtp_rcpt_parameters rcpt;
	if (smtp_rcpt_parameters_parse(s, &rcpt) == SMTP_PARAMETER_OK) {
		assert(rcpt.orcpt.len <= SMTP_ORCPT_MAX);
		assert(!(rcpt.notify & SMTP_NOTIFY_NEVER) || rcpt.notify == SMTP_NOTIFY_NEVER);
		if (smtp_xtext_is_valid(rcpt.orcpt))
			check_decoded(rcpt.orcpt);
	}
	return 0;
}
