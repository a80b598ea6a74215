#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/test.sh PRESET [--sample N] [CTEST ARGUMENT...]
# Builds one preset and runs its tests, JOBS at a time.
#   --sample N                   only tests labelled `sampled`, and of the programs among them every N-th. Which ones depends on the
#                                commit, so that commits take turns, and on the preset, so that asan and tsan take different ones
#   LANE_SHARD=i, LANE_SHARDS=n  (set by the runner of lanes) the i-th of n parts
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || { echo "test: name a preset: cmake --list-presets shows them" >&2; exit 2; }
preset=$1
shift
part=()
if [ "${1-}" = --sample ]; then
  [[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "test: --sample wants a whole number from 1" >&2; exit 2; }
  commit=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || commit=0
  turn=$((16#${commit:0:6}))
  if [ "$preset" = tsan ]; then turn=$((turn + 1)); fi
  export TEST_SAMPLE=$((1 + turn % $2))/$2
  echo "test: sample $TEST_SAMPLE of the programs labelled sampled"
  shift 2
elif [ "${LANE_SHARDS:-1}" -gt 1 ]; then
  part=(--tests-information "$LANE_SHARD,,$LANE_SHARDS")
fi
scripts/build.sh "$preset"
exec ctest --preset "$preset" --parallel "${JOBS:-$(nproc)}" --no-label-summary ${part[@]+"${part[@]}"} "$@"
