#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# installed.sh BUILD SOURCE CC CXX: installs a build, then does with the prefix what the pages show, word for word: the commands of README.md's
# "Use it" and of examples/README.md, with the prefix in the place of /opt/xhal.
set -euo pipefail
build=$1 source=$2 cc=$3 cxx=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
cmake --install "$build" --prefix "$prefix" > "$scratch/log"
# A prefix with another library folder keeps its .pc file there.
pc=$(dirname "$(find "$prefix" -name xhal.pc)")

# Nothing but the commands themselves may help a program to find libxhal.
unset LD_LIBRARY_PATH PKG_CONFIG_PATH
mkdir "$scratch/bin" "$scratch/elsewhere"
ln -s "$cc" "$scratch/bin/cc"
export PATH="$scratch/bin:$PATH" CC="$cc" CXX="$cxx" CMAKE_GENERATOR=Ninja
ln -s "$source/examples" "$scratch/elsewhere/examples"
cp "$source/examples/first_kernel.c" "$scratch/elsewhere/program.c"
cd "$scratch/elsewhere"

# The commands in a page's blocks, from the line that matches $2 on.
commands() {
  awk -v from="$2" '$0 ~ from { on = 1 } /^```/ { inside = on && $0 == "```console"; next } inside' "$1" |
    sed -e "s|/opt/xhal/lib/pkgconfig|$pc|g" -e "s|/opt/xhal|$prefix|g"
}
follow() {
  commands "$1" "$2" > commands.sh
  [ -s commands.sh ] || { echo "$1 shows no commands" >&2; exit 1; }
  bash -euo pipefail commands.sh > output 2>&1 || { cat commands.sh output; exit 1; }
}

follow "$source/README.md" '^## Use it'
./program "$prefix/share/xhal/kernels" sim | grep -q '^1000 elements right'

follow "$source/examples/README.md" '^# Examples'
[ "$(grep -c '^1000 elements right' output)" = 2 ] || { cat output; exit 1; }

manifest="build-examples/share/xhal/drivers.d/minimal.json"
"$prefix/bin/xhal-info" --driver "$manifest" | grep -q 'Minimal host device'
follow "$source/examples/forwarding_driver/README.md" '^# A driver'
grep -q 'verdict: conformant' output || { cat output; exit 1; }
# Its page's command, with another log level than the default to hear it.
follow "$source/examples/counting_layer/README.md" '^# A layer'
grep -q 'counting.* 1 calls of xhal_kernel_launch' output || { cat output; exit 1; }
echo "all examples work from an installed prefix"
