#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: run_lanes_test.sh CASE: one case of scripts/run-lanes.sh, in a scratch repository of its own.
# shellcheck source=tests/house/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

repo=$scratch/repo
mkdir -p "$repo/scripts"
cp "$source_root/scripts/run-lanes.sh" "$source_root/scripts/read-lanes.awk" "$repo/scripts/"
echo build/ >"$repo/.gitignore"
lanes() { cat >"$repo/lanes.toml"; }
# A process that got its signal may need a moment; one that never got it makes the test's own deadline strike.
await_end() { while [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; do sleep 0.05; done; }
run_lanes() { local want=$1; shift; run "$want" "$repo/scripts/run-lanes.sh" --file lanes.toml "$@"; }

case_passes() {
  lanes <<'TOML'
total_minutes = 3
[[lane]]
name = "one"
minutes = 1
command = "echo first; echo >&2 to the other stream"
[[lane]]
name = "two"
minutes = 2
needs = "one"
command = 'echo "100% tests passed, 0 tests failed out of 7"'
TOML
  run_lanes 0
  says '^first$'
  says '^to the other stream$'
  says '^== one: pass in 0:0[0-9] of 1:00$'
  says '^run-lanes: passed$'
  [ "$(tail -n 2 "$scratch/out" | head -n 1)" = "100% tests passed, 0 tests failed out of 7" ] || fail "ctest's closing line is not repeated last"
  grep -q first "$repo/build/lanes/one.log" || fail "no log of lane one"
}

case_failing_lane() {
  lanes <<'TOML'
[[lane]]
name = "bad"
minutes = 1
command = "exit 124"
[[lane]]
name = "dependent"
minutes = 1
needs = "bad"
command = "echo must not run"
[[lane]]
name = "last"
minutes = 1
command = "echo still runs"
TOML
  run_lanes 1
  says '^== bad: fail in .* \(exit code 124\)$'
  says "^dependent +not run: needs 'bad'$"
  says_not '^must not run'
  says '^still runs$'
  says '^run-lanes: NOT PASSED$'
}

# Who has the last lines of a long output alone still reads what failed.
case_failure_is_told_at_the_end() {
  lanes <<'TOML'
[[lane]]
name = "tests"
minutes = 1
command = "cat recorded; exit 8"
[[lane]]
name = "tool"
minutes = 1
command = "seq 100 140; exit 1"
[[lane]]
name = "fine"
minutes = 1
command = "seq 200 300"
TOML
  cat >"$repo/recorded" <<'CTEST'
        Start 12: area.broken
 1/3 Test #12: area.broken .....***Failed    0.30 sec
file.cpp:7: Failure
the values
        Start 13: area.fine
 2/3 Test #13: area.fine .......   Passed    0.01 sec
 3/3 Test #14: area.left_out ...***Skipped   0.05 sec
the reason for leaving it out
67% tests passed, 1 tests failed out of 3
CTEST
  run_lanes 1
  sed -n '/^== failed: /,$p' "$scratch/out" >"$scratch/end"
  printf '%s\n' '== failed: build/lanes/tests.log' '  |  1/3 Test #12: area.broken .....***Failed    0.30 sec' '  | file.cpp:7: Failure' \
    '  | the values' '' '== failed: build/lanes/tool.log' >"$scratch/wanted"
  seq 126 140 | sed 's/^/  | /' >>"$scratch/wanted"
  printf '%s\n' '' '== summary' >>"$scratch/wanted"
  diff "$scratch/wanted" <(sed '/^== summary/q' "$scratch/end") || fail "the end of the output does not tell what failed"
}

# The lane's child ignores the polite signal: both must be gone, and the next lane must run.
case_hanging_lane() {
  lanes <<'TOML'
[[lane]]
name = "hang"
minutes = 0.005
command = "echo $$ > build/pid; (trap '' TERM; sleep 987) & echo $! > build/child; wait"
[[lane]]
name = "after"
minutes = 1
command = "echo after it"
TOML
  mkdir -p "$repo/build"
  run_lanes 1
  says '^== hang: killed .*its limit of'
  says '^after it$'
  for file in pid child; do await_end "$(cat "$repo/build/$file")"; done
}

case_over_budget_is_a_warning() {
  lanes <<'TOML'
[[lane]]
name = "slow"
minutes = 0.05
command = "sleep 3.2"
TOML
  run_lanes 0
  says '^== slow: pass .*warning: over budget'
}

case_resumes() {
  lanes <<'TOML'
evidence = "build/evidence"
[[lane]]
name = "count"
minutes = 1
shards = 3
command = 'echo "shard $LANE_SHARD of $LANE_SHARDS" >> build/ran; test $LANE_SHARD != 2 -o -e build/repaired'
TOML
  mkdir -p "$repo/build"
  commit_all "$repo"
  folder=$repo/build/evidence/$(git -C "$repo" rev-parse HEAD)
  run_lanes 1 --summary
  says '^count +0 of 3 shards passed; 1:missing 2:missing 3:missing$'
  run_lanes 0 --only count:1
  run_lanes 1 --summary
  says '^count +1 of 3 shards passed; 2:missing 3:missing$'
  run_lanes 1
  says '^== count 1/3: pass before, kept'
  says '^count +2 of 3 shards passed; 2:fail$'
  [ "$(sort "$repo/build/ran" | tr '\n' ,)" = "shard 1 of 3,shard 2 of 3,shard 3 of 3," ] || fail "not each shard ran once"
  python=$(command -v python3)
  "$python" - "$folder" <<'PY' || fail "an evidence file is not the JSON it should be"
import json, pathlib, sys
files = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
assert [f.name for f in files] == [f"count-{i}-of-3.json" for i in (1, 2, 3)], files
for f, status in zip(files, ("pass", "fail", "pass")):
    evidence = json.loads(f.read_text())
    assert evidence["status"] == status and evidence["shards"] == 3 and evidence["schema"] == 1, evidence
    assert evidence["commit"] == f.parent.name and (f.parent / evidence["log"]).exists(), evidence
PY
  # Finished is finished, a failure too, until it is forced.
  touch "$repo/build/repaired"
  run_lanes 1
  [ "$(wc -l <"$repo/build/ran")" = 3 ] || fail "a finished shard ran again"
  run_lanes 0 --only count:2 --force
  run_lanes 0 --summary
  says '^count +3 of 3 shards passed$'
  # Another commit, or an uncommitted change, has no evidence.
  echo x >"$repo/new"
  run_lanes 1 --summary
  says '^== summary of [0-9a-f]{40}-dirty-[0-9a-f]{12}$'
  commit_all "$repo"
  run_lanes 1 --summary
  says '0 of 3 shards passed'
}

case_tree_changes_under_a_shard() {
  lanes <<'TOML'
evidence = "build/evidence"
[[lane]]
name = "edits"
minutes = 1
command = "echo more > edited"
TOML
  commit_all "$repo"
  run_lanes 1
  says 'the tree changed while the shard ran'
  if ls "$repo"/build/evidence/*/*.json 2>/dev/null; then fail "evidence of a tree that was not tested as a whole"; fi
}

case_interrupt() {
  lanes <<'TOML'
evidence = "build/evidence"
[[lane]]
name = "long"
minutes = 10
command = "echo $$ > build/pid; echo started > build/fifo; sleep 987"
TOML
  commit_all "$repo"
  mkdir -p "$repo/build"
  mkfifo "$repo/build/fifo"
  "$repo/scripts/run-lanes.sh" --file lanes.toml >"$scratch/out" 2>&1 &
  runner=$!
  read -r _ <"$repo/build/fifo"
  kill -TERM $runner
  code=0
  wait $runner || code=$?
  [ $code = 130 ] || fail "exit code $code instead of 130"
  says '^run-lanes: interrupted$'
  await_end "$(cat "$repo/build/pid")"
  if ls "$repo"/build/evidence/*/*.json 2>/dev/null; then fail "an interrupted shard left evidence"; fi
}

case_refuses_bad_files() {
  refuse() { lanes; run_lanes 2; says "$1"; }
  refuse 'sum up to 3\.5 minutes' <<'TOML'
total_minutes = 3
[[lane]]
name = "a"
minutes = 1.5
command = "true"
[[lane]]
name = "b"
minutes = 1
shards = 2
command = "true"
TOML
  refuse "lanes.toml:2: unknown key 'minuets'" <<<$'[[lane]]\nminuets = 3'
  refuse "needs 'nobody'" <<<$'[[lane]]\nname = "a"\nneeds = "nobody"\nminutes = 1\ncommand = "true"'
  refuse "'a' stands here twice" <<<$'[[lane]]\nname = "a"\nminutes = 1\ncommand = "true"\n[[lane]]\nname = "a"\nminutes = 1\ncommand = "true"'
  refuse 'lacks name, minutes or command' <<<$'[[lane]]\nname = "a"\nminutes = 1'
  refuse 'wants a number' <<<$'[[lane]]\nname = "a"\nminutes = "1"\ncommand = "true"'
  refuse 'not a plain string or number' <<<$'[[lane]]\nname = "a\\n"'
  refuse 'not understood' <<<$'[lane]'
  refuse 'has no lane' <<<$'# nothing'
}

case_refuses_bad_arguments() {
  lanes <<<$'[[lane]]\nname = "a"\nminutes = 1\nshards = 2\ncommand = "true"'
  run_lanes 2 --only nobody
  says "no lane 'nobody'; it has: a"
  run_lanes 2 --only a:3
  says "has shards 1 to 2, not '3'"
  run_lanes 2 --bogus
  run_lanes 2 --only
  run_lanes 2 --summary
  says 'names no evidence folder'
  run 2 "$repo/scripts/run-lanes.sh" --file missing.toml
  says "cannot read 'missing.toml'"
}

run_case "$1"
