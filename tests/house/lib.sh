# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the script tests of this folder: a scratch folder, assertions, and the choice of a case by name.
set -euo pipefail
# shellcheck disable=SC2034  # used by the tests that source this
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
# A surrounding git hook or lane must not reach into the scratch repositories.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE LANE_SHARD LANE_SHARDS

fail() {
  printf 'FAILED: %s\n' "$1" >&2
  if [ -f "$scratch/out" ]; then printf -- '--- last output\n' >&2; cat "$scratch/out" >&2; fi
  exit 1
}
# run EXPECTED_EXIT_CODE COMMAND...: output of both streams goes to $scratch/out.
run() {
  local want=$1 got=0
  shift
  "$@" >"$scratch/out" 2>&1 </dev/null || got=$?
  [ "$got" = "$want" ] || fail "exit code $got instead of $want: $*"
}
says() { grep -Eq -e "$1" "$scratch/out" || fail "no line matches: $1"; }
says_not() { if grep -Eq -e "$1" "$scratch/out"; then fail "a line matches: $1"; fi; }
commit_all() {
  git -C "$1" init -q 2>/dev/null
  git -C "$1" add -A
  git -C "$1" -c user.name=test -c user.email=test@example.invalid -c commit.gpgsign=false commit -q -m test
}
# run_case NAME: the function of that name, which must exist, so that a misspelt case is no silent pass.
run_case() {
  declare -F "case_$1" >/dev/null || fail "no case '$1' in $0"
  "case_$1"
  echo "case $1 passed"
}
