#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/bench-opencl.sh [--quick] [--programs DIR] [DRIVER...] [-- OPTION of xhal-bench...]

Measures xhal over real OpenCL drivers (of scripts/opencl.sh; default pocl, pocl-basic and intel), beside OpenCL's own calls, Unified Runtime and dpctl's
queue over the same driver in the same rounds, and replaces the drivers' tables in docs/performance.md. What is missing is installed: Debian packages,
Intel's runtime, and the two peers by pip into build/peers/opencl; with SETUP=skip in the environment nothing is, and peers that are not there take no part.

  --quick         few rows for a second; the tables are printed, and no page is written
  --programs DIR  the folder of xhal-bench; without, build/release is built

exit codes: 0 measured; 1 a goal is missed; 2 wrong usage; 125 a driver is not there; else that of xhal-bench
USAGE
}

quick=no programs='' drivers=() options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --quick) quick=yes ;;
    --programs)
      [ $# -ge 2 ] || { echo "bench-opencl: --programs wants a folder" >&2; exit 2; }
      programs=$2
      shift
      ;;
    --) shift; options=("$@"); break ;;
    -*) echo "bench-opencl: unknown option '$1'; see scripts/bench-opencl.sh --help" >&2; exit 2 ;;
    *) drivers+=("$1") ;;
  esac
  shift
done
if [ ${#drivers[@]} -eq 0 ]; then drivers=(pocl pocl-basic intel); fi

peers=$PWD/build/peers/opencl
if [ "${SETUP:-}" != skip ]; then
  scripts/setup.sh --quiet opencl
  if ! [ -e "$peers/venv/complete" ]; then
    echo "bench-opencl: installing Unified Runtime and dpctl into build/peers/opencl" >&2
    rm -rf "$peers/venv"
    mkdir -p "$peers"
    python3 -m venv "$peers/venv"
    # The headers are in the package of the compiler's runtime.
    "$peers/venv/bin/pip" install --quiet intel-cmplr-lib-ur==2026.2.0 intel-sycl-rt==2026.2.0 dpctl==0.22.1
    touch "$peers/venv/complete"
  fi
fi
mkdir -p "$peers"
cp bench/peers/dpctl_queue.py "$peers/"
if [ -z "$programs" ]; then
  # Configured anew: whether the peers' headers are there is looked at then.
  cmake --preset release >/dev/null
  scripts/build.sh release xhal-bench xhal_driver_opencl xhal_kernels xhal_bench_kernels
  programs=build/release/bin
fi

# Those that have OpenCL's own calls beside them, and the one on finding allocations.
rows=(--seconds 90)
for one in 'launch.*' 'event.*' 'stream.create_destroy' 'stream.wait_event/*' hostfn 'mem.*' 'ptr.attr/*' 'module.load/warm' kernel.lookup 'copy.*' 'fill*' \
  'graph.replay/*'; do
  rows+=(--filter "$one")
done
if [ $quick = yes ]; then
  rows=(--seconds 1 --restarts 1 --turns 1 --filter 'launch.changed/*' --filter 'copy.d2d/size=4096' --filter event.query)
fi
references=(--reference 'opencl*' --reference unified_runtime --reference dpctl --reference few)
worst=0
for driver in "${drivers[@]}"; do
  report=$peers/$driver.json code=0
  scripts/opencl.sh "$driver" -- "$programs/xhal-bench" --backend opencl --peers "$peers" --format json --output "$report" \
    "${rows[@]}" ${options[@]+"${options[@]}"} || code=$?
  if [ $code -gt 1 ]; then exit $code; fi
  if [ $code -gt $worst ]; then worst=$code; fi
  into=(--into docs/performance.md --block "opencl-$driver")
  if [ $quick = yes ]; then into=(); fi
  "$programs/xhal-bench" table "$report" "${references[@]}" ${into[@]+"${into[@]}"}
done
exit $worst
