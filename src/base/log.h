/*
 * base/log.h: one line per event on standard error.
 *
 *   2026-11-23T12:50:26.123Z info smtp.accepted role=gate-smtp pid=412 peer=192.0.2.1 size=4120
 *
 * An event has a name (`what.happened`) and `key=value` pairs. Never in a log: message contents,
 * passwords, keys. Values from outside go through `log_quote`, which makes them printable and
 * bounded.
 *
 * Libraries do not log; the drivers (the roles) do. A line goes out in one write(2), cut at
 * LOG_LINE_MAX.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"
#include "base/str.h"

enum { LOG_LINE_MAX = 2048, LOG_QUOTE_MAX = 256 };

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_ALARM };

/* Says which role writes (in every line) and from which level on. `role` must stay valid. */
void log_open(const char *role, enum log_level least);

/* `fmt` prints the pairs: "peer=%s size=%zu". May be "". */
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF(3, 4);

struct log_quoted {
	char text[LOG_QUOTE_MAX + 4];
};

/*
 * `s` in double quotes where it has anything but letters, digits and -._@:/+=<>, with other bytes
 * as \xHH, cut with "…" when long. By value, for use as an argument: `"name=%s",
 * log_quote(name).text`.
 */
struct log_quoted log_quote(struct str s);

#endif
