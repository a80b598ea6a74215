#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/test.sh PRESET [--sample N] [CTEST ARGUMENT...]
# Builds one preset and runs its tests, JOBS at a time.
#   --sample N                   every N-th test only; the commit decides with which one to begin, so that commits take turns
#   LANE_SHARD=i, LANE_SHARDS=n  (set by the runner of lanes) the i-th of n parts
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || { echo "test: name a preset: cmake --list-presets shows them" >&2; exit 2; }
preset=$1
shift
first=1 step=1
if [ "${1-}" = --sample ]; then
  [[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "test: --sample wants a whole number from 1" >&2; exit 2; }
  step=$2
  shift 2
  commit=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || commit=0
  first=$((1 + 16#${commit:0:6} % step))
elif [ "${LANE_SHARDS:-1}" -gt 1 ]; then
  first=$LANE_SHARD step=$LANE_SHARDS
fi
scripts/build.sh "$preset"
part=()
if [ "$step" -gt 1 ]; then
  part=(--tests-information "$first,,$step")
  echo "test: tests $first, $((first + step)), $((first + 2 * step)), ... of preset $preset"
fi
exec ctest --preset "$preset" --parallel "${JOBS:-$(nproc)}" --no-label-summary ${part[@]+"${part[@]}"} "$@"
