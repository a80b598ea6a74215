#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/lint/text.sh [DIRECTORY]
# Rules that need no compiler, on every file that git knows or would add: length, licence line, blanks, banned words, a README per
# folder. Prints "file:line: what", one finding a line; exit code 1 when there is one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/../..}"

max_lines=600
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT
finding() { printf '%s\n' "$1" >>"$findings"; }

# Deleted files are still in the index until the commit.
mapfile -t files < <(git ls-files -co --exclude-standard | sort -u | while IFS= read -r f; do if [ -f "$f" ]; then echo "$f"; fi; done)
[ ${#files[@]} -gt 0 ] || { echo "lint: git lists no file in $PWD" >&2; exit 1; }

is_source() {
  case $1 in
    *.c | *.h | *.cpp | *.hpp | *.def | *.cl | *.sh | *.cmake | *.awk | *.py | *.map | */CMakeLists.txt | CMakeLists.txt | Makefile | .ci/run) return 0 ;;
    *.c.in | *.h.in | *.cpp.in | *.cmake.in) return 0 ;;
  esac
  return 1
}
# Text kept byte for byte: licences, recorded outputs, malformed samples.
is_verbatim() {
  case $1 in LICENSE | */testdata/* | */golden/* | *.abi | *.png) return 0 ;; esac
  return 1
}

allowed_long() { awk -v f="$1" '!/^#/ && $1 == f { found = 1 } END { exit !found }' "$here/long-files.txt"; }
text=()
for f in "${files[@]}"; do
  if is_verbatim "$f"; then continue; fi
  text+=("$f")
  if is_source "$f"; then
    lines=$(wc -l <"$f")
    if [ "$lines" -gt $max_lines ] && ! allowed_long "$f"; then
      finding "$f:$lines: more than $max_lines lines; make two rooms of it, or give a reason in scripts/lint/long-files.txt"
    fi
    head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
      finding "$f:1: no licence line 'SPDX-License-Identifier: Apache-2.0' in the first three lines"
  fi
done
while read -r f _; do
  if ! [ -f "$f" ] || [ "$(wc -l <"$f")" -le $max_lines ]; then
    finding "scripts/lint/long-files.txt:1: '$f' is listed and not long (any more)"
  fi
done < <(if [ $# -eq 0 ]; then grep -v '^#' "$here/long-files.txt" || true; fi)

grep -nE '[[:blank:]]+$' -- "${text[@]}" /dev/null | sed 's/^\([^:]*:[0-9]*\):.*/\1: blanks at the end of the line/' >>"$findings" || true
grep -nP '\r$' -- "${text[@]}" /dev/null | sed 's/^\([^:]*:[0-9]*\):.*/\1: CRLF line end/' >>"$findings" || true
untabbed=()
for f in "${text[@]}"; do case $f in Makefile | *.mk | *.tsv) ;; *) untabbed+=("$f") ;; esac; done
grep -nP '\t' -- "${untabbed[@]}" /dev/null | sed 's/^\([^:]*:[0-9]*\):.*/\1: tab/' >>"$findings" || true
for f in "${text[@]}"; do
  if [ -s "$f" ] && [ -n "$(tail -c 1 "$f")" ]; then finding "$f:$(wc -l <"$f"): no line end at the end of the file"; fi
done

# Each line of banned.txt: a pattern, two blanks or more, the reason.
while IFS= read -r rule; do
  pattern=${rule%%  *}
  reason=${rule##*  }
  for f in "${text[@]}"; do if [ "$f" != scripts/lint/banned.txt ]; then printf '%s\0' "$f"; fi; done |
    xargs -0 grep -nIE -e "$pattern" -- /dev/null | sed "s|^\([^:]*:[0-9]*\):.*|\1: banned: $reason|" >>"$findings" || true
done < <(grep -vE '^(#|$)' "$here/banned.txt")

for folder in $(printf '%s\n' "${files[@]}" | grep / | cut -d/ -f1 | sort -u); do
  case $folder in .*) continue ;; esac
  [ -f "$folder/README.md" ] || finding "$folder/README.md:1: missing; say in a few lines who lives in $folder/ and what may be touched"
done

cat "$findings"
if [ -s "$findings" ]; then exit 1; fi
echo "lint: text rules on ${#files[@]} files: clean"
