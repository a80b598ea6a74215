#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: grown_path_test.sh COUNT_PATHS PATHS_TOML PROGRAM KERNELS BENCH_KERNELS
# A path that takes five instructions more than its budget, a lock more, or has no budget fails the check: shown with budgets that are less by so much.
set -euo pipefail
count_paths=$1 budget=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

refused() {
  if bash "$count_paths" "$@" "$folder/budget.toml" >"$folder/out" 2>"$folder/err"; then
    echo "a path above its budget passed" >&2
    exit 1
  fi
}
awk '/^\[/ { path = $0 } path == "[launch_3]" && /^instructions/ { $3 -= 5 } { print }' "$budget" >"$folder/budget.toml"
refused "$@"
grep -q '^count_paths: launch_3.instructions: .* is more than its budget' "$folder/err"
awk '/^\[/ { path = $0 } path == "[graph_launch]" && /^locks/ { $3 = 0 } { print }' "$budget" >"$folder/budget.toml"
refused "$@"
grep -q '^count_paths: graph_launch.locks: 1' "$folder/err"
sed '/^\[copy\]/,/^$/d' "$budget" >"$folder/budget.toml"
refused "$@"
grep -q '^count_paths: copy.instructions has no budget' "$folder/err"
{ cat "$budget"; printf '\n[no_path]\ninstructions = 1\n'; } >"$folder/budget.toml"
refused "$@"
grep -q '^count_paths: no_path has a budget and was not counted' "$folder/err"
echo "growth is seen"
