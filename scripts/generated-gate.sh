#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: scripts/generated-gate.sh FILE PERCENT
# Fails unless of the generated faults that FILE (xhal-conform faults --generated --json) counts at least PERCENT are killed, and none that is
# listed as equivalent was.
set -euo pipefail

[[ $# -eq 2 && -r $1 && $2 =~ ^[0-9]+$ ]] || { echo "generated-gate: name the JSON and the percentage" >&2; exit 2; }
exec python3 - "$1" "$2" <<'END'
import json
import sys

report = json.load(open(sys.argv[1]))
killed, total, wanted = report["killed"], report["total"], int(sys.argv[2])
print(f"{killed} of {total} generated faults killed, {wanted} % wanted; refuted: {report['refuted']}")
sys.exit(not (total > 0 and killed * 100 >= wanted * total and not report["refuted"] and not report["incomplete"]))
END
