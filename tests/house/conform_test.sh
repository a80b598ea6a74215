#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: conform_test.sh CASE: scripts/conform.sh in a tree of its own, over stand-ins of xhal-conform and scripts/opencl.sh.
# shellcheck source=tests/house/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tree=$scratch/tree
mkdir -p "$tree/scripts"
cp "$source_root/scripts/conform.sh" "$tree/scripts/"
# Says what it was given, and ends as the file codes/<driver>-<devices> says.
cat >"$tree/scripts/opencl.sh" <<'SH'
#!/usr/bin/env bash
driver=$1 devices=$3
shift 4
DRIVER=$driver-$devices "$@"
exit "$(cat "codes/$driver-$devices" 2>/dev/null || echo 0)"
SH
cat >"$scratch/stand-in" <<'SH'
#!/usr/bin/env bash
echo "${DRIVER:-no driver}: $*"
SH
chmod +x "$tree/scripts/opencl.sh" "$scratch/stand-in"
export CONFORM=$scratch/stand-in
mkdir "$tree/codes"
conform() { local want=$1; shift; run "$want" "$tree/scripts/conform.sh" "$@"; }

case_wrong_usage() {
  conform 2
  says '^usage: '
  conform 2 --level full
  says "name the backend first, not '--level'"
  conform 0 --help
  for words in '--report json=one.json' '--report=json=one.json' '--resume journal' '--bundle answer'; do
    # shellcheck disable=SC2086  # words
    conform 2 opencl $words
    says "'$words' would be written by each run over the one before; put \{run\} into the name"
    says_not '^pocl'
  done
}

case_other_backends_run_as_they_are() {
  conform 0 sim --report json=one.json 'a b'
  [ "$(cat "$scratch/out")" = 'no driver: --backend sim --report json=one.json a b' ] || fail "other words"
  printf '#!/bin/sh\nexit 3\n' >"$scratch/stand-in"
  conform 3 sim
}

case_opencl_runs_over_each_driver() {
  conform 0 opencl --report 'json={run}.json' --report ci=-
  says '^pocl-1: --backend opencl --level full --report json=pocl\.json --report ci=-$'
  says '^pocl-2: --backend opencl --level full --report json=pocl-2\.json '
  says '^intel-1: --backend opencl --level full --report json=intel\.json '
  says '^pocl +exit code 0: passed$'
  says '^pocl-2 +exit code 0: passed$'
  says '^intel +exit code 0: passed$'
  conform 0 opencl --level core
  says '^pocl-1: --backend opencl --level core$'
}

case_the_worst_exit_code_counts() {
  echo 4 >"$tree/codes/pocl-1"
  echo 1 >"$tree/codes/pocl-2"
  conform 4 opencl
  says '^pocl +exit code 4: a defect of the suite$'
  says '^pocl-2 +exit code 1: not passed$'
  says '^intel +exit code 0: passed$'
  echo 125 >"$tree/codes/intel-1"
  conform 125 opencl
  says '^intel +exit code 125: no such driver here$'
}

case_an_interruption_ends_the_runs() {
  echo 130 >"$tree/codes/pocl-2"
  conform 130 opencl
  says '^pocl-2 +exit code 130: interrupted$'
  says_not '^intel'
}

run_case "$1"
