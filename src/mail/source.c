#include "mail/source.h"

#include <assert.h>

#include "base/num.h"

static bool is_inside(const struct mail_source *s, uint64_t at)
{
	return at >= s->window_at && at - s->window_at < s->window.len;
}

int mail_source_look(struct mail_source *s, uint64_t at, struct str *ret_bytes)
{
	if (at >= s->len) {
		*ret_bytes = STR("");
		return 0;
	}
	if (!is_inside(s, at)) {
		struct str window = {"", 0};
		s->window = window; /* what was looked at before is gone */
		int r = s->look(s->context, at, &window);
		if (r < 0)
			return r;
		assert(window.len > 0);
		s->window = str_first(window, s->len - at);
		s->window_at = at;
	}
	*ret_bytes = str_from(s->window, at - s->window_at);
	return 0;
}

int mail_source_slice(
    struct mail_source *s, uint64_t at, uint64_t len, struct buf *room, struct str *ret_bytes)
{
	struct str bytes;
	int r = mail_source_look(s, at, &bytes);

	if (r < 0)
		return r;
	len = at < s->len ? num_min(len, s->len - at) : 0;
	if (bytes.len >= len) {
		*ret_bytes = str_first(bytes, len);
		return 0;
	}
	buf_clear(room);
	len = num_min(len, room->max);
	while (room->len < len) {
		r = mail_source_look(s, at + room->len, &bytes);
		if (r < 0)
			return r;
		buf_add(room, str_first(bytes, len - room->len));
	}
	*ret_bytes = buf_str(room);
	return 0;
}

bool mail_source_is_whole(const struct mail_source *s)
{
	return s->window_at == 0 && s->window.len == s->len;
}
