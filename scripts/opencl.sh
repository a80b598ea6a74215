#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command with one OpenCL driver of the processor, whatever else is installed.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'USAGE'
usage: scripts/opencl.sh DRIVER [--devices N] [--cache DIR] -- COMMAND...
       scripts/opencl.sh DRIVER [--devices N] [--cache DIR] --why
       scripts/opencl.sh --list | --install [DRIVER...]

Runs COMMAND in an environment in which OpenCL's loader (libOpenCL.so.1) sees DRIVER and no other. What is missing is installed first: Debian
packages by scripts/setup.sh, Intel's runtime by pip into build/opencl; with SETUP=skip in the environment nothing is.

  --devices N   so many devices, 1 to 64 (default 1); only the drivers of PoCL have more than one. They share the processors
  --cache DIR   where compiled kernels are kept (default build/opencl/<driver>/cache); a folder for each of several jobs that must not meet
  --why         print what would be used and where it comes from; install and run nothing
  --list        the drivers, a line each: name, whether it is there, what it is
  --install     install what is missing of these drivers, or of all; with SETUP=skip do nothing

OPENCL_VENDORS names the folder in which the system's drivers say where they are (default /etc/OpenCL/vendors).

exit codes: that of COMMAND, but 126 when it cannot be run and 127 when there is none; 0 for --why, --list and --install; 2 wrong usage;
            125 the driver is not there, or could not be installed: why is printed
USAGE
}

drivers=(pocl pocl-basic intel oclgrind rusticl)
what_is() {
  case $1 in
    pocl) echo 'PoCL, kernels on all processors, commands on threads of its own' ;;
    pocl-basic) echo 'PoCL, one thread: commands run in the thread that waits; user events hang' ;;
    intel) echo "Intel's runtime for processors, from PyPI" ;;
    oclgrind) echo 'Oclgrind, an interpreter that finds wrong accesses' ;;
    rusticl) echo "Mesa's rusticl on llvmpipe" ;;
  esac
}
refuse() { echo "opencl: $1; see scripts/opencl.sh --help" >&2; exit 2; }
absent() { echo "opencl: $1" >&2; exit 125; }
is_driver() { case " ${drivers[*]} " in *" $1 "*) [[ $1 =~ ^[a-z-]+$ ]] ;; *) return 1 ;; esac; }

vendors=${OPENCL_VENDORS:-/etc/OpenCL/vendors}
root=$top/build/opencl
# libimf, libsvml, libirng and libintlc are in a package that the first does not ask for. A new version is a new folder.
intel_packages=(intel-opencl-rt==2026.2.0 intel-cmplr-lib-rt==2026.2.0)
intel_venv=$root/intel/venv-2026.2.0

# The file or name that the loader opens for a driver; nothing where it is not there.
library_of() {
  local entry='' library=''
  case $1 in
    pocl | pocl-basic) entry=$vendors/pocl.icd ;;
    rusticl) entry=$vendors/rusticl.icd ;;
    oclgrind) library=${OPENCL_OCLGRIND:-/usr/lib/oclgrind/liboclgrind-rt-icd.so} ;;  # comes without an entry
    intel) library=$intel_venv/lib/libintelocl.so ;;
  esac
  if [ -n "$entry" ] && [ -r "$entry" ]; then library=$(head -n 1 "$entry"); fi
  if [ -n "$library" ] && can_be_loaded "$library"; then printf '%s\n' "$library"; fi
}
# An entry stays behind when its package goes. The system's list has a bare name under another version's number.
can_be_loaded() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) grep -qF -- "${1%%.so*}.so" <(PATH=$PATH:/usr/sbin:/sbin ldconfig -p) ;;
  esac
}

