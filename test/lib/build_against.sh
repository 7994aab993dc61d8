#!/bin/sh
# build_against.sh BUILD_FOLDER SOURCE.c LAYER…: builds a program on the libraries of these layers, in the order in which they
# are linked, into BUILD_FOLDER/NAME-OF-THE-SOURCE'S-FOLDER/; with sanitizers where the libraries have them.
set -eu
build=$1
source=$2
shift 2
folder=$build/$(basename "$(dirname "$source")")
libraries=
for layer; do
	libraries="$libraries $build/lib$layer.a"
done
sanitizers=
if nm "$build/libbase.a" 2>/dev/null | grep -q __asan_init; then
	sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all"
fi
mkdir -p "$folder"
gcc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -g "-I$(dirname "$0")/../../src" $sanitizers \
	-o "$folder/$(basename "$source" .c)" "$source" $libraries $(pkg-config --cflags --libs icu-uc icu-i18n libcrypto)
