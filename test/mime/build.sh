#!/bin/sh
# build.sh BUILD_FOLDER: builds both dump programs into BUILD_FOLDER/mime/, with sanitizers where
# the library in BUILD_FOLDER has them.
set -eu
build=$1
here=$(dirname "$0")
mkdir -p "$build/mime"
flags="-std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -g -I$here/../../src"
sanitizers=
if nm "$build/libmail.a" 2>/dev/null | grep -q __asan_init; then
	sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
fi
gcc $flags $sanitizers -o "$build/mime/our_dump" "$here/our_dump.c" \
	"$build/libmail.a" "$build/libbase.a" \
	$(pkg-config --cflags --libs icu-uc icu-i18n libcrypto)
# GMime's own memory is not ours to check.
gcc $flags -o "$build/mime/gmime_dump" "$here/gmime_dump.c" \
	$(pkg-config --cflags --libs gmime-3.0 libcrypto)
