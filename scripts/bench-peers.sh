#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/bench-peers.sh [OPTION of xhal-bench...]
# Measures the simulator beside other runtimes on the same processors, in the same rounds: IREE's HAL, PoCL
# (scripts/opencl.sh), and the simple fake device. What is missing is installed: packages by apt, IREE by pip into
# build/peers. Writes the table of docs/performance.md; the exit code is that of xhal-bench: 1 when a goal is missed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

iree=3.13.0
peers=$PWD/build/peers
if [ "${SETUP:-}" != skip ]; then scripts/setup.sh --quiet opencl; fi
if ! [ -x "$peers/venv/bin/iree-benchmark-module" ]; then
  mkdir -p "$peers"
  python3 -m venv "$peers/venv"
  "$peers/venv/bin/pip" install --quiet "iree-base-compiler==$iree" "iree-base-runtime==$iree"
fi
if ! [ -s "$peers/dispatch.vmfb" ]; then
  # IREE's own benchmark of one dispatch: made from a function that adds four numbers.
  cat >"$peers/add.mlir" <<'MLIR'
func.func @add(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = arith.addf %a, %b : tensor<4xf32>
  return %0 : tensor<4xf32>
}
MLIR
  cpu=(--iree-hal-target-device=local --iree-hal-local-target-device-backends=llvm-cpu --iree-llvmcpu-target-cpu=generic)
  rm -rf "$peers/dispatches"
  "$peers/venv/bin/iree-compile" "${cpu[@]}" --iree-hal-dump-executable-benchmarks-to="$peers/dispatches" \
    "$peers/add.mlir" -o "$peers/add.vmfb"
  "$peers/venv/bin/iree-compile" "${cpu[@]}" "$peers"/dispatches/*.mlir -o "$peers/dispatch.vmfb"
fi
scripts/build.sh release xhal-bench xhal_driver_sim xhal_kernels xhal_bench_kernels
code=0
scripts/opencl.sh pocl -- build/release/bin/xhal-bench --backend sim --peers "$peers" --filter 'launch.throughput/*' --filter 'launch.roundtrip/*' --filter 'launch.submit/*' \
  --filter 'event.*' --filter 'stream.wait_event/call' --format json --output build/peers/report.json "$@" || code=$?
if [ "$code" -gt 1 ]; then exit "$code"; fi
build/release/bin/xhal-bench table build/peers/report.json --reference 'iree*' --reference 'opencl*' --reference simple_fake_device \
  --into docs/performance.md --block peers
exit "$code"
