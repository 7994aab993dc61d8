#include "scribe/scribe.h"

#include "base/fd.h"

int scribe_run(struct ipc_prepare *prepare)
{
	fd_close(&prepare->message);
	fd_close(&prepare->channel);
	return 0;
}
