# SPDX-License-Identifier: Apache-2.0
"""What was seen, its verdict, and how it is printed."""
from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

import torch

from torch_xhal import _C


class Exit(IntEnum):
    NATIVE = 0
    FALLBACK = 1
    USAGE = 2
    MISSING = 3
    FAILED = 4
    NOTHING = 5


MEANINGS = {
    Exit.NATIVE: "every operator on the device is native",
    Exit.FALLBACK: "some operators ran on the host, on copies",
    Exit.USAGE: "wrong usage: no such file, module or name, or no device",
    Exit.MISSING: "the program stopped at an operator that the device does not have",
    Exit.FAILED: "the program itself raised, or ended with an exit code other than 0",
    Exit.NOTHING: "no operator ran on the device: did the program move its model there?",
}


@dataclass
class Operator:
    name: str
    verdict: str  # native, fallback, missing
    calls: int
    fallbacks: int
    seconds: float


@dataclass
class Result:
    target: str
    environment: dict[str, str]
    operators: list[Operator] = field(default_factory=list)
    error: str = ""
    verdict: Exit = Exit.NOTHING
    waited: bool = False

    def counted(self, verdict: str) -> list[Operator]:
        return [one for one in self.operators if one.verdict == verdict]

    def as_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "target": self.target,
            "environment": self.environment,
            "verdict": self.verdict.name.lower(),
            "exit_code": int(self.verdict),
            "error": self.error,
            "seconds_have_the_device_in_them": self.waited,
            "operators": [asdict(one) for one in self.operators],
        }


def environment(index: int) -> dict[str, str]:
    properties = _C.properties(index)
    return {
        "device": str(properties["name"]),
        "driver": f"{properties['driver']} {properties['driver_version']}",
        "torch": torch.__version__,
        "fallback": _C.fallback_mode(),
    }


def _verdict_of(name: str, seen: dict[str, Any], stopped_at: str) -> str:
    has_no_kernel = seen["failures"] and not seen["has_kernel"]
    if name == stopped_at or has_no_kernel:
        return "missing"
    return "fallback" if seen["fallbacks"] else "native"


def operators(stopped_at: str) -> list[Operator]:
    """stopped_at: the operator whose NotImplementedError ended the program."""
    out = [
        Operator(name, _verdict_of(name, seen, stopped_at), seen["calls"], seen["fallbacks"], seen["seconds"])
        for name, seen in _C.observed().items()
    ]
    order = ("missing", "fallback", "native")
    return sorted(out, key=lambda one: (order.index(one.verdict), -one.seconds, one.name))


def verdict_line(result: Result) -> str:
    """The last line that is printed."""
    native, fallback, missing = (result.counted(word) for word in ("native", "fallback", "missing"))
    runs = sum(one.fallbacks for one in fallback)
    parts = [f"{len(native)} operators native"]
    if fallback:
        parts.append(f"{len(fallback)} by the host ({runs} runs)")
    if missing:
        parts.append(f"missing: {', '.join(one.name for one in missing)}")
    text = f"check: {result.verdict.name}: {MEANINGS[result.verdict]}; {', '.join(parts)}"
    return f"{text}; {result.error}" if result.error else text


def as_text(result: Result) -> str:
    total = sum(one.seconds for one in result.operators) or 1.0
    width = max((len(one.name) for one in result.operators), default=8)
    kind = "host+device" if result.waited else "host"
    lines = [", ".join(f"{name} {value}" for name, value in result.environment.items())]
    lines.append(f"{'operator':{width}}  {'verdict':8}  {'calls':>9}  {'fallbacks':>9}  {kind + ' ms':>14}  {'share':>6}")
    for one in result.operators:
        lines.append(f"{one.name:{width}}  {one.verdict:8}  {one.calls:9}  {one.fallbacks:9}  {one.seconds * 1e3:14.3f}  {one.seconds / total:6.1%}")
    return "\n".join(lines + [verdict_line(result)])


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a; background: #fff }
table { border-collapse: collapse; width: 100% } th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #ddd }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left } td:first-child { font-family: ui-monospace, monospace }
.native { color: #116329 } .fallback { color: #8a4b00 } .missing { color: #b00020; font-weight: 600 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
dt { color: #555 } dd { margin: 0 }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #161616 } th, td { border-color: #3a3a3a } dt { color: #aaa }
.native { color: #6fdd8b } .fallback { color: #f0b35e } .missing { color: #ff7b8e } }
"""


def as_html(result: Result) -> str:
    """One file that needs no other, and no network."""
    total = sum(one.seconds for one in result.operators) or 1.0
    kind = "host and device" if result.waited else "host"
    rows = "\n".join(
        f'<tr><td>{html.escape(one.name)}</td><td class="{one.verdict}">{one.verdict}</td><td>{one.calls}</td><td>{one.fallbacks}</td>'
        f"<td>{one.seconds * 1e3:.3f}</td><td>{one.seconds / total:.1%}</td></tr>"
        for one in result.operators
    )
    facts = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in result.environment.items())
    title = html.escape(f"{result.target}: {result.verdict.name.lower()}")
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style></head>
<body><h1>{title}</h1><p>{html.escape(verdict_line(result))}</p><dl>{facts}</dl>
<table><thead><tr><th>operator</th><th>verdict</th><th>calls</th><th>fallbacks</th><th>{kind} ms</th><th>share</th></tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""
