# Of three reports of one lane: the text of docs/results/opencl/LANE.toml.
def list(name): if length == 0 then "\(name) = []" else "\(name) = [\n" + (map("  \(tojson),\n") | add) + "]" end;
def bad: .outcome != "passed" and .outcome != "skipped";
# The clauses that a failing test names: those of its assertions, or all of a test that ended by itself.
def named: if (.failures | length) > 0 then .failures[].clause | values else .clauses[] end;
def in_all: group_by(.) | map(select(length == 3) | .[0]);
. as $runs
| [$runs[].tests[] | select(bad) | .id] as $bad
| [$runs[].tests[] | select(.required and .outcome == "skipped") | .id] as $unseen
| ($bad | in_all) as $fails
| ((($bad | unique) - $fails) + $may_fail - $fails | unique) as $may_fail
| [$runs[] | [.tests[] | select(bad) | named] | unique[]] as $clauses
| "# SPDX-License-Identifier: Apache-2.0",
  "# Written by scripts/opencl-lanes.sh over three runs; a test holds each run against it.",
  "measured = \($runs[0] | [.driver.native_driver_version, .device.name, "suite " + .suite.commit[0:12]] | join("; ") | tojson)",
  "driver = \($driver | tojson)",
  "devices = \($devices)",
  "options = \($options | tojson)",
  "filters = \($filters | tojson)",
  "sample = \($sample | tojson)",
  "races = \($races)",
  "verdict = \($runs[0].verdict | tojson)",
  ($fails | list("fails")),
  ($may_fail | list("may_fail")),
  ($clauses | in_all | list("clauses")),
  ($unseen | in_all | list("not_observed")),
  (($unseen | unique) + $may_not_be_observed - ($unseen | in_all) | unique | list("may_not_be_observed"))
