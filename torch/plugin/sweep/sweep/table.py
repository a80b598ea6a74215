# SPDX-License-Identifier: Apache-2.0
"""The table: one line for each pair, sorted, the same each time; and what is better or worse than another one."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from sweep.known import CHECKS
from sweep.pairs import Pair
from sweep.report import Report

_COLUMNS = ("suite", "operator", "dtype", *CHECKS, "fallbacks", "reason")
_RANKS = {"native": 0, "fallback": 1, "refused": 2, "excluded": 3, "fail": 4}


@dataclass(frozen=True)
class Line:
    pair: Pair
    verdicts: tuple[str, ...]
    fallbacks: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return "\t".join((*self.pair, *self.verdicts, self.fallbacks or "-", self.reason or "-"))


def line_of(pair: Pair, report: Report) -> Line:
    short_names = sorted(name.removeprefix("aten::") for name in report.fallbacks)
    # The same reason of several checks is told once.
    checks_of: dict[str, list[str]] = {}
    for check in CHECKS:
        if report.verdicts[check] in ("refused", "excluded", "fail") or report.reasons.get(check, "").startswith("only"):
            checks_of.setdefault(report.reasons.get(check, ""), []).append(check)
    reason = "; ".join(f"{','.join(checks)}: {text}" for text, checks in checks_of.items())
    return Line(pair, tuple(report.verdicts[check] for check in CHECKS), ",".join(short_names), reason)


def write_table(lines: Iterable[Line], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\t".join(_COLUMNS) + "\n" + "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.pair)))


def read_table(path: Path) -> dict[Pair, Line]:
    lines = path.read_text().splitlines()
    if not lines or tuple(lines[0].split("\t")) != _COLUMNS:
        raise ValueError(f"{path} is no table of this program: its first line is not {' '.join(_COLUMNS)}")
    out = {}
    for number, text in enumerate(lines[1:], 2):
        fields = text.split("\t")
        verdicts = tuple(fields[3 : 3 + len(CHECKS)])
        if len(fields) != len(_COLUMNS) or any(word != "-" and word not in _RANKS for word in verdicts):
            raise ValueError(f"{path}:{number}: this is no line of a table: {text}")
        pair = Pair(*fields[:3])
        out[pair] = Line(pair, verdicts, fields[-2], fields[-1])
    return out


@dataclass
class Changes:
    """new: not in the former table; gone: in it, and not among all pairs that there are."""

    worse: list[str]
    better: list[str]
    new: list[str]
    gone: list[str]


def changes(lines: Iterable[Line], former: dict[Pair, Line], every: Iterable[Pair]) -> Changes:
    """Worse is a lower verdict, or a check that is not made any more."""
    out = Changes([], [], [], sorted(str(pair) for pair in set(former) - set(every)))
    for line in lines:
        before = former.get(line.pair)
        if before is None:
            out.new.append(str(line.pair))
            continue
        for check, was, now in zip(CHECKS, before.verdicts, line.verdicts):
            if was == now:
                continue
            text = f"{line.pair}: {check} is {now}, was {was}"
            is_worse = now == "fail" if was == "-" else now == "-" or _RANKS[now] > _RANKS[was]
            (out.worse if is_worse else out.better).append(text)
    return out


def summary(lines: Iterable[Line]) -> str:
    lines = list(lines)
    rows = []
    for number, check in enumerate(CHECKS):
        counted = Counter(line.verdicts[number] for line in lines)
        rows.append(f"{check:9}" + "".join(f"{counted.get(verdict, 0):7} {verdict}" for verdict in (*_RANKS, "-")))
    return "\n".join(rows)
