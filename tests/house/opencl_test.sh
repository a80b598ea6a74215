#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: opencl_test.sh CASE: scripts/opencl.sh in a tree of its own, over drivers that are files alone. No case installs anything real;
# tests/opencl asks the real drivers.
# shellcheck source=tests/house/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tree=$scratch/tree
mkdir -p "$tree/scripts" "$scratch/vendors" "$scratch/bin"
cp "$source_root/scripts/opencl.sh" "$tree/scripts/"
cat >"$tree/scripts/setup.sh" <<'SH'
#!/usr/bin/env bash
echo "setup $*" >>"${0%/*}/calls"
SH
chmod +x "$tree/scripts/setup.sh"
driver_file=$scratch/libpocl.so
touch "$driver_file"
echo "$driver_file" >"$scratch/vendors/pocl.icd"
unset SETUP
export OPENCL_VENDORS=$scratch/vendors OPENCL_OCLGRIND=$scratch/none PATH=$scratch/bin:$PATH
opencl() { local want=$1; shift; run "$want" "$tree/scripts/opencl.sh" "$@"; }
intel_library=build/opencl/intel/venv-2026.2.0/lib/libintelocl.so
# A python3 whose venv has a pip that runs the text given, with $venv set.
fake_python() {
  cat >"$scratch/bin/python3" <<SH
#!/usr/bin/env bash
mkdir -p "\$3/bin" "\$3/lib"
printf '%s\n' '#!/usr/bin/env bash' "venv=\$3" 'echo "\$@" >>"$scratch/pip-calls"' '$1' >"\$3/bin/pip"
chmod +x "\$3/bin/pip"
SH
  chmod +x "$scratch/bin/python3"
}

case_wrong_usage() {
  opencl 2
  says '^usage: '
  opencl 2 metal -- true
  says "unknown driver 'metal'; choose among: pocl pocl-basic intel oclgrind rusticl; see scripts/opencl.sh --help"
  opencl 2 'pocl intel' -- true
  says "unknown driver 'pocl intel'"
  opencl 2 '' -- true
  says "unknown driver ''"
  opencl 2 --bogus
  says "unknown option '--bogus'"
  opencl 2 pocl --bogus -- true
  says "unknown option '--bogus'"
  for words in 'pocl' 'pocl --' 'pocl --devices 2 --'; do
    # shellcheck disable=SC2086  # words
    opencl 2 $words
    says 'no command; put it behind --'
  done
  opencl 2 pocl true
  says "put -- before the command 'true'"
  opencl 2 pocl --why -- true
  says '--why runs no command'
  opencl 2 --list pocl
  says '--list takes nothing'
  opencl 2 --install metal
  says "unknown driver 'metal'"
}

case_counts_of_devices() {
  for n in 0 -1 00 1.5 65 100 two ''; do
    opencl 2 pocl --devices "$n" -- true
    says "--devices $n: a whole number from 1 to 64"
  done
  opencl 2 pocl --devices -- true
  says '--devices wants a value'
  opencl 2 pocl --devices
  says '--devices wants a value'
  opencl 2 intel --devices 2 -- true
  says "the driver 'intel' has one device"
  opencl 0 pocl --devices 3 -- printenv POCL_DEVICES
  says '^pthread pthread pthread$'
  opencl 0 pocl-basic --devices 2 -- printenv POCL_DEVICES
  says '^basic basic$'
}

