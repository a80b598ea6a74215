#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: headers_test.sh COMPILER INCLUDE_DIR
# Each public header alone, as C99, C11, C++11 and C++20, pedantic, without padding in any struct; and it includes nothing but
# stdint.h, stddef.h and its siblings.
set -euo pipefail
compiler=$1 include=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
shopt -s nullglob
headers=("$include"/xhal/*.h "$include"/xhal/ext/*.h)
[ ${#headers[@]} -gt 0 ] || { echo "no header in $include/xhal"; exit 1; }

try() { # try NAME COMMAND...
  local name=$1 output
  shift
  if ! output=$("$@" 2>&1); then
    printf '%s:\n%s\n' "$name" "$output"
    failed=1
  fi
}

# What the two allowed headers bring along, in each language.
for language in c c++; do
  printf '#include <stddef.h>\n#include <stdint.h>\n' >"$scratch/allowed.$language"
  "$compiler" -x $language -M "$scratch/allowed.$language" | grep -oE '[^ \]+' | sort -u >"$scratch/allowed-$language.txt"
done

for header in "${headers[@]}"; do
  name=${header#"$include/"}
  # Twice: an include guard that fails redefines everything.
  printf '#include "%s"\n#include "%s"\ntypedef int xhal_headers_test_uses_something;\n' "$name" "$name" >"$scratch/one.c"
  cp "$scratch/one.c" "$scratch/one.cpp"
  warnings=(-pedantic-errors -Wall -Wextra -Wpadded -Wundef -Werror -fsyntax-only "-I$include")
  for standard in c99 c11; do try "$name as $standard" "$compiler" -x c -std=$standard "${warnings[@]}" "$scratch/one.c"; done
  for standard in c++11 c++20; do try "$name as $standard" "$compiler" -x c++ -std=$standard "${warnings[@]}" "$scratch/one.cpp"; done
  for language in c c++; do
    extra=$("$compiler" -x $language "-I$include" -M "$scratch/one.c" | grep -oE '[^ \]+' | sort -u |
      comm -23 - "$scratch/allowed-$language.txt" | grep -vE "^(|one\.o:|$scratch/one\.c|$include/xhal/(ext/)?[a-z_]+\.(h|def))$" || true)
    if [ -n "$extra" ]; then
      echo "$name includes more than stddef.h, stdint.h and its siblings: ${extra//$'\n'/ }"
      failed=1
    fi
  done
done
[ $failed = 0 ] || exit 1
echo "${#headers[@]} headers clean with ${compiler##*/}"
