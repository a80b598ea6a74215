#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/bench-page.sh [OPTION of xhal-bench...]
# Measures every row of the simulator and writes the table of goals in docs/performance.md. The exit code is that of xhal-bench: 1 when a goal is missed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/build.sh release xhal-bench xhal-info xhal_driver_sim xhal_kernels xhal_bench_kernels
code=0
build/release/bin/xhal-bench --backend sim --seconds 120 --format json --output build/bench-page.json "$@" || code=$?
if [ "$code" -gt 1 ]; then exit "$code"; fi
build/release/bin/xhal-bench table build/bench-page.json --into docs/performance.md --block goals
exit "$code"
