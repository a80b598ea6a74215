#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: lint_test.sh CASE: scripts/lint/text.sh on a scratch repository with one fault each.
# shellcheck source=tests/house/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

repo=$scratch/repo
mkdir -p "$repo/room"
echo 'A room.' >"$repo/room/README.md"
printf '// SPDX-License-Identifier: Apache-2.0\nint x;\n' >"$repo/room/good.cpp"
git -C "$repo" init -q
lint() { run "$1" "$source_root/scripts/lint/text.sh" "$repo"; }
finds() { lint 1; says "$1"; [ "$(wc -l <"$scratch/out")" = 1 ] || fail "one fault, several findings"; }

case_clean() { lint 0; says 'text rules on 2 files: clean'; }
case_licence() { echo 'int y;' >"$repo/room/bad.cpp"; finds '^room/bad.cpp:1: no licence line'; }
case_long_file() {
  { cat "$repo/room/good.cpp"; for _ in {1..599}; do echo 'int y;'; done; } >"$repo/room/long.cpp"
  finds '^room/long.cpp:601: more than 600 lines'
}
case_blanks() { printf 'a \n' >"$repo/room/text.md"; finds '^room/text.md:1: blanks'; }
case_tab() { printf 'a\n\tb\n' >"$repo/room/text.md"; finds '^room/text.md:2: tab'; }
case_crlf() { printf 'a\r\n' >"$repo/room/text.txt"; lint 1; says '^room/text.txt:1: CRLF'; }
case_no_line_end() { printf 'a\nb' >"$repo/room/text.md"; finds 'room/text.md:.*no line end'; }
case_banned() {
  # Put together here, so that this file itself stays clean.
  echo "deb http://deb.debian"".org/debian x" >"$repo/room/text.md"
  finds '^room/text.md:1: banned: name of a package server'
  echo "see /ho""me/someone/x" >"$repo/room/text.md"
  finds '^room/text.md:1: banned: absolute path'
  echo "// TO""DO later" >"$repo/room/text.md"
  finds '^room/text.md:1: banned: unfinished work'
}
case_readme() { mkdir "$repo/bare"; echo a >"$repo/bare/text.md"; finds '^bare/README.md:1: missing'; }
case_ignored_files_are_not_ours() {
  echo 'out/' >"$repo/.gitignore"
  mkdir "$repo/out"
  printf 'int y; \n' >"$repo/out/generated.cpp"
  lint 0
}

run_case "$1"
