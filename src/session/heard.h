/* session/heard.h: what the registry says to a session, whichever protocol that speaks. */
#ifndef SESSION_HEARD_H
#define SESSION_HEARD_H

#include <stdbool.h>

struct heard {
	bool changed; /* the account did */
	bool drain;   /* the server stops, or the account's sessions are ended */
};

/* Takes all that is there, without waiting; what was heard stays. False: the registry is gone. */
bool session_hear(int registry, struct heard *heard);

#endif
