#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The house rules: text rules and clang-format on every file, clang-tidy on what is not committed, else on what the last commit changed (--all: on everything).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/lint.sh [--all] [--deep] [--fix]

  --all   clang-tidy on every file, not only on what changed; LINT_UNITS=n in the environment: on n of the changed ones at most
  --deep  clang's static analyzer as well; minutes, not seconds
  --fix   let clang-format write its changes

exit codes: 0 clean; 1 findings; 2 wrong usage or a tool is missing
USAGE
}
scope=changed fix=no depth=plain
for argument in "$@"; do
  case $argument in
    --all) scope=all ;;
    --deep) depth=deep ;;
    --fix) fix=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "lint: unknown argument '$argument'; see scripts/lint.sh --help" >&2; exit 2 ;;
  esac
done
for tool in clang-format-15 clang-tidy-15 shellcheck; do
  command -v $tool >/dev/null || { echo "lint: $tool is missing; install it: scripts/setup.sh lint" >&2; exit 2; }
done

failed=0
scripts/lint/text.sh || failed=1

mapfile -d '' -t shells < <(git ls-files -z -co --exclude-standard -- '*.sh' .ci/run | xargs -0r ls -d 2>/dev/null | tr '\n' '\0')
if [ ${#shells[@]} -gt 0 ]; then shellcheck --external-sources --severity=warning "${shells[@]}" || failed=1; fi
echo "lint: shellcheck on ${#shells[@]} files done"

mapfile -d '' -t formatted < <(git ls-files -z -co --exclude-standard -- '*.c' '*.h' '*.cpp' '*.hpp' '*.cl' | xargs -0r ls -d 2>/dev/null | tr '\n' '\0')
if [ ${#formatted[@]} -gt 0 ]; then
  if [ $fix = yes ]; then
    clang-format-15 -i "${formatted[@]}"
  elif ! clang-format-15 --dry-run -Werror --ferror-limit=3 "${formatted[@]}"; then
    echo "lint: the files above are not formatted; scripts/lint.sh --fix writes the format" >&2
    failed=1
  fi
fi
echo "lint: clang-format on ${#formatted[@]} files done"

scripts/lint/tidy.sh $scope $depth || failed=1

if [ $failed = 1 ]; then echo "lint: findings, see above"; else echo "lint: clean"; fi
exit $failed
