#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: freeze_test.sh SOURCE_DIR
# What scripts/freeze-abi.sh writes, refuses and leaves alone.
set -euo pipefail
source_dir=$1
freeze=$source_dir/scripts/freeze-abi.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1" >&2; exit 1; }
run() { code=0; "$freeze" "$@" >"$work/out" 2>"$work/err" || code=$?; }

run --into "$work/frozen"
[ $code = 0 ] || fail "a first freeze: $(cat "$work/err")"
name=$(ls "$work/frozen")
# Extensions have versions of their own.
diff -r --exclude=ext "$source_dir/include/xhal" "$work/frozen/$name/include/xhal" >/dev/null || fail "the copy differs from the headers"
(cd "$work/frozen/$name/include/xhal" && sha256sum --quiet --check ../../SHA256SUMS) || fail "checksums are wrong"

run --into "$work/frozen"
{ [ $code = 0 ] && grep -q "frozen already, and the same" "$work/out"; } || fail "freezing the same again"

mkdir -p "$work/include"
cp -rL "$source_dir/include/xhal" "$work/include/xhal"  # -L: the copy is edited, never the original
echo "/* grown */" >>"$work/include/xhal/stream.h"
run --into "$work/frozen" --from "$work/include"
{ [ $code = 1 ] && grep -q "raise XHAL_ABI_REVISION" "$work/err"; } || fail "another content under a frozen name must be refused"
cmp -s "$source_dir/include/xhal/stream.h" "$work/frozen/$name/include/xhal/stream.h" || fail "a refused freeze changed the copy"

sed -i 's/^#define XHAL_ABI_REVISION .*/#define XHAL_ABI_REVISION 99/' "$work/include/xhal/base.h"
run --into "$work/frozen" --from "$work/include"
{ [ $code = 0 ] && [ -d "$work/frozen/${name%-r*}-r99" ]; } || fail "the next revision gets a folder of its own"

# Of the first revision: a list that has grown since ends with calls of any feature, the core's among them.
first=$source_dir/tests/abi/frozen/${name%-r*}-r0/include
last=$(sed -nE 's/^XHAL_ENTRY\(([A-Z_]+),.*/\1/p' "$first/xhal/entry_points.def" | tail -n 1)
run --into "$work/shorter" --from "$first" --leave-out "$last"
[ $code = 0 ] || fail "leaving out the last group: $(cat "$work/err")"
! grep -q "^XHAL_[A-Z]*($last," "$work/shorter/${name%-r*}-short/include/xhal/entry_points.def" "$work/shorter/${name%-r*}-short/include/xhal/features.def" ||
  fail "calls of a group that was left out are still there"
echo '#include "xhal/driver.h"' | ${CC:-cc} -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$work/shorter/${name%-r*}-short/include" -x c - ||
  fail "what is left does not compile"
run --into "$work/middle" --leave-out CORE
{ [ $code = 2 ] && grep -q "only the end of the list" "$work/err" && [ ! -e "$work/middle" ]; } || fail "a group in the middle must be refused"
run --leave-out NO_SUCH_FEATURE --into "$work/none"
{ [ $code = 2 ] && grep -q "no feature 'NO_SUCH_FEATURE'" "$work/err"; } || fail "an unknown feature"
run --into
[ $code = 2 ] || fail "an option without its value"
run --nonsense
[ $code = 2 ] || fail "an unknown option"
echo "freeze-abi: all as expected"
