#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: growth_test.sh ABI_DUMP SOURCE_DIR GOLDEN DUMP
# The golden file of the last commit, and of the one before it, may only have grown: so a break cannot be accepted by editing the file.
set -euo pipefail
abi_dump=$1 source_dir=$2 golden=$3 dump=$4
name=${golden#"$source_dir/"}
former=$(mktemp)
trap 'rm -f "$former"' EXIT
compared=0
top=$(git -C "$source_dir" rev-parse --show-toplevel 2>/dev/null || true)
if [ -n "$top" ] && [ "$top" -ef "$source_dir" ]; then
  for commit in HEAD HEAD^; do
    if git -C "$source_dir" show "$commit:$name" >"$former" 2>/dev/null; then
      echo "growth since $commit:"
      "$abi_dump" grew "$former" "$dump"
      compared=$((compared + 1))
    fi
  done
fi
echo "compared with $compared committed golden files"
