#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/accept-abi.sh [BUILD_DIR]
# Writes tests/abi-dump/golden/ anew from the headers, after checking that the ABI of the last commit only grew at its tails. A golden
# file that was never committed has promised nothing and is replaced as it is.
# exit codes: 0 accepted; 1 refused, with the reasons; 2 it could not be built
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build/dev}

if ! [ -f "$build/CMakeCache.txt" ]; then cmake --preset dev -B "$build" >/dev/null || exit 2; fi
cmake --build "$build" --target xhal_abi_dump_current || { echo "accept-abi: the dump could not be made; is clang-15 there? (scripts/setup.sh kernels)" >&2; exit 2; }
abi_dump=$build/tests/bin/abi-dump
dump=$(find "$build" -name current.txt -path '*abi-dump*' | head -n 1)
version=$(sed -n 's/^abi \([0-9.]*\) .*/\1/p' "$dump")
golden=tests/abi-dump/golden/xhal-$version.txt

former=$(mktemp)
trap 'rm -f "$former"' EXIT
if git show "HEAD:$golden" >"$former" 2>/dev/null; then
  "$abi_dump" grew "$former" "$dump" || {
    echo "accept-abi: refused: contract $version is committed and this change breaks it; see tests/abi-dump/README.md" >&2
    exit 1
  }
fi
mkdir -p "${golden%/*}"
cp "$dump" "$golden"
echo "accept-abi: wrote $golden"
