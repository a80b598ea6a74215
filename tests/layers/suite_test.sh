#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# suite_test.sh BUILD CASE: the suite over the simulator or the example driver, with layers between.
set -euo pipefail
build=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'FAILED: %s\n' "$1" >&2
  tail -n 60 "$scratch/out" >&2
  exit 1
}
# conform LAYERS OPTION...: the suite itself, at $level over $driver.
level=full
driver=(--backend sim)
conform() {
  XHAL_LAYERS=$1 "$build/bin/xhal-conform" "${driver[@]}" --level "$level" --seed 1 "${@:2}" >"$scratch/out" 2>&1 ||
    fail "not conformant under $1"
}
# sweep LAYERS OPTION...: the suite with every call failing once.
sweep() {
  "$build/tests/bin/fault_sweep" --backend sim --level full --layers "$1" --seed 1 "${@:2}" >"$scratch/out" 2>&1 ||
    fail "the sweep ends with $? under $1"
  grep -Eq '^[0-9]+ entries, [0-9]+ calls, [1-9][0-9]{3,} failures$' "$scratch/out" || fail "no sum of the sweep's table"
  # One line an entry of the contract, and a call of every object of core among those that were swept.
  entries=$(sed -n 's/^\([0-9]*\) entries,.*/\1/p' "$scratch/out")
  [ "$(grep -cE '^xhal_[a-z_]+ +[0-9]+ +[0-9]+  (as it must be|not claimed)' "$scratch/out")" = "$entries" ] ||
    fail "the table does not have a good line for each of $entries entries"
  for entry in device_get_properties stream_create event_record memory_allocate memory_copy stream_destroy; do
    grep -Eq "^xhal_$entry +[0-9]+ +[1-9][0-9]*  as it must be" "$scratch/out" || fail "xhal_$entry was not swept"
  done
}
# How many findings of each kind a file holds. How often a driver refuses what cannot be had just now depends on other processes.
kinds() { grep -o '"kind":"[a-z-]*"' "$1" | grep -v refused-call | sort | uniq -c; }

case_conformant_under_validate() {
  export XHAL_VALIDATE="file=$scratch/findings,limit=1000000,backtrace=0"
  conform validate
  # The suite breaks the rules on purpose, so there are findings; the driver's own mistakes are not among them.
  [ "$(kinds "$scratch/findings" | wc -l)" -ge 15 ] || fail "hardly a kind of finding in a suite full of mistakes"
  if grep -q '"kind":"driver-defect"' "$scratch/findings"; then fail "$(grep driver-defect "$scratch/findings")"; fi
}

# A test that keeps the rules has no finding at all.
case_nothing_found_where_nothing_is_wrong() {
  export XHAL_VALIDATE="file=$scratch/findings,findings=abort"
  conform validate --filter 'memory.copy_small/*' --filter 'stream.order*' --filter 'kernel.ids/*' --filter 'memory.fill/*'
  [ ! -s "$scratch/findings" ] || fail "$(cat "$scratch/findings")"
}

# What the layer refuses it refuses as the contract says, and what the contract allows goes through.
case_conformant_when_errors_refuse_the_call() {
  export XHAL_VALIDATE="findings=error"
  conform validate
}

# Its device memory is the host's heap, whose addresses come back as the application's own.
case_the_example_driver_is_conformant_when_errors_refuse_the_call() {
  export XHAL_VALIDATE="findings=error"
  level=core
  driver=(--driver "$build/examples/minimal_driver/tree/share/xhal/drivers.d/minimal.json")
  conform validate
}

case_conformant_under_all_layers_in_every_order() {
  export XHAL_VALIDATE="findings=error" XHAL_TRACE="file=$scratch/trace-%p.json,limit=1m"
  level=core
  local orders=0
  for layers in {validate,trace,fault},{validate,trace,fault},{validate,trace,fault}; do
    # Each once.
    [ "$(tr , '\n' <<<"$layers" | sort -u | wc -l)" = 3 ] || continue
    rm -f "$scratch"/trace-*
    conform "$layers"
    orders=$((orders + 1))
    # They were on: the trace saw calls that the other layers let pass.
    grep -q xhal_memory_copy "$scratch"/trace-* || fail "no copy in a trace under $layers"
  done
  [ "$orders" = 6 ] || fail "$orders orders instead of 6"
}

case_every_call_fails_once() { sweep fault; }

case_every_call_fails_once_under_other_layers() {
  export XHAL_TRACE="file=$scratch/trace-%p.json,limit=1m"
  sweep validate,trace,fault
  sweep trace,fault
}

# Neither a leak more nor a mistake more than without the sweep: a call that failed left nothing behind and changed nothing.
case_a_failed_call_leaves_nothing_behind() {
  export XHAL_VALIDATE="file=$scratch/findings,limit=1000000,backtrace=0"
  conform validate
  kinds "$scratch/findings" >"$scratch/without"
  rm "$scratch/findings"
  sweep fault,validate
  kinds "$scratch/findings" >"$scratch/with"
  diff "$scratch/without" "$scratch/with" >"$scratch/out" || fail "the sweep changed what is found"
  grep -q '"leak"' "$scratch/with" || fail "no leak in a suite that leaves objects to their instance"
}

# Some calls of an entry fail and nobody makes them again: tests fail, and none crashes or hangs. All entries: nightly.
case_programs_that_give_up_do_not_crash() {
  "$build/tests/bin/fault_sweep" --backend sim --give-up --entry 'memory_*' --filter 'memory.*' >"$scratch/out" 2>&1 ||
    fail "the sweep ends with $?"
  grep -Eq '^xhal_memory_allocate +[1-9]' "$scratch/out" || fail "no test failed for want of memory"
}

unset XHAL_LAYERS XHAL_FAULT XHAL_VALIDATE XHAL_TRACE XHAL_LOG
declare -F "case_$2" >/dev/null || fail "no case '$2'"
"case_$2"
echo "case $2 passed"
