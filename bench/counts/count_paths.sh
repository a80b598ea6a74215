#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: count_paths.sh PROGRAM KERNELS BENCH_KERNELS [BUDGET]
# Counts what each hot path of the simulator takes a call: instructions of libxhal and the driver, and calls of the allocator, of locks and of the
# system. Callgrind counts the calling thread alone, within path_<name>; N calls and 2N are counted apart, so that what happens once cancels out. With
# BUDGET, a file like paths.toml, a path above its budget ends this with exit code 1, and so does one that the file does not name.
set -euo pipefail

program=$1 kernels=$2 bench_kernels=$3 budget=${4-}
calls=1000
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

valgrind --tool=callgrind --compress-strings=no --compress-pos=no --collect-systime=yes --collect-atstart=no \
  --toggle-collect='path_*' --callgrind-out-file="$folder/out" \
  "$program" "$kernels" "$bench_kernels" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }

# "name instructions allocations locks system_calls" of each dump, in the order of the calls: each path is called with N for the first time, with N,
# and with 2N.
for ((i = 1; ; ++i)); do
  [ -e "$folder/out.$i" ] || break
  awk '/^desc: Trigger: Client Request: / { sub(/^.*Client Request: /, ""); name = $0 }
       /^ob=/ { ours = /libxhal(_driver_sim)?\.so/ }
       /^cfn=/ { called = substr($0, 5); sub(/@.*$/, "", called); next }
       /^calls=/ {
         split(substr($0, 7), part, " ")
         if (called ~ /^(malloc|calloc|realloc|aligned_alloc|posix_memalign)$/) allocations += part[1]
         if (called ~ /^pthread_(mutex|rwlock|spin)_.*lock$/ && called !~ /unlock/) locks += part[1]
         skip = 1; next
       }
       /^[0-9+*-]/ { if (skip) { skip = 0; next } if (ours) cost += $2; system_calls += $3 }
       END { printf "%s %d %d %d %d\n", name, cost, allocations, locks, system_calls }' "$folder/out.$i"
done >"$folder/dumps"

awk -v n="$calls" '
  $1 != last { last = $1; turn = 0 }
  { ++turn }
  turn == 2 { for (k = 2; k <= 5; ++k) once[k] = $k }
  turn == 3 { printf "%s", $1; for (k = 2; k <= 5; ++k) printf " %.2f", ($k - once[k]) / n; print "" }' "$folder/dumps" >"$folder/paths"
[ -s "$folder/paths" ] || { echo "count_paths: nothing was counted" >&2; cat "$folder/log" >&2; exit 1; }

awk 'BEGIN { printf "%-24s %12s %12s %8s %13s\n", "path", "instructions", "allocations", "locks", "system calls" }
     { printf "%-24s %12.1f %12.2f %8.2f %13.2f\n", $1, $2, $3, $4, $5 }' "$folder/paths"
[ -n "$budget" ] || exit 0
# Budgets are whole numbers: a thing that happens once in a thousand calls is none, and of instructions one more is none, either.
awk -v budget_file="$budget" '
  FILENAME == budget_file {
    if ($0 ~ /^\[/) { path = substr($0, 2, length($0) - 2); named[path] = 1 }
    else if ($0 ~ /^[a-z_]+ *= *[0-9]+$/) { split($0, part, / *= */); budget[path "." part[1]] = part[2] }
    else if ($0 !~ /^(#.*)?$/) { print "count_paths: " budget_file ": what is this: " $0 > "/dev/stderr"; bad = 1 }
    next
  }
  { split("instructions allocations locks system_calls", kinds, " ")
    seen[$1] = 1
    for (k = 1; k <= 4; ++k) {
      key = $1 "." kinds[k]
      if (!(key in budget)) { print "count_paths: " key " has no budget" > "/dev/stderr"; bad = 1 }
      else if ($(k + 1) >= budget[key] + (k == 1 ? 2 : 1)) { printf "count_paths: %s: %.1f is more than its budget of %d\n", key, $(k + 1), budget[key] > "/dev/stderr"; bad = 1 }
    } }
  END { for (path in named) if (!(path in seen)) { print "count_paths: " path " has a budget and was not counted" > "/dev/stderr"; bad = 1 }
        exit bad }' "$budget" "$folder/paths"
