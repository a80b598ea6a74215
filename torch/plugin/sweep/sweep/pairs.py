# SPDX-License-Identifier: Apache-2.0
"""What is there to run: the pairs of the three databases, and choices among them."""
from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Any, Iterable, NamedTuple

import torch

SUITES = ("op", "module", "optim")
# Optimisers name no types; these are the ones that parameters have.
OPTIMIZER_DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)


class Pair(NamedTuple):
    suite: str
    operator: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.suite} {self.operator} {self.dtype}"


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@cache
def operators() -> dict[str, Any]:
    from torch.testing._internal import common_methods_invocations

    # The entries of random operators seed with one number each time, which would hide that they draw.
    common_methods_invocations.wrapper_set_seed = lambda op, *args, **kwargs: op(*args, **kwargs)
    op_db = common_methods_invocations.op_db
    return {op.full_name: op for op in op_db}


@cache
def modules() -> dict[str, Any]:
    from torch.testing._internal.common_modules import module_db

    return {info.name: info for info in module_db}


@cache
def optimizers() -> dict[str, Any]:
    from torch.testing._internal.common_optimizers import optim_db

    return {info.optim_cls.__name__: info for info in optim_db}


def all_pairs(suites: Iterable[str]) -> list[Pair]:
    """Sorted, so that tables of two runs can be laid side by side."""
    found = []
    for suite in suites:
        if suite == "op":
            found += [Pair(suite, name, dtype_name(dtype)) for name, op in operators().items() for dtype in op.supported_dtypes("cpu")]
        elif suite == "module":
            found += [Pair(suite, name, dtype_name(dtype)) for name, info in modules().items() for dtype in info.supported_dtypes("cpu")]
        else:
            found += [Pair(suite, name, dtype_name(dtype)) for name in optimizers() for dtype in OPTIMIZER_DTYPES]
    return sorted(found)


def chosen(pairs: list[Pair], operators: str | None, dtypes: list[str] | None) -> list[Pair]:
    """operators: a regular expression for the whole name."""
    return [
        pair
        for pair in pairs
        if (operators is None or re.fullmatch(operators, pair.operator)) and (dtypes is None or pair.dtype in dtypes)
    ]


def sample_of(pairs: list[Pair], count: int, seed: str) -> list[Pair]:
    """The same ones each time for a seed, and, when pairs are added, still nearly the same ones."""
    by_hash = sorted(pairs, key=lambda pair: hashlib.sha256(f"{seed} {pair}".encode()).digest())
    return sorted(by_hash[:count])
