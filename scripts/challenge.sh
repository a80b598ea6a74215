#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/challenge.sh [ROUNDS]
# Answers challenges with the whole suite, over the simulator and over the example driver, and has each bit-exact test of them run again in
# another order: every digest must be the same. Then every fault that may be a blind control must be noticed by each of its tests' clauses
# with twenty seeds on both. Exit code 0, or that of the first command that found something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=${1-3}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { echo "challenge: say how many rounds: scripts/challenge.sh ROUNDS" >&2; exit 2; }
scripts/build.sh dev
conform=$PWD/build/dev/bin/xhal-conform
minimal=$PWD/build/dev/examples/minimal_driver/tree/share/xhal/drivers.d/minimal.json
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for round in $(seq "$rounds"); do
  words="round $round, $(date -u +%Y-%m-%dT%H:%M:%S)"
  for who in "--backend sim --level full" "--driver $minimal --level core"; do
    echo "challenge: '$words', $who"
    rm -rf "$scratch/bundle"
    # shellcheck disable=SC2086 # several words
    "$conform" $who --challenge "$words" --bundle "$scratch/bundle" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
    "$conform" verify "$scratch/bundle" --challenge "$words" --replay all
  done
done

faults=()
while IFS= read -r name; do faults+=(--fault "$name"); done < <(sed -n 's/^ *{"\([a-z0-9_]*\)",.*/\1/p' conformance/evidence/control_faults.cpp)
[ ${#faults[@]} -ge 16 ] || { echo "challenge: conformance/evidence/control_faults.cpp lists no faults that can be read" >&2; exit 1; }
"$conform" faults --over sim --seed 1 --seeds 20 "${faults[@]}"
"$conform" faults --driver "$minimal" --seed 1 --seeds 20 "${faults[@]}"
