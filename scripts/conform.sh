#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Judges a backend, over each of the vendor's drivers that this project installs for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/conform.sh BACKEND [OPTION of xhal-conform...]

Runs xhal-conform --backend BACKEND with the options. BACKEND opencl is run once over each of these, on the level full unless --level is
given, and a summary closes the output:

  pocl      PoCL, one device
  pocl-2    PoCL, two devices
  intel     Intel's runtime for processors

In the options {run} becomes the run's name; an option that names a file to write (--report, --resume, --bundle) must have it for opencl, as
in --report json=build/{run}.json. CONFORM names another program to run in place of build/dist/bin/xhal-conform.

exit codes: that of xhal-conform, with opencl the largest of all runs; 2 wrong usage; 125 a driver could not be installed; 130 interrupted, and
            the runs behind are left out
USAGE
}

refuse() { echo "conform: $1; see scripts/conform.sh --help" >&2; exit 2; }
[ $# -gt 0 ] || { usage >&2; exit 2; }
case $1 in
  -h | --help) usage; exit 0 ;;
  -* | '') refuse "name the backend first, not '$1'" ;;
esac
backend=$1
shift
program=${CONFORM:-build/dist/bin/xhal-conform}
if [ "$backend" != opencl ]; then exec "$program" --backend "$backend" "$@"; fi

level=(--level full)
words=("$@")
for ((i = 0; i < ${#words[@]}; i++)); do
  case ${words[i]} in
    --level | --level=*) level=() ;;
    --report | --resume | --bundle)
      file=${words[i + 1]-}
      case $file in
        '' | *'{run}'* | *=-) ;;
        *) refuse "'${words[i]} $file' would be written by each run over the one before; put {run} into the name" ;;
      esac
      ;;
    --report=*-) ;;
    --report=* | --resume=* | --bundle=*)
      [[ ${words[i]} == *'{run}'* ]] || refuse "'${words[i]}' would be written by each run over the one before; put {run} into the name"
      ;;
  esac
done

meaning_of() {
  case $1 in
    0) echo passed ;;
    1) echo 'not passed' ;;
    2) echo 'wrong input' ;;
    3) echo 'nothing to test' ;;
    4) echo 'a defect of the suite' ;;
    125) echo 'no such driver here' ;;
    130) echo interrupted ;;
    *) echo 'ended unexpectedly' ;;
  esac
}

trap 'true' INT  # what runs is told, too, and ends by itself: the summary is still printed
worst=0 summary=()
for run in pocl:pocl:1 pocl-2:pocl:2 intel:intel:1; do
  IFS=: read -r name driver devices <<<"$run"
  echo "== opencl over $driver, devices: $devices"
  code=0
  scripts/opencl.sh "$driver" --devices "$devices" -- "$program" --backend opencl ${level[@]+"${level[@]}"} "${@//\{run\}/$name}" || code=$?
  summary+=("$(printf '%-8s exit code %d: %s' "$name" $code "$(meaning_of $code)")")
  if [ $code -gt $worst ]; then worst=$code; fi
  if [ $code = 130 ]; then break; fi
done
echo "== summary of opencl"
printf '%s\n' "${summary[@]}"
exit $worst
