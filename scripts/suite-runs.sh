#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/suite-runs.sh PRESET RUNS
# The whole suite over the simulator, shuffled, RUNS times with a seed each, on twice as many workers as there are processors: a driver that keeps
# the contract fails in none of them. Prints how many tests were run; each run that is not conformant leaves its report. The seeds of a
# shard (LANE_SHARD) are its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -ne 2 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
  echo "suite-runs: wants a preset and a number of runs" >&2
  exit 2
fi
preset=$1 runs=$2
scripts/build.sh "$preset" xhal-conform xhal_driver_sim xhal_kernels
reports=build/$preset/suite-runs
rm -rf "$reports"
mkdir -p "$reports"
executed=0 failed=0
for ((run = 1; run <= runs; run++)); do
  seed=$((${LANE_SHARD:-1} * 100000 + run))
  report=$reports/$seed.json
  code=0
  build/"$preset"/bin/xhal-conform --backend sim --level full --seed "$seed" --jobs $((2 * ${JOBS:-$(nproc)})) \
    --report json="$report" >"$reports/out" 2>&1 || code=$?
  passed=$(sed -n 's/^ *"passed": \([0-9]*\).*/\1/p' "$report" 2>/dev/null | head -n 1)
  executed=$((executed + ${passed:-0}))
  if [ $code -eq 0 ]; then
    rm "$report"
    continue
  fi
  failed=$((failed + 1))
  echo "suite-runs: seed $seed, exit code $code, report $report"
  tail -n 30 "$reports/out"
done
echo "suite-runs: $runs runs, $executed tests passed, $failed runs not conformant"
[ $failed -eq 0 ]
