#include "sandbox/drill.h"

#ifdef GATEPOST_DRILL

#include <stdlib.h>
#include <string.h>

bool drill_without(enum drill_defence defence)
{
	static const char *const names[] = {"landlock", "seccomp", "limits", "user"};
	const char *list = getenv("GATEPOST_DRILL_WITHOUT");

	return list != NULL && strstr(list, names[defence]) != NULL;
}

pid_t drill_before(enum role role UNUSED, pid_t parent)
{
	return parent;
}

void drill_inside(enum role role UNUSED)
{
}

#endif
