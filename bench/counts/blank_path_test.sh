#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: blank_path_test.sh COUNT_CALLS PROGRAM MANIFEST LIBXHAL: the counting works below a path with blanks, when it looks for the library itself
# and when it is told.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
place="$folder/a path  with blanks"
mkdir "$place"
cp "$2" "$place/call counts"
cp "$4" "$place/libxhal.so.0"
echo "stream_query = 12" >"$place/budget.toml"
export LD_LIBRARY_PATH=$place
bash "$1" "$place/call counts" "$3" "$place/budget.toml"
bash "$1" "$place/call counts" "$3" "$place/budget.toml" "$place/libxhal.so.0"
if bash "$1" "$place/call counts" "$3" "$place/budget.toml" "$place/none" 2>"$place/log"; then
  echo "a library that is not there was accepted" >&2
  exit 1
fi
grep -q "none' is no library" "$place/log"
echo "blanks do no harm"
