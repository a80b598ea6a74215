#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/build.sh PRESET [TARGET...]
# Configures and builds one preset of CMakePresets.json into build/PRESET. JOBS limits the compilers at work; TEST_SAMPLE=i/n leaves out
# test programs (XHAL_TEST_SAMPLE in cmake/XhalTest.cmake).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || { echo "build: name a preset: cmake --list-presets shows them" >&2; exit 2; }
preset=$1
shift
jobs=${JOBS:-$(nproc)}

# The configure step is worth reading only when it fails.
mkdir -p build
log=$(mktemp build/configure-XXXXXX.log)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" -DXHAL_TEST_SAMPLE="${TEST_SAMPLE:-}" >"$log" 2>&1; then
  cat "$log" >&2
  echo "build: configuring preset '$preset' failed; scripts/setup.sh --check tells whether a package is missing" >&2
  exit 1
fi
cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$@"}
