#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes what is known of the suite over each OpenCL driver anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/opencl-lanes.sh [LANE...]

Runs xhal-conform --level full over the driver of each LANE (all, without any) three times with other seeds and writes docs/results/opencl/LANE.toml:
what fails in every run, what in some, the clauses that fail in every run, and what cannot be observed. `make test` holds runs against it, of a sample where that
takes long; OPENCL_LANES=whole in the environment runs all.
What was known of some runs stays known.

lanes: pocl pocl-2 pocl-basic intel rusticl, and rusticl-finish: the order of operations on rusticl, with its clFinish believed
exit codes: 0 written; 1 a run gave no report; 2 wrong usage; 125 a driver is not there
USAGE
}

lanes=(pocl pocl-2 pocl-basic intel rusticl rusticl-finish)
for word in "$@"; do
  case $word in
    -h | --help) usage; exit 0 ;;
  esac
  [[ " ${lanes[*]} " == *" $word "* ]] || { echo "opencl-lanes: no lane '$word'; see scripts/opencl-lanes.sh --help" >&2; exit 2; }
done
if [ $# -gt 0 ]; then lanes=("$@"); fi

as_list() { printf '%s\n' "$@" | jq -Rcn '[inputs | select(. != "")]'; }
# The names in a list of a file, as JSON.
listed() {
  { sed -n "/^$1 = \[\$/,/^\]/p" "$2" 2>/dev/null || true; } | { grep -o '"[^"]*"' || true; } | jq -cs .
}

program=${CONFORM:-build/dev/bin/xhal-conform}
for lane in "${lanes[@]}"; do
  driver=$lane devices=1 options='' filters=() sample=() races=false
  case $lane in
    pocl-2) driver=pocl devices=2 ;;
    rusticl) sample=('kernel.long_loops*' 'kernel.structures*' 'kernel.items_together*' 'event.elapsed*' error.trap_in_another_process) ;;
    rusticl-finish) driver=rusticl options=waits=finish races=true filters=('stream.*') sample=('stream.pair_of_operations/hazard=read_after_write,first=kernel*') ;;
  esac
  out=build/opencl/lanes/$lane
  mkdir -p "$out"
  for seed in 1 2 3; do
    code=0
    rm -f "$out/$seed.json"
    scripts/opencl.sh "$driver" --devices "$devices" -- env ${options:+"XHAL_OPENCL=$options"} "$program" --backend opencl --level full "${filters[@]/#/--filter=}" --seed "$seed" --report "json=$out/$seed.json" \
      >"$out/$seed.log" || code=$?
    if [ "$code" = 125 ]; then exit 125; fi
    if ! [ -s "$out/$seed.json" ]; then echo "opencl-lanes: $lane, seed $seed: exit code $code and no report; see $out/$seed.log" >&2; exit 1; fi
  done
  file=docs/results/opencl/$lane.toml
  mkdir -p docs/results/opencl
  jq -rs --arg driver "$driver" --arg devices "$devices" --arg options "$options" --argjson races "$races" --argjson filters "$(as_list "${filters[@]}")" --argjson sample "$(as_list "${sample[@]}")" --argjson may_fail "$(listed may_fail "$file")" \
    --argjson may_not_be_observed "$(listed may_not_be_observed "$file")" -f scripts/opencl-lanes.jq "$out"/{1,2,3}.json >"$file.new"
  mv "$file.new" "$file"
  echo "opencl-lanes: wrote $file"
done
