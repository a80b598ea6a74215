#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/strength.sh [STEP...]
# Measures how strong the suite is and makes docs/strength.md of it. Steps: faults generated matrix mutation variants mixes programs hollow opencl page;
# without any, all but opencl; that takes hours. What a step has left in docs/results for the commit that stands here is not measured again, so
# that an interrupted run goes on; `SHARD=i/n` measures a part of all but programs and hollow, so that machines
# can share them: bring the files into that folder and run the step `page`. `FORCE=1` measures again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=docs/results/strength
shard=${SHARD:-1/1}
jobs=${JOBS:-2}
conform=build/release/bin/xhal-conform
[[ $shard =~ ^[1-9][0-9]*/[1-9][0-9]*$ ]] || { echo "strength: SHARD=$shard: write i/n" >&2; exit 2; }
part=${shard//\//-of-}
commit=$(git rev-parse HEAD)

# Whether a result is of the suite that stands here.
is_there() {
  [[ -z ${FORCE-} && -s $1 ]] && grep -q "$commit" "$1"
}
# measure FILE COMMAND...: exit code 1 says that something survived, which is a result.
measure() {
  local file=$1 code=0
  shift
  if is_there "$file"; then
    echo "strength: $file is there"
    return
  fi
  "$@" || code=$?
  if [[ $code -gt 1 || ! -s $file ]]; then
    echo "strength: ended with $code and left no result: $*" >&2
    exit 1
  fi
}

measure_faults() {
  local file=$out/faults-$part.json
  measure "$file" "$conform" faults --over sim --seed 7 --seeds 20 --jobs "$jobs" --shard "$shard" --json "$file"
}
measure_generated() {
  local file=$out/generated-$part.json
  measure "$file" "$conform" faults --generated --over sim --seed 7 --jobs "$jobs" --shard "$shard" --json "$file"
}
measure_matrix() {
  local file=$out/matrix-$part.json
  measure "$file" "$conform" faults --over sim --seed 7 --all-tests --jobs "$jobs" --shard "$shard" --json "$file"
}
measure_mutation() {
  local file=$out/mutation-$part.json
  scripts/build.sh release mutation
  measure "$file" build/release/tests/bin/mutation --shard "$shard" --json "$file"
}
measure_variants() {
  local file=$out/variants-$part.json
  measure "$file" "$conform" variants --over sim --seed 7 --jobs "$jobs" --shard "$shard" --json "$file"
}
measure_mixes() {
  local file=$out/mixes-$part.json
  measure "$file" "$conform" variants --over sim --pairs --together 5 --seed 7 --jobs "$jobs" --shard "$shard" --json "$file"
}
measure_programs() {
  local file=$out/dropped-waits.json
  measure "$file" "$conform" fuzz --backend sim --programs 300 --seed 1 --drop-waits --json "$file"
}
measure_hollow() {
  local driver report
  report=$(mktemp)
  for driver in idle refusing; do
    if is_there "$out/$driver.json"; then
      echo "strength: $out/$driver.json is there"
      continue
    fi
    : >"$report"
    measure "$report" "$conform" --driver "build/release/tests/conformance/tree/share/xhal/drivers.d/$driver.json" --level core \
      --seed 7 --jobs "$jobs" --report "json=$report"
    "$conform" strength --summary "$report" --output "$out/$driver.json"
  done
  rm -f "$report"
}
# Over real drivers: of what an OpenCL device claims. Not on the page, which is of the simulator.
measure_opencl() {
  local driver whole
  whole=$(mktemp)
  mkdir -p docs/results/opencl
  for driver in pocl intel; do
    local file=docs/results/opencl/faults-$driver.json
    if is_there "$file"; then
      echo "strength: $file is there"
      continue
    fi
    : >"$whole"
    measure "$whole" scripts/opencl.sh "$driver" -- "$conform" faults --over opencl --seed 7 --seeds 3 --jobs "$jobs" --json "$whole"
    jq '{schema, suite, driver: (.driver | {name, version, native_driver_version, native_runtime_version}), device: (.device | {name, features}), seed, seeds,
      seconds, total, killed, faults: [.faults[] | {name, clause, verdict, why, killed_by: .killed_by[0:3]}]}' "$whole" >"$file"
  done
  rm -f "$whole"
}
make_page() {
  local files=("$out"/*.json)
  [[ -e ${files[0]} ]] || files=()
  "$conform" strength --output docs/strength.md "${files[@]}"
  echo "strength: docs/strength.md is made of ${#files[@]} results"
}

steps=("$@")
[[ $# -gt 0 ]] || steps=(faults generated programs hollow variants mixes mutation matrix page)
for step in "${steps[@]}"; do
  case $step in
    faults | generated | matrix | mutation | variants | mixes | programs | hollow | opencl | page) ;;
    *)
      echo "strength: there is no step '$step'; there are faults, generated, matrix, mutation, variants, mixes, programs, hollow, opencl, page" >&2
      exit 2
      ;;
  esac
done
mkdir -p "$out"
[[ -n ${STRENGTH_BUILT-} ]] || scripts/build.sh release
for step in "${steps[@]}"; do
  case $step in
    page) make_page ;;
    *) "measure_$step" ;;
  esac
done
