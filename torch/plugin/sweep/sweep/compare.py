# SPDX-License-Identifier: Apache-2.0
"""Whether two results are the same, and if not, in what: one short line."""
from __future__ import annotations

from typing import Any, Callable, Iterable

import torch
from torch.testing._comparison import default_tolerances
from torch.utils._pytree import tree_flatten

from sweep.exact import has_exact, unlike_exact
from sweep.place import on_cpu

# Tolerances that an operator's entry has for accelerators and the CPU, in tests that compare values.
_TEST_CLASSES = (None, "TestCommon", "TestUnaryUfuncs", "TestBinaryUfuncs", "TestReductions", "TestModule", "TestOptimRenewed")


class Tolerance:
    """What the type allows, widened by what the operator's entry and known.toml allow."""

    def __init__(self, decorators: Iterable[Any] = (), dtype: torch.dtype | None = None, more: Iterable[tuple[float, float]] = ()) -> None:
        self.rtol = self.atol = 0.0
        for info in decorators:
            if getattr(info, "cls_name", "") not in _TEST_CLASSES or info.device_type not in (None, "cpu", "cuda"):
                continue
            for decorator in info.decorators:
                allowed = getattr(decorator, "d", {}).get(dtype)
                if allowed is None:
                    continue
                rtol, atol = (allowed.rtol, allowed.atol) if hasattr(allowed, "rtol") else (0.0, allowed)
                self._widen(rtol, atol)
        for rtol, atol in more:
            self._widen(rtol, atol)

    def _widen(self, rtol: float, atol: float) -> None:
        self.rtol, self.atol = max(self.rtol, rtol), max(self.atol, atol)

    def widened(self, rtol: float, atol: float) -> "Tolerance":
        return Tolerance(more=[(self.rtol, self.atol), (rtol, atol)])

    def of(self, dtype: torch.dtype) -> tuple[float, float]:
        rtol, atol = default_tolerances(dtype)
        if not (dtype.is_floating_point or dtype.is_complex):
            return rtol, atol
        return max(rtol, self.rtol), max(atol, self.atol)


def _form(actual: torch.Tensor, expected: torch.Tensor, device: torch.device) -> str | None:
    if actual.device.type != device.type:
        return f"is on {actual.device}"
    for name in ("dtype", "shape", "layout"):
        if getattr(actual, name) != getattr(expected, name):
            return f"{name} is {getattr(actual, name)}, not {getattr(expected, name)}"
    return None


def _values(actual: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance) -> str | None:
    actual, expected = on_cpu(actual), on_cpu(expected)
    if expected.dtype is torch.complex32:
        # The CPU compares none of these; their parts are exact in the wider type.
        tolerance = tolerance.widened(*default_tolerances(torch.complex32))
        actual, expected = actual.to(torch.complex64), expected.to(torch.complex64)
    if actual.layout is torch.strided and torch.equal(actual, expected):
        return None
    rtol, atol = tolerance.of(expected.dtype)
    try:
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=True, check_stride=False)
    except AssertionError as error:
        lines = [line for line in str(error).splitlines() if line and not line.startswith("Tensor-likes")]
        return "values: " + "; ".join(lines)
    return None


def _by_exact(one: torch.Tensor, other: torch.Tensor, exact: Any, tolerance: Tolerance, text: str) -> str | None:
    if not isinstance(exact, torch.Tensor):
        return text
    if not (other.dtype.is_floating_point or other.dtype.is_complex):
        # A number that is whole, or whether two are near to each other, may hang by the last bit of what it is computed of.
        return None if exact.dtype is other.dtype and torch.equal(on_cpu(one), on_cpu(exact)) else text
    return unlike_exact(one, other, exact, tolerance) if has_exact(other.dtype) else text


def difference(actual: Any, expected: Any, tolerance: Tolerance, device: torch.device, *, values: bool = True,
               exact: Callable[[], Any] | None = None) -> str | None:
    """values=False compares all but the contents. exact: gives the result in double, or None; it decides where values differ."""
    ours, our_form = tree_flatten(actual)
    theirs, their_form = tree_flatten(expected)
    if our_form != their_form:
        return f"result is {our_form}, not {their_form}"
    in_double: list[Any] | None = None
    for number, (one, other) in enumerate(zip(ours, theirs)):
        where = f"result {number}: " if len(ours) > 1 else ""
        if isinstance(other, torch.Tensor):
            if not isinstance(one, torch.Tensor):
                return f"{where}is a {type(one).__name__}, not a Tensor"
            text = _form(one, other, device) or (_values(one, other, tolerance) if values else None)
            if text is not None and text.startswith("values:") and exact is not None:
                if in_double is None:
                    leaves, form = tree_flatten(exact())
                    in_double = leaves if form == their_form else []
                text = _by_exact(one, other, in_double[number], tolerance, text) if in_double else text
        elif isinstance(other, (torch.device, torch.Generator)):
            text = None
        elif type(one) is not type(other):
            text = f"is a {type(one).__name__}, not a {type(other).__name__}"
        elif isinstance(other, (float, complex)):
            text = _values(torch.tensor(one), torch.tensor(other), tolerance) if values else None
        else:
            text = f"is {one}, not {other}" if values and one != other else None
        if text is not None:
            return where + text
    return None
