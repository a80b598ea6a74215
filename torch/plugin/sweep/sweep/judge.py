# SPDX-License-Identifier: Apache-2.0
"""Failures against known.toml: what an entry expects is excluded by it, and an entry that nothing needs is told of."""
from __future__ import annotations

from typing import Iterable, Iterator

from sweep.known import CHECKS, Entry, Known
from sweep.pairs import Pair
from sweep.report import Report


def _excluded(report: Report, check: str, entry: Entry) -> None:
    report.verdicts[check] = "excluded"
    report.reasons[check] = f"{entry.why} {entry.link}".strip()


def judge(found: Iterable[tuple[Pair, Report]], never: dict[Pair, Entry], known: Known, needed: set[Entry]) -> Iterator[tuple[Pair, Report]]:
    for pair, entry in never.items():
        report = Report()
        for check in CHECKS:
            if check in entry.checks:
                _excluded(report, check, entry)
        yield pair, report
    for pair, report in found:
        for check in CHECKS:
            verdict, reason = report.verdicts[check], report.reasons.get(check, "")
            entry = {"fail": lambda: known.exclusion(pair, check, reason), "refused": lambda: known.refusal(reason)}.get(verdict, lambda: None)()
            if entry is not None:
                needed.add(entry)
                if verdict == "fail":
                    _excluded(report, check, entry)
        yield pair, report


def unneeded(known: Known, needed: set[Entry], chosen: list[Pair], every: list[Pair], is_whole: bool) -> list[Entry]:
    """Of the entries whose pairs were all run; a refusal is about any pair there is."""
    run = set(chosen)
    return [entry for entry in known.refused if is_whole and entry not in needed] + [
        entry
        for entry in known.exclude
        if entry not in needed and not entry.never_run and all(pair in run for pair in every if entry.is_about(pair))
        and any(entry.is_about(pair) for pair in every)
    ]
