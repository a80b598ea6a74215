#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_oracle.sh LIBRARY NM FOLDER SOURCE...: the oracle's library needs nothing of the project's (no undefined xhal_* symbol, none of a
# namespace of another part), and its sources and their own headers include none of its headers.
set -euo pipefail
library=$1 nm=$2 folder=$3
shift 3
status=0
defined=$("$nm" --defined-only --extern-only --format=posix "$library" | awk '{print $1}' | sort -u)
undefined=$("$nm" --undefined-only --format=posix "$library" | awk 'NF > 1 {print $1}' | sort -u)
[ -n "$defined" ] || { echo "$library defines nothing: is it the library?"; exit 1; }
foreign=$(comm -23 <(echo "$undefined") <(echo "$defined") | grep -E '^xhal_|4xhal' || true)
if [ -n "$foreign" ]; then
  echo "$library needs of the project:" $foreign
  status=1
fi
for source in "$@"; do
  header=${source%.cpp}.h
  for file in "$folder/$source" "$folder/$header"; do
    [ -f "$file" ] || continue
    # Its own headers stand beside it.
    while read -r name; do
      if [ ! -f "$folder/$(basename "$name")" ]; then
        echo "$file includes $name"
        status=1
      fi
    done < <(sed -n 's/^#include "\(.*\)".*/\1/p' "$file")
  done
done
exit $status
