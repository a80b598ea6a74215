#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: measures_every_row.sh XHAL_BENCH
# Every row of the list is measured over the simulator, quickly, has a value, and a ratio with an interval to each reference.
set -euo pipefail
bench=$1
report=$(mktemp)
trap 'rm -f "$report"' EXIT
code=0
"$bench" --backend sim --seconds 3 --restarts 1 --turns 1 --format json --output "$report" >/dev/null || code=$?
[[ $code -le 1 ]] || { echo "exit code $code"; exit 1; }
python3 - "$report" <(exec "$bench" --list) <<'P'
import json, sys
report = json.load(open(sys.argv[1]))
names = open(sys.argv[2]).read().split("\n")[:-1]
assert report["schema"] == "xhal-bench/1", report["schema"]
assert [row["name"] for row in report["rows"]] == names
for row in report["rows"]:
    assert ("regime=" + row["regime"]) in row["parameters"].split(",") or row["regime"] == "warm", row["name"]
    assert row["state"] in ("measured", "not here"), (row["name"], row["state"], row["why"])
    if row["state"] == "not here":
        assert row["why"], row["name"]
        continue
    assert row["comparisons"], row["name"]
    assert len(row["restarts"]) == 1, row["name"]
    counted = [one for one in row["comparisons"] if one["median"] is not None]
    for one in counted:
        assert one["low"] <= one["median"] <= one["high"], (row["name"], one)
print(len(names), "rows")
P
