#!/bin/sh
# check.sh CMAKE BUILD CC LIBDIR GENERATOR: install into a folder of its own, move it (an installed tree can be moved),
# build an example against it by pkg-config and by the CMake package, run both and the program.
set -eu
cmake=$1 build=$2 cc=$3 libdir=$4 generator=$5
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

"$cmake" --install "$build" --prefix "$temp/first" >/dev/null
mv "$temp/first" "$temp/tree"
lib=$temp/tree/$libdir

# The package file holds the configured prefix; --define-prefix reads it from the file's place.
flags=$(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --define-prefix --cflags --libs salience)
# shellcheck disable=SC2086  # flags are words
"$cc" -std=c11 "$here/example.c" $flags -Wl,-rpath,"$lib" -Wl,-rpath-link,"$lib" -o "$temp/by-pkg-config"
"$temp/by-pkg-config"
# shellcheck disable=SC2086
"$cc" -std=c11 "$here/../../examples/c/why_not.c" $flags -Wl,-rpath,"$lib" -Wl,-rpath-link,"$lib" -o "$temp/why_not"
"$temp/why_not" "$here/../golden/methods/model.onnx" "$here/../golden/methods/input.npy" "$temp/map.npy"
test -s "$temp/map.npy"

"$cmake" -G "$generator" -S "$here" -B "$temp/by-cmake" -DCMAKE_PREFIX_PATH="$temp/tree" -DCMAKE_C_COMPILER="$cc" >/dev/null
"$cmake" --build "$temp/by-cmake" >/dev/null
"$temp/by-cmake/example"
LD_LIBRARY_PATH=$lib "$temp/by-cmake/example_static"

if [ -x "$temp/tree/bin/salience" ]; then
    env -i "$temp/tree/bin/salience" list methods >/dev/null
fi
if ldd "$lib/libsalience.so" | grep -q 'not found\|\.deps'; then
    ldd "$lib/libsalience.so"
    exit 1
fi
foreign=$(nm -D --defined-only "$lib/libsalience.so" | awk '{print $3}' | grep -vE '^(sal_|__bss_start$|_edata$|_end$)' || true)
if [ -n "$foreign" ]; then
    echo "exported, but not ours: $foreign"
    exit 1
fi
echo "installed tree works"
