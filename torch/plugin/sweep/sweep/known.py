# SPDX-License-Identifier: Apache-2.0
"""known.toml: which refusals are right, what is excluded and why."""
from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.pairs import Pair

CHECKS = ("forward", "gradient", "out", "inplace", "strided")
_FIELDS = {
    "refused": {"text", "why"},
    "contents": {"operator", "why"},
    "host_arguments": {"operator", "why"},
    "exclude": {"suite", "operator", "dtypes", "checks", "text", "never_run", "why", "link"},
}


@dataclass(eq=False)
class Entry:
    operator: str = ".*"
    why: str = ""
    link: str = ""
    suite: str = "op"
    dtypes: list[str] | None = None
    checks: tuple[str, ...] = CHECKS
    text: str = ""
    never_run: bool = False

    def is_about(self, pair: Pair) -> bool:
        return (
            self.suite == pair.suite
            and (self.dtypes is None or pair.dtype in self.dtypes)
            and re.fullmatch(self.operator, pair.operator) is not None
        )

    def __str__(self) -> str:
        what = f"'{self.text}'" if self.operator == ".*" else self.operator
        return f"{self.suite} {what} {','.join(self.dtypes or ['all types'])} ({self.why})"


@dataclass
class Known:
    refused: list[Entry] = field(default_factory=list)
    contents: list[Entry] = field(default_factory=list)
    host_arguments: list[Entry] = field(default_factory=list)
    exclude: list[Entry] = field(default_factory=list)

    def refusal(self, text: str) -> Entry | None:
        return next((entry for entry in self.refused if re.search(entry.text, text)), None)

    def has_contents(self, pair: Pair) -> bool:
        return not any(entry.is_about(pair) for entry in self.contents)

    def keeps_arguments_on_host(self, pair: Pair) -> bool:
        return any(entry.is_about(pair) for entry in self.host_arguments)

    def exclusion(self, pair: Pair, check: str, text: str) -> Entry | None:
        for entry in self.exclude:
            if entry.is_about(pair) and check in entry.checks and re.search(entry.text, text):
                return entry
        return None

    def is_never_run(self, pair: Pair) -> Entry | None:
        return next((entry for entry in self.exclude if entry.never_run and entry.is_about(pair)), None)


def _entry(kind: str, given: dict[str, Any], where: str) -> Entry:
    wrong = set(given) - _FIELDS[kind]
    if wrong:
        raise ValueError(f"{where}: {kind} has no field {', '.join(sorted(wrong))}")
    if not given.get("why"):
        raise ValueError(f"{where}: an entry of {kind} gives no reason ('why'): {given}")
    checks = tuple(given.get("checks", CHECKS))
    if set(checks) - set(CHECKS):
        raise ValueError(f"{where}: {given}: checks are {', '.join(CHECKS)}")
    for name in ("operator", "text"):
        try:
            re.compile(given.get(name, ""))
        except re.error as error:
            raise ValueError(f"{where}: {given}: {error}") from error
    return Entry(**{**given, "checks": checks})


def read_known(path: Path) -> Known:
    with path.open("rb") as file:
        given = tomllib.load(file)
    if set(given) - set(_FIELDS):
        raise ValueError(f"{path}: lists are {', '.join(_FIELDS)}, not {', '.join(sorted(set(given) - set(_FIELDS)))}")
    return Known(**{kind: [_entry(kind, one, str(path)) for one in entries] for kind, entries in given.items()})
