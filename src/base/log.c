#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const char *log_role = "gatepost";
static enum log_level log_least = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warning", "error", "ALARM"};

void log_open(const char *role, enum log_level least)
{
	log_role = role;
	log_least = least;
}

/* snprintf's result as the length that was really written. */
static size_t written(int len, size_t room)
{
	if (len < 0)
		return 0;
	return (size_t)len < room ? (size_t)len : room - 1;
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	uint64_t now = clock_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	va_list args;

	if (level < log_least)
		return;
	gmtime_r(&seconds, &tm);
	size_t len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	len +=
	    written(snprintf(line + len, sizeof(line) - len, ".%03uZ %s %s role=%s pid=%d ",
	                (unsigned)(now % 1000), level_names[level], event, log_role, (int)getpid()),
	        sizeof(line) - len);
	va_start(args, fmt);
	len += written(vsnprintf(line + len, sizeof(line) - len, fmt, args), sizeof(line) - len);
	va_end(args);
	if (line[len - 1] == ' ')
		len--;
	line[len++] = '\n';
	ssize_t ignored UNUSED = write(STDERR_FILENO, line, len);
}

static bool is_plain(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) ||
	       (c != '\0' && strchr("-._@:/+=<>", c) != NULL);
}

struct log_quoted log_quote(struct str s)
{
	static const char hex[] = "0123456789abcdef";
	struct log_quoted q;
	size_t len = 0;
	bool plain = s.len > 0;

	for (size_t i = 0; i < s.len && plain; i++)
		plain = is_plain(s.p[i]);
	if (!plain)
		q.text[len++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		if (len + 8 > LOG_QUOTE_MAX) {
			memcpy(q.text + len, "\xe2\x80\xa6", 3);
			len += 3;
			break;
		}
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			q.text[len++] = (char)c;
			continue;
		}
		memcpy(q.text + len, "\\x", 2);
		q.text[len + 2] = hex[c >> 4];
		q.text[len + 3] = hex[c & 15];
		len += 4;
	}
	if (!plain)
		q.text[len++] = '"';
	q.text[len] = '\0';
	return q;
}
