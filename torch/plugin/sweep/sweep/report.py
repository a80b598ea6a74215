# SPDX-License-Identifier: Apache-2.0
"""What was found for one pair, and the device that it was found on."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable

import torch

from sweep.known import CHECKS, Known
from sweep.pairs import Pair

# From best to worst; a check is as good as its worst sample.
VERDICTS = ("-", "native", "fallback", "refused", "excluded", "fail")


def short(text: str) -> str:
    """One line that is the same each time: no addresses, no stack of C++."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = re.sub(r"0x[0-9a-f]+", "0x..", line.replace("\t", " "))
    return line if len(line) <= 240 else line[:237] + "..."


@dataclass
class Report:
    """Plain data, as it goes from a worker to the parent."""

    verdicts: dict[str, str] = field(default_factory=lambda: dict.fromkeys(CHECKS, "-"))
    reasons: dict[str, str] = field(default_factory=dict)
    fallbacks: set[str] = field(default_factory=set)
    samples: int = 0
    seconds: float = 0.0

    def add(self, check: str, verdict: str, reason: str = "") -> None:
        if VERDICTS.index(verdict) > VERDICTS.index(self.verdicts[check]):
            self.verdicts[check] = verdict
            if reason:
                self.reasons[check] = short(reason)

    def fail(self, check: str, reason: str) -> None:
        self.add(check, "fail", reason)

    @property
    def has_failed(self) -> bool:
        return "fail" in self.verdicts.values()


class Refused(Exception):
    """What the device ran did not return; the report has it."""


class Target:
    """The device under test: runs things there and enters into the report how."""

    def __init__(self, device: str, known: Known) -> None:
        self.device = torch.device(device)
        self.known = known
        self._C: Any = None
        if self.device.type != "cpu":
            from torch_xhal import _C

            self._C = _C

    def run(self, report: Report, check: str, call: Callable[[], Any], where: str) -> Any:
        """The result and whether it was native; raises Refused when there is none."""
        if self._C:
            self._C.reset_fallback_counts()
        try:
            result = call()
        except NotImplementedError as error:
            text = f"{where}: {short(str(error))}"
            report.add(check, "refused" if self.known.refusal(text) else "fail", f"NotImplementedError: {text}")
            raise Refused from None
        except Exception as error:
            report.fail(check, f"{where}: {type(error).__name__}: {short(str(error))}")
            raise Refused from None
        used = set(self._C.fallback_counts()) if self._C else set()
        report.fallbacks |= used
        report.add(check, "fallback" if used else "native")
        return result

    def result(self, report: Report, check: str, where: str, look: Callable[[], str | None]) -> None:
        """Looks at a result. What went wrong on the device may be told of only now."""
        try:
            text = look()
        except Exception as error:
            text = f"{type(error).__name__}: {short(str(error))}"
        if text is not None:
            report.fail(check, f"{where}: {' '.join(text.split())}")


@dataclass
class Subject:
    """What a worker is given with each pair."""

    pair: Pair
    target: Target
    known: Known
    report: Report = field(default_factory=Report)

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, self.pair.dtype)
