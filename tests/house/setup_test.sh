#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: setup_test.sh CASE: scripts/setup.sh on systems that are made of nothing but a PATH. No case installs anything.
# shellcheck source=tests/house/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A PATH with the tools of a bare system, less or plus what the case wants.
fake=$scratch/bin
mkdir "$fake"
for tool in bash awk cat dirname grep id mktemp rm sed env; do ln -s "$(command -v $tool)" "$fake/$tool"; done
setup() { local want=$1; shift; run "$want" env PATH="$fake" "$source_root/scripts/setup.sh" "$@"; }
fake_tool() { printf '#!%s\n%s\n' "$(command -v bash)" "$2" >"$fake/$1"; rm -f "$fake/$1.link"; chmod +x "$fake/$1"; }
# A system where the named packages are installed and apt-get leaves a trace and fails.
debian_with() {
  fake_tool dpkg-query "case \" $* \" in *\" \${@: -1} \"*) echo -n installed ;; *) exit 1 ;; esac"
  fake_tool apt-get "echo \"\$@\" >> '$scratch/apt-calls'; echo 'E: no network'; exit 100"
}
every_package=$(awk '!/^#/ && NF { printf "%s ", $2 }' "$source_root/scripts/packages.txt")

case_no_apt() {
  setup 5 build
  says 'this system has no apt'
  says '^  cmake +3\.25 or newer$'
  says 'SETUP=skip'
  says_not 'clang-tidy'
  setup 5
  says 'clang-tidy-15'
  says_not 'debootstrap'
}

case_all_there_asks_nobody() {
  debian_with "$every_package"
  setup 0
  says 'all packages of build kernels lint test browser bench sketches opencl torch are there'
  setup 0 --quiet
  [ ! -s "$scratch/out" ] || fail "--quiet said something"
  [ ! -e "$scratch/apt-calls" ] || fail "apt was called though nothing is missing"
}

case_print_changes_nothing() {
  debian_with git make cmake
  setup 0 --print build
  says '^build +cmake +present$'
  says '^build +ninja-build +missing$'
  says '^to install: apt-get update && apt-get install -y --no-install-recommends ninja-build g\+\+'
  says_not 'clang'
  [ ! -e "$scratch/apt-calls" ] || fail "--print called apt"
}

case_check() {
  debian_with "${every_package/ninja-build /}"
  setup 3 --check build
  says '^setup: missing: ninja-build$'
  setup 0 --check kernels
  [ ! -e "$scratch/apt-calls" ] || fail "--check called apt"
}

case_without_root() {
  debian_with git make
  rm "$fake/id"
  fake_tool id 'echo 1000'
  setup 4 kernels
  says "^  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends clang-15 llvm-15 lld-15 llvm-spirv-15 spirv-tools'$"
  [ ! -e "$scratch/apt-calls" ] || fail "apt was called without root"
}

case_apt_fails() {
  debian_with git make
  rm "$fake/id"
  fake_tool id 'echo 0'
  setup 1 kernels
  says '^E: no network$'
  says '^setup: apt failed'
}

case_goes_on_without_a_browser() {
  debian_with "${every_package/chromium /}"
  rm "$fake/id"
  fake_tool id 'echo 0'
  setup 0
  says '^setup: chromium could not be installed'
  says '^setup: done$'
  debian_with "$(sed 's/chromium //; s/cmake //' <<<"$every_package")"
  setup 1
  says '^setup: apt failed'
}

case_wrong_usage() {
  setup 2 --bogus
  says "unknown option '--bogus'"
  setup 2 kernel
  says "unknown group 'kernel'; choose among: build kernels"
}

# One package a line, no package twice, every line with its reason: other systems' users read this file.
case_list_is_sound() {
  run 0 awk '!/^#/ && NF { if (NF < 3 || seen[$2]++) { print "bad line: " $0; exit 1 } }' "$source_root/scripts/packages.txt"
}

run_case "$1"
