#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: opencl_planted.sh sign|barrier PROGRAM KERNELS WORK: a bug in the text is seen.
#   sign     one kernel subtracts: its test fails, and no other
#   barrier  no group waits: the device tells of the race, whatever came out
set -euo pipefail
what=$1 program=$2 kernels=$3 work=$4
file=xhal_pack.opencl-c.1.2.cl
rm -rf "$work/pack"
cp -r "$kernels" "$work/pack"
fail() {
  cat "$work/out" "$work/err"
  echo "opencl_planted.sh $what: $*"
  exit 1
}
planted() { # edit, filter: `code` is the exit code
  sed -i "$1" "$work/pack/$file"
  if cmp -s "$work/pack/$file" "$kernels/$file"; then echo "nothing was planted"; exit 1; fi
  code=0
  OPENCL_TEST_PACK=$work/pack "$program" --gtest_filter="$2" > "$work/out" 2> "$work/err" || code=$?
}
case $what in
  sign)
    planted 's|a\* x\[i\] + y\[i\]|a * x[i] - y[i]|' '*.Axpy:*.Add:*.Fill'
    [ $code = 1 ] || fail "exit code $code"
    grep -q 'element [0-9]*: expected .*, got ' "$work/out" || fail "no element is named"
    [ "$(grep '^\[  FAILED  \] OpenClPack\.' "$work/out" | grep -vc 'OpenClPack\.Axpy')" = 0 ] || fail "not Axpy alone failed"
    ;;
  barrier)
    planted 's|^#define XHAL_GROUP_BARRIER() barrier(CLK_LOCAL_MEM_FENCE)$|#define XHAL_GROUP_BARRIER()|' '*.Reduce'
    grep -q 'data race at local memory' "$work/err" || fail "no race is told"
    grep -q 'Kernel: xhal_reduce_u32' "$work/err" || fail "the kernel is not named"
    ;;
  *) echo "unknown case"; exit 2 ;;
esac
echo "the bug was seen"