case_sees_this_driver_alone() {
  opencl 0 pocl -- bash -c 'ls "$OCL_ICD_VENDORS"; cat "$OCL_ICD_VENDORS"/*'
  [ "$(cat "$scratch/out")" = "pocl.icd
$driver_file" ] || fail "another folder of drivers"
  [ ! -e "$tree/scripts/calls" ] || fail "setup ran though the driver is there"
  RUSTICL_ENABLE=swrast OCL_ICD_FILENAMES=other.so LD_LIBRARY_PATH=/here opencl 0 pocl -- env
  says_not '^RUSTICL_ENABLE='
  says_not '^OCL_ICD_FILENAMES='
  says '^LD_LIBRARY_PATH=/here$'
  says "^POCL_CACHE_DIR=$tree/build/opencl/pocl/cache$"
  cd "$scratch"
  opencl 0 pocl --cache mine -- printenv POCL_CACHE_DIR
  says "^$scratch/mine$"
  # A driver that has moved since.
  touch "$scratch/libnew.so"
  echo "$scratch/libnew.so" >"$scratch/vendors/pocl.icd"
  opencl 0 pocl -- bash -c 'cat "$OCL_ICD_VENDORS"/*'
  says "^$scratch/libnew.so$"
}

case_ends_as_the_command_does() {
  opencl 7 pocl -- bash -c 'exit 7'
  opencl 127 pocl -- no-such-command
  opencl 126 pocl -- "$driver_file"
  opencl 139 pocl -- bash -c 'kill -SEGV $$'
  opencl 0 pocl -- printf '[%s]\n' 'a b' ''
  says '^\[a b\]$'
  says '^\[\]$'
}

case_lists_and_explains() {
  opencl 0 --list
  says '^pocl +present '
  says '^rusticl +missing '
  says '^intel +missing '
  opencl 0 pocl --devices 2 --why
  says "^library: $driver_file$"
  says '^sets: +POCL_DEVICES=pthread pthread$'
  opencl 0 rusticl --why
  says '^library: missing; scripts/opencl.sh --install rusticl$'
  # What a removed package leaves behind.
  rm "$driver_file"
  opencl 0 --list
  says '^pocl +missing '
  [ ! -e "$tree/build" ] || fail "a look around has written something"
  [ ! -e "$tree/scripts/calls" ] || fail "a look around has installed something"
}

case_missing_packages() {
  SETUP=skip opencl 125 rusticl -- true
  says "the driver 'rusticl' is not installed, and SETUP=skip forbids to; scripts/opencl.sh --install rusticl does"
  SETUP=skip opencl 0 --install
  [ ! -e "$tree/scripts/calls" ] || fail "SETUP=skip installs"
  opencl 125 rusticl -- true
  says "the packages are there, but no driver 'rusticl' in $scratch/vendors"
  grep -qx 'setup --quiet opencl' "$tree/scripts/calls" || fail "setup was not asked for the group"
  printf '#!/bin/sh\necho "setup: this is not root"; exit 4\n' >"$tree/scripts/setup.sh"
  opencl 125 rusticl -- true
  says '^setup: this is not root$'
  says "the packages of the driver 'rusticl' could not be installed"
}

case_intel_is_made_whole_or_not_at_all() {
  fake_python 'echo "no network"; exit 1'
  opencl 125 intel -- true
  says '^no network$'
  says 'without a network it cannot be had'
  [ -z "$(ls -d "$tree"/build/opencl/intel/venv* 2>/dev/null)" ] || fail "half an environment is left"
  opencl 0 --list
  says '^intel +missing '
  fake_python 'touch "$venv/lib/libintelocl.so"'
  opencl 0 intel -- bash -c 'cat "$OCL_ICD_VENDORS"/*'
  says "^$tree/$intel_library$"
  says '^opencl: installing intel-opencl-rt==2026\.2\.0 intel-cmplr-lib-rt==2026\.2\.0 '
  rm "$scratch/pip-calls"
  opencl 0 intel -- printenv OCL_ICD_VENDORS
  says_not 'installing'
  LD_LIBRARY_PATH='' opencl 0 intel -- printenv LD_LIBRARY_PATH
  says_not "$tree"
  [ ! -e "$scratch/pip-calls" ] || fail "what is there was installed again"
  # What somebody has damaged is made again.
  rm "$tree/$intel_library"
  SETUP=skip opencl 125 intel -- true
  opencl 0 --install intel
  [ -e "$tree/$intel_library" ] || fail "not made again"
}

case_two_at_once_install_once() {
  fake_python 'touch "$venv/lib/libintelocl.so"'
  "$tree/scripts/opencl.sh" intel -- true 2>"$scratch/first" &
  local first=$!
  opencl 0 intel -- true
  wait $first || fail "the other one failed: $(cat "$scratch/first")"
  [ "$(wc -l <"$scratch/pip-calls")" = 1 ] || fail "installed twice"
}

run_case "$1"
