/* Parameters: what was taken keeps to its limits, and every xtext taken can be decoded. */
#include <assert.h>

#include "smtp/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decoded(struct str xtext)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(SMTP_ORCPT_MAX);
	bool decoded = smtp_xtext_decode(xtext, &out);
	assert(decoded && out.len <= xtext.len);
	for (size_t i = 0; i < out.len; i++)
		assert((unsigned char)out.p[i] >= 32 && out.p[i] != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_of(data, size);
	struct smtp_mail_parameters mail;
	if (smtp_mail_parameters_parse(s, &mail) == SMTP_PARAMETER_OK) {
		assert(mail.envid.len <= SMTP_ENVID_MAX);
		check_decoded(mail.envid);
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
