/* Any bytes as a record of who wants reports; and as the words in a report, which stays JSON. */
#include <assert.h>
#include <jansson.h>
#include <stdint.h>

#include "mail/tls_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_targets(struct str record)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct tls_report_target v[TLS_REPORT_TARGETS_MAX];
	size_t n = tls_report_targets(&record, 1, &a, v);

	assert(n <= TLS_REPORT_TARGETS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct str t = v[i].target;
		assert(t.len > 0 && t.len <= TLS_REPORT_TARGET_LEN_MAX);
		assert(str_index(t, ' ') == t.len && str_index(t, '\n') == t.len &&
		       str_index(t, '\0') == t.len && str_index(t, '>') == t.len);
		assert(v[i].is_mail ? str_index(t, '@') < t.len
		                    : str_starts_nocase(t, STR("https://")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str bytes = str_of(data, len);
	const struct tls_report_failure failure = {
	    .result = TLS_REPORT_VALIDATION_FAILURE, .reason = bytes, .sessions = 1};
	const struct tls_report_policy policy = {
	    .domain = bytes, .details = &failure, .n_details = 1, .failures = 1};
	const struct tls_report report = {.domain = bytes, .policies = &policy, .n_policies = 1};
	const struct tls_report_mail mail = {.report = &report, .gzip = bytes, .to = bytes};
	struct buf json CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 22);

	check_targets(bytes);
	assert(tls_report_json(&report, &json));
	json_t *again = json_loadb(json.p, json.len, JSON_ALLOW_NUL, NULL);
	assert(again != NULL);
	json_decref(again);
	if (len < 1 << 20)
		assert(tls_report_mail(&mail, &out));
	return 0;
}
