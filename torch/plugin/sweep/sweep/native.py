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
# Groups of the list. A name that begins with a group's prefix stands there without it; else a pattern, else its kind in op_db decides.
_MODULES = ("nn.functional.", "masked.", "linalg.", "special.", "signal.", "fft.")
_PATTERNS = {
    "random numbers": r"bernoulli|cauchy|exponential|geometric|log_normal|multinomial|normal.*|rand.*|uniform",
    "factories": r"(new_)?(empty|full|ones|zeros)(_.*)?|arange|eye|(lin|log)space.*|scalar_tensor|tri[lu]_indices|zero_",
    "products": r"add(b|m)m.*|add[mr]v?|b(add)?bmm.*|bmm.*|mm|mv|v?dot|inner|outer|(__r)?matmul(__)?|einsum|tensordot|kron",
    "order and running sums": r"(arg|m)?sort|topk|kthvalue|mode|(nan)?(median|quantile)|(log)?cum.*",
}
_KINDS = ("elementwise, one operand", "elementwise, two operands", "reductions", "moves, views and all else")


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


def _group_of(name: str, kinds: Mapping[str, str]) -> str:
    of_module = next((f"`torch.{prefix[:-1]}`" for prefix in _MODULES if name.startswith(prefix)), None)
    by_pattern = next((group for group, pattern in _PATTERNS.items() if re.fullmatch(pattern, name)), None)
    return of_module or by_pattern or kinds.get(name, _KINDS[-1])


def _kinds() -> Mapping[str, str]:
    from torch.testing._internal.opinfo.core import BinaryUfuncInfo, ReductionOpInfo, UnaryUfuncInfo

    from sweep import pairs

    kinds = dict(zip((UnaryUfuncInfo, BinaryUfuncInfo, ReductionOpInfo), _KINDS))
    return {name: next((kind for of, kind in kinds.items() if isinstance(op, of)), _KINDS[-1]) for name, op in pairs.operators().items()}


def native_list(names: Iterable[str]) -> str:
    """A table in Markdown: a row for each group, names in backticks."""
    kinds, groups = _kinds(), defaultdict(list)
    for name in names:
        group = _group_of(name, kinds)
        groups[group].append(name.removeprefix(_prefix_of(group)))
    rows = ["| group | operators |", "| --- | --- |"]
    for group in (*_KINDS[:-1], *_PATTERNS, _KINDS[-1], *(f"`torch.{prefix[:-1]}`" for prefix in _MODULES)):
        if groups.get(group):
            rows.append(f"| {group} | {', '.join(f'`{name}`' for name in groups[group])} |")
    return "\n".join(rows)


def _prefix_of(group: str) -> str:
    return next((prefix for prefix in _MODULES if group == f"`torch.{prefix[:-1]}`"), "")


def _between(text: str, name: str) -> "re.Match[str]":
    found = re.search(rf"(?<=<!-- {re.escape(name)} -->\n).*?(?=<!-- end of {re.escape(name)} -->)", text, re.DOTALL)
    if found is None:
        raise ValueError(f"there is no part between <!-- {name} --> and <!-- end of {name} -->")
    return found


def listed(document: Path) -> list[str]:
    """The whole names of what the document lists."""
    rows = [row.split("|") for row in _between(document.read_text(), "native operators").group().splitlines()[2:]]
    return [_prefix_of(row[1].strip()) + name for row in rows for name in _NAMES.findall(row[2])]


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
    shares = [f"{len(native(lines, suite))} of {len(of_operators(lines, suite))} {word}"
              for suite, word in (("op", "operators"), ("module", "modules"), ("optim", "optimisers"))]
    counts.append(f"Native in every check of every type that kernels know: {', '.join(shares)}.")
    _replace(docs / "results" / "torch" / "README.md", f"counts over {driver}", "\n".join(counts))
    _replace(docs / "torch.md", "native operators", native_list(native(lines)))
