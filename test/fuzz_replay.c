/*
 * Replays corpora through a fuzz target without libFuzzer: `target FILE-OR-FOLDER…`. For gcc's
 * sanitizer build, where every corpus runs in every check. Exit 0 when each input was taken without
 * a crash.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { REPLAY_INPUT_MAX = 16 << 20 };

static size_t replayed;

static int replay_file(const char *path)
{
	char *bytes;
	size_t len;
	int r = fd_read_file(AT_FDCWD, path, REPLAY_INPUT_MAX, &bytes, &len);

	if (r < 0) {
		fprintf(stderr, "%s: cannot be read (%d)\n", path, r);
		return 1;
	}
	/* An exact allocation, so that a read past the end is seen. */
	uint8_t *exact = malloc(len > 0 ? len : 1);
	if (exact == NULL)
		abort();
	if (len > 0)
		memcpy(exact, bytes, len);
	free(bytes);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	replayed++;
	return 0;
}

static int replay_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), failed = 0;

	if (n < 0) {
		perror(path);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char file[4096];
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			failed |= replay_file(file);
		free(names[i]);
	}
	free(names);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			failed |= replay_folder(argv[i]);
		else
			failed |= replay_file(argv[i]);
	}
	printf("%s: %zu inputs replayed\n", argv[0], replayed);
	return failed || replayed == 0;
}