install_intel() {
  local part log
  mkdir -p "$root/intel"
  # One at a time; who waited finds it made.
  exec 8>"$root/intel/lock"
  flock 8
  if [ -n "$(library_of intel)" ]; then exec 8>&-; return; fi
  rm -rf "$root"/intel/*.part "$intel_venv"
  part=$intel_venv.part log=$root/intel/pip.log
  echo "opencl: installing ${intel_packages[*]} into build/opencl/intel" >&2
  if ! { python3 -m venv "$part" && "$part/bin/pip" install "${intel_packages[@]}"; } >"$log" 2>&1 8>&-; then
    tail -n 5 "$log" >&2
    rm -rf "$part"
    absent "Intel's runtime could not be installed, see above and build/opencl/intel/pip.log; without a network it cannot be had"
  fi
  # Only its libraries are used, so it may be moved; the name appears when all is there.
  mv -T "$part" "$intel_venv"
  exec 8>&-
}

# Installs a driver unless it is there.
provide() {
  if [ -n "$(library_of "$1")" ]; then return; fi
  if [ "${SETUP:-}" = skip ]; then absent "the driver '$1' is not installed, and SETUP=skip forbids to; scripts/opencl.sh --install $1 does"; fi
  "$top/scripts/setup.sh" --quiet opencl >&2 || absent "the packages of the driver '$1' could not be installed, see above"
  if [ "$1" = intel ]; then install_intel; fi
  [ -n "$(library_of "$1")" ] || absent "the packages are there, but no driver '$1' in $vendors"
}

[ $# -gt 0 ] || { usage >&2; exit 2; }
case $1 in
  -h | --help) usage; exit 0 ;;
  --list)
    [ $# -eq 1 ] || refuse "--list takes nothing"
    for one in "${drivers[@]}"; do
      state=missing
      if [ -n "$(library_of "$one")" ]; then state=present; fi
      printf '%-11s %-8s %s\n' "$one" "$state" "$(what_is "$one")"
    done
    exit 0
    ;;
  --install)
    shift
    if [ $# -eq 0 ]; then set -- "${drivers[@]}"; fi
    for one in "$@"; do is_driver "$one" || refuse "unknown driver '$one'; choose among: ${drivers[*]}"; done
    if [ "${SETUP:-}" = skip ]; then exit 0; fi
    for one in "$@"; do provide "$one"; done
    exit 0
    ;;
  -*) refuse "unknown option '$1'" ;;
esac

driver=$1 devices=1 cache='' why=no
is_driver "$driver" || refuse "unknown driver '$driver'; choose among: ${drivers[*]}"
shift
while [ $# -gt 0 ]; do
  case $1 in
    --devices | --cache)
      [ $# -ge 2 ] && [ "$2" != -- ] || refuse "$1 wants a value"
      if [ "$1" = --devices ]; then devices=$2; else cache=$2; fi
      shift
      ;;
    --why) why=yes ;;
    --) break ;;
    -*) refuse "unknown option '$1'" ;;
    *) refuse "put -- before the command '$1'" ;;
  esac
  shift
done
[[ $devices =~ ^[1-9][0-9]?$ ]] && [ "$devices" -le 64 ] || refuse "--devices $devices: a whole number from 1 to 64"
case $driver in
  pocl*) ;;
  *) [ "$devices" = 1 ] || refuse "--devices $devices: the driver '$driver' has one device" ;;
esac
if [ $why = yes ]; then
  [ $# -eq 0 ] || refuse "--why runs no command"
elif [ $# -lt 2 ]; then
  refuse "no command; put it behind --"
else
  shift
fi
cache=${cache:-$root/$driver/cache}
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac

settings=("OCL_ICD_VENDORS=$root/$driver/vendors")
case $driver in
  pocl*)
    kind=pthread
    if [ "$driver" = pocl-basic ]; then kind=basic; fi
    names=$kind
    for ((i = 1; i < devices; i++)); do names+=" $kind"; done
    settings+=("POCL_DEVICES=$names" "POCL_CACHE_DIR=$cache")
    ;;
  rusticl) settings+=("RUSTICL_ENABLE=swrast" "MESA_SHADER_CACHE_DIR=$cache") ;;
  # Intel's runtime and Oclgrind keep nothing on disk.
esac

if [ $why = no ]; then provide "$driver"; fi
library=$(library_of "$driver")
if [ $why = yes ]; then
  echo "driver:  $driver, $(what_is "$driver")"
  echo "library: ${library:-missing; scripts/opencl.sh --install $driver}"
  for setting in "${settings[@]}"; do echo "sets:    $setting"; done
  exit 0
fi

# The loader reads every *.icd of the folder; several of this script may write the same at once.
mkdir -p "$root/$driver/vendors" "$cache"
entry=$root/$driver/vendors/$driver.icd
if [ "$(cat "$entry" 2>/dev/null)" != "$library" ]; then
  printf '%s\n' "$library" >"$entry.$$"
  mv -f "$entry.$$" "$entry"
fi
# What the caller has set for drivers of its own would add to them, or change them.
unset OCL_ICD_FILENAMES OCL_ICD_DEFAULT_PLATFORM OPENCL_VENDOR_PATH OPENCL_LAYERS OPENCL_LAYER_PATH \
  POCL_DEVICES POCL_CACHE_DIR RUSTICL_ENABLE
export "${settings[@]}"
exec "$@"
