#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: opencl_planted.sh PROGRAM KERNELS WORK: a bug in a kernel of the text fails its test, and no other.
set -euo pipefail
program=$1 kernels=$2 work=$3
rm -rf "$work/pack"
cp -r "$kernels" "$work/pack"
sed -i 's|a\* x\[i\] + y\[i\]|a * x[i] - y[i]|' "$work/pack/xhal_pack.opencl-c.1.2.cl"
if cmp -s "$work/pack/xhal_pack.opencl-c.1.2.cl" "$kernels/xhal_pack.opencl-c.1.2.cl"; then
  echo "nothing was planted"
  exit 1
fi
code=0
OPENCL_TEST_PACK=$work/pack "$program" --gtest_filter='*.Axpy:*.Add:*.Fill' > "$work/out" || code=$?
[ $code = 1 ] || { cat "$work/out"; echo "exit code $code"; exit 1; }
grep -q 'element [0-9]*: expected .*, got ' "$work/out" || { cat "$work/out"; echo "no element is named"; exit 1; }
[ "$(grep -c '^\[  FAILED  \] OpenClPack\.' "$work/out")" = 2 ] && grep -q '^\[  FAILED  \] OpenClPack.Axpy$' "$work/out" ||
  { cat "$work/out"; echo "not Axpy alone failed"; exit 1; }
echo "the bug was seen"
