#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/fuzz.sh SECONDS
# Fuzzes the reader of manifests for so long. What it learns is kept in build/fuzz/corpus and is where the next run starts; an input that
# makes it fail is left in build/fuzz: add it to hal/discovery/fuzz/corpus with the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ ${1-} =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: say for how many seconds: scripts/fuzz.sh SECONDS" >&2; exit 2; }
scripts/build.sh dev xhal_manifest_fuzz
mkdir -p build/fuzz/corpus
exec build/dev/tests/bin/xhal_manifest_fuzz -max_total_time="$1" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix=build/fuzz/ -dict=hal/discovery/fuzz/manifest.dict build/fuzz/corpus hal/discovery/fuzz/corpus
