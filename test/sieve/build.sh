#!/bin/sh
# build.sh BUILD_FOLDER: builds runner.c into BUILD_FOLDER/sieve/, with sanitizers where the library in
# BUILD_FOLDER has them.
set -eu
build=$1
here=$(dirname "$0")
mkdir -p "$build/sieve"
sanitizers=
if nm "$build/libsieve.a" 2>/dev/null | grep -q __asan_init; then
	sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
fi
gcc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -g "-I$here/../../src" $sanitizers \
	-o "$build/sieve/runner" "$here/runner.c" "$build/libsieve.a" "$build/libmail.a" "$build/libbase.a" \
	$(pkg-config --cflags --libs icu-uc icu-i18n libcrypto)
