#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: opencl_references.sh XHAL_BENCH SOURCE_ROOT
# Over PoCL, a row that is measured has OpenCL's own calls beside it, or `describe` says why it has not; never both.
set -euo pipefail
bench=$1 root=$2
report=$(mktemp)
trap 'rm -f "$report"' EXIT
code=0
SETUP=skip "$root/scripts/opencl.sh" pocl --cache "${report%/*}/xhal-bench-pocl" -- "$bench" --backend opencl --seconds 3 --restarts 1 --turns 1 \
  --format json --output "$report" --filter 'call.*' --filter 'launch.*' --filter 'event.*' --filter 'stream.*' --filter hostfn --filter 'mem.*' --filter 'fill*' \
  --filter 'module.load/warm' --filter kernel.lookup --filter 'copy.*/size=4096' --filter 'graph.*' --filter 'gap.*' >/dev/null || code=$?
[[ $code -le 1 ]] || { echo "exit code $code"; exit 1; }
python3 - "$report" <(exec "$bench" describe '*') <<'P'
import json, sys
report = json.load(open(sys.argv[1]))
told = {}
for line in open(sys.argv[2]):
    if not line.startswith(" "):
        name = line.strip()
    elif line.startswith("  opencl "):
        told[name] = line.split(None, 1)[1].strip()
beside = 0
for row in report["rows"]:
    name = row["name"]
    assert row["state"] in ("measured", "not here"), (name, row["state"], row["why"])
    text = told[name]
    is_without = text.startswith("no reference available: ")
    assert is_without or text == "its own calls are beside it when the driver is opencl", (name, text)
    if row["state"] == "not here":
        continue
    has = any(one["reference"].startswith("opencl") for one in row["comparisons"])
    assert has != is_without, (name, text, [one["reference"] for one in row["comparisons"]])
    beside += has
assert beside > 40, beside
print(beside, "rows beside OpenCL's own calls")
P
