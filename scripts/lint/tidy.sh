#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/lint/tidy.sh changed|all [deep]
# clang-tidy-15 on the translation units of the compile database of build/dev. What was clean is remembered in build/lint-cache by a
# hash of all that clang-tidy reads, so an unchanged file costs a run of the preprocessor.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
scope=$1
export TIDY_CHECKS=''
if [ "${2-}" = deep ]; then TIDY_CHECKS='clang-analyzer-core.*,clang-analyzer-cplusplus.*,clang-analyzer-deadcode.*,clang-analyzer-unix.*'; fi
database=build/dev/compile_commands.json
cache=build/lint-cache
jobs=${JOBS:-$(nproc)}

# What is not committed yet; of a clean checkout, what its last commit changed.
since=''
if [ "$scope" = changed ]; then
  changed=$({ git diff --name-only HEAD 2>/dev/null || git ls-files; git ls-files -o --exclude-standard; } | sort -u)
  if [ -z "$changed" ] && git rev-parse --verify --quiet HEAD^ >/dev/null; then
    since=' in the last commit'
    changed=$(git diff --name-only HEAD^ HEAD)
  fi
  if ! grep -qE '\.(c|h|cpp|hpp|def)$|(^|/)\.clang-tidy$' <<<"$changed"; then
    echo "lint: clang-tidy: no C or C++ file changed$since"
    exit 0
  fi
fi

# Generated sources must exist before they can be read.
if ! [ -f $database ]; then
  mkdir -p build
  cmake --preset dev >build/lint-configure.log 2>&1 || { cat build/lint-configure.log >&2; exit 1; }
fi
cmake --build --preset dev --target xhal_generated >/dev/null

mkdir -p $cache
# One line a unit: the file below the root, its compile command. Generated files are not ours to style.
units=$(awk -v root="$PWD/" '
  /^ *"command": / { command = $0; sub(/^ *"command": "/, "", command); sub(/",?$/, "", command); gsub(/\\"/, "\"", command); gsub(/\\\\/, "\\", command) }
  /^ *"file": / { file = $0; sub(/^ *"file": "/, "", file); sub(/",?$/, "", file)
    if (index(file, root) == 1 && index(file, root "build/") != 1) print substr(file, length(root) + 1) "\037" command }' $database |
  sort -u -t $'\037' -k1,1)

if [ "$scope" = changed ]; then
  # A changed header concerns every unit that includes it; the cache knows which really read other text.
  if ! grep -qE '\.(h|hpp|def)$|(^|/)\.clang-tidy$' <<<"$changed"; then
    units=$(awk -F '\037' 'NR == FNR { want[$0] = 1; next } $1 in want' <(echo "$changed") <(echo "$units"))
  fi
fi
# CI has minutes; the nightly lane looks at every unit.
most=${LINT_UNITS:-0}
if [ "$scope" = changed ] && [ "$most" -gt 0 ] && [ "$(wc -l <<<"$units")" -gt "$most" ]; then
  echo "lint: clang-tidy: $most of $(wc -l <<<"$units") units concerned; the nightly lane takes all"
  units=$(awk -v most="$most" '{ unit[NR] = $0 } END { for (i = 0; i < most; ++i) print unit[1 + int(i * NR / most)] }' <<<"$units")
fi
[ -n "$units" ] || { echo "lint: clang-tidy: no changed file is in the compile database"; exit 0; }

failed=0
printf '%s\n' "$units" | tr '\n' '\0' | xargs -0 -r -P "$jobs" -n 1 "$here/tidy-one.sh" "$cache" || failed=1
echo "lint: clang-tidy on $(wc -l <<<"$units") units done"

missing=$(git ls-files -co --exclude-standard -- '*.c' '*.cpp' | while IFS= read -r f; do if [ -f "$f" ]; then echo "$f"; fi; done |
  grep -vxF -f <(cut -d $'\037' -f 1 <<<"$units") || true)
if [ "$scope" = all ] && [ -n "$missing" ]; then
  echo "lint: clang-tidy: not in the compile database, not checked: $(echo $missing)"
fi
exit $failed
