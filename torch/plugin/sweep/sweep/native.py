# SPDX-License-Identifier: Apache-2.0
"""Which operators are native in whole, and the documents that say so: all of it is read out of the table."""
from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Iterable, Mapping

from sweep.table import Line, summary

# The types that kernels of the device know. Of all others nothing is said here.
KERNEL_DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
_NAMES = re.compile(r"`([^`]+)`")
# Groups of the list by the beginning of the name; what is shown behind it. What begins with none is grouped by its kind.
_PREFIXES = {"nn.functional.": "", "masked.": "masked.", "linalg.": "linalg.", "special.": "special.", "signal.": "signal.", "fft.": "fft."}
_ABOUT = {
    "one": "elementwise, one operand",
    "two": "elementwise, two operands",
    "reduction": "reductions",
    "rest": "moves, views, factories, products, random numbers",
    "nn.functional.": "`torch.nn.functional`",
    "masked.": "`torch.masked`",
    "linalg.": "`torch.linalg`",
    "special.": "`torch.special`",
    "signal.": "`torch.signal`",
    "fft.": "`torch.fft`",
}


def of_operators(lines: Iterable[Line], suite: str = "op") -> dict[str, list[Line]]:
    out = defaultdict(list)
    for line in lines:
        if line.pair.suite == suite and line.pair.dtype in KERNEL_DTYPES:
            out[line.pair.operator].append(line)
    return dict(out)


def is_native(lines: list[Line]) -> bool:
    """In every check of every type that kernels know."""
    verdicts = {verdict for line in lines for verdict in line.verdicts}
    return "native" in verdicts and verdicts <= {"native", "-"}


def native(lines: Iterable[Line], suite: str = "op") -> list[str]:
    return sorted(name for name, of_one in of_operators(lines, suite).items() if is_native(of_one))


def _kinds() -> Mapping[str, str]:
    from torch.testing._internal.opinfo.core import BinaryUfuncInfo, ReductionOpInfo, UnaryUfuncInfo

    from sweep import pairs

    classes = {"one": UnaryUfuncInfo, "two": BinaryUfuncInfo, "reduction": ReductionOpInfo}
    return {name: next((kind for kind, of in classes.items() if isinstance(op, of)), "rest") for name, op in pairs.operators().items()}


def native_list(names: Iterable[str]) -> str:
    """A table in Markdown: a row for each group, names in backticks."""
    kinds, groups = _kinds(), defaultdict(list)
    for name in names:
        groups[next((prefix for prefix in _PREFIXES if name.startswith(prefix)), kinds.get(name, "rest"))].append(name)
    rows = ["| group | operators |", "| --- | --- |"]
    rows += [f"| {about} | {', '.join(f'`{name}`' for name in groups[group])} |" for group, about in _ABOUT.items() if groups.get(group)]
    return "\n".join(rows)


def _between(text: str, name: str) -> "re.Match[str]":
    found = re.search(rf"(?<=<!-- {re.escape(name)} -->\n).*?(?=<!-- end of {re.escape(name)} -->)", text, re.DOTALL)
    if found is None:
        raise ValueError(f"there is no part between <!-- {name} --> and <!-- end of {name} -->")
    return found


def listed(document: Path) -> list[str]:
    """The names that the document lists, as they stand there."""
    rows = _between(document.read_text(), "native operators").group().splitlines()
    return [name for row in rows[2:] for name in _NAMES.findall(row.split("|")[2])]


def _replace(document: Path, name: str, text: str) -> None:
    old = document.read_text()
    part = _between(old, name)
    document.write_text(old[: part.start()] + text + "\n" + old[part.end() :])


def check_documents(docs: Path, driver: str) -> None:
    """ValueError when there is no place for what a record writes."""
    _between((docs / "results" / "torch" / "README.md").read_text(), f"counts over {driver}")
    _between((docs / "torch.md").read_text(), "native operators")


def write_documents(lines: list[Line], docs: Path, driver: str, minutes: float) -> None:
    """docs/torch.md's list and the counts beside the tables."""
    import platform

    import torch

    counts = [f"{len(lines)} pairs over `{driver}`, PyTorch {torch.__version__.split('+')[0]}, Python {platform.python_version()}, "
              f"{platform.machine()}, {minutes:.0f} minutes.", "", "```", summary(lines), "```", ""]
    for suite, word in (("op", "operators"), ("module", "modules"), ("optim", "optimisers")):
        counts.append(f"Native in every check of every type that kernels know: {len(native(lines, suite))} of {len(of_operators(lines, suite))} {word}.")
    _replace(docs / "results" / "torch" / "README.md", f"counts over {driver}", "\n".join(counts))
    _replace(docs / "torch.md", "native operators", native_list(native(lines)))
