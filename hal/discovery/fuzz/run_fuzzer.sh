#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_fuzzer.sh <fuzzer> <corpus> <dictionary>: a bounded run that leaves nothing behind but a crashing input, which it names.
set -euo pipefail

fuzzer=$1 corpus=$2 dictionary=$3
scratch=$(mktemp -d)
artifacts=$(mktemp -d)
trap 'rm -rf "$scratch"; rmdir "$artifacts" 2>/dev/null || true' EXIT
"$fuzzer" -runs=20000 -max_total_time=60 -seed=1 -max_len=4096 -timeout=5 -rss_limit_mb=1024 \
  -dict="$dictionary" -artifact_prefix="$artifacts/" -print_final_stats=0 "$scratch" "$corpus"
