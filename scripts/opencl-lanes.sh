#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes what is known of the suite over each OpenCL driver anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/opencl-lanes.sh [LANE...]

Runs xhal-conform --level full over the driver of each LANE (all, without any) three times with other seeds and writes docs/results/opencl/LANE.toml:
what fails in every run, what in some, the clauses that fail in every run, and what cannot be observed. `make test` holds runs against it.
What was known of some runs stays known.

lanes: pocl pocl-2 pocl-basic intel rusticl
exit codes: 0 written; 1 a run gave no report; 2 wrong usage; 125 a driver is not there
USAGE
}

lanes=(pocl pocl-2 pocl-basic intel rusticl)
for word in "$@"; do
  case $word in
    -h | --help) usage; exit 0 ;;
  esac
  [[ " ${lanes[*]} " == *" $word "* ]] || { echo "opencl-lanes: no lane '$word'; see scripts/opencl-lanes.sh --help" >&2; exit 2; }
done
if [ $# -gt 0 ]; then lanes=("$@"); fi

# The names in a list of a file, as JSON.
listed() {
  { sed -n "/^$1 = \[\$/,/^\]/p" "$2" 2>/dev/null || true; } | { grep -o '"[^"]*"' || true; } | jq -cs .
}

program=${CONFORM:-build/dev/bin/xhal-conform}
for lane in "${lanes[@]}"; do
  driver=$lane devices=1
  if [ "$lane" = pocl-2 ]; then driver=pocl devices=2; fi
  out=build/opencl/lanes/$lane
  mkdir -p "$out"
  for seed in 1 2 3; do
    code=0
    rm -f "$out/$seed.json"
    scripts/opencl.sh "$driver" --devices "$devices" -- "$program" --backend opencl --level full --seed "$seed" --report "json=$out/$seed.json" \
      >"$out/$seed.log" || code=$?
    if [ "$code" = 125 ]; then exit 125; fi
    if ! [ -s "$out/$seed.json" ]; then echo "opencl-lanes: $lane, seed $seed: exit code $code and no report; see $out/$seed.log" >&2; exit 1; fi
  done
  file=docs/results/opencl/$lane.toml
  mkdir -p docs/results/opencl
  jq -rs --arg driver "$driver" --arg devices "$devices" --argjson may_fail "$(listed may_fail "$file")" \
    --argjson may_not_be_observed "$(listed may_not_be_observed "$file")" -f scripts/opencl-lanes.jq "$out"/{1,2,3}.json >"$file.new"
  mv "$file.new" "$file"
  echo "opencl-lanes: wrote $file"
done
