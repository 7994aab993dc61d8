#include <assert.h>
#include <stdint.h>

#include "ledger/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Any bytes as a log; and behind them a line of our own, which must be found right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str log = str_of(data, len);
	struct record_check check = {0};
	struct ipc_ledger_event event = {.kind = LEDGER_START, .detail = str_first(log, 300)};
	struct buf line CLEANUP(buf_done) = BUF_MAX(RECORD_LINE_MAX + 1);

	while (log.len > 0)
		record_check_line(&check, str_cut(&log, '\n'));
	uint64_t lines = check.lines, wrong = check.first_wrong;
	struct chain chain = check.chain;
	assert(record_write(&chain, 1, ROLE_SUPERVISOR, &event, &line));
	record_check_line(&check, str_first(buf_str(&line), line.len - 1));
	assert(check.lines == lines + 1 && check.first_wrong == wrong);
	return 0;
}
