#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: compile_sketches.sh C_COMPILER SOURCE_DIR API VENDOR_INCLUDE_DIR WHAT_IS_MISSING
# Exit code 77, a skip for ctest, when the vendor's header is not there.
set -euo pipefail
compiler=$1 root=$2 api=$3 vendor=$4 missing=$5
case $vendor in '' | *-NOTFOUND)
  echo "skipped: $missing"
  exit 77
  ;;
esac
sketches=$root/docs/spec/sketches
failed=0
count=0
for file in "$sketches/$api"/*.c; do
  [ -e "$file" ] || { echo "no sketch in $sketches/$api"; exit 1; }
  "$compiler" -std=c11 -D_DEFAULT_SOURCE -fsyntax-only -Wall -Wextra -Werror "-I$root/include" "-I$sketches" -isystem "$vendor" "$file" ||
    failed=1
  count=$((count + 1))
done
[ $failed = 0 ] || exit 1
echo "$count files of $api compile"
