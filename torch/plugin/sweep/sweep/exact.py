# SPDX-License-Identifier: Apache-2.0
"""Two results of a narrow type can differ and both be right. The same computation in double precision says whether ours is.

Errors are counted in units: the type's epsilon at the size of the number, or at the root mean square of its tensor where that is larger (a
sum that cancels is only as exact as its terms). A number that is beyond PyTorch's tolerance of the CPU's and of the exact one passes
where its error is within UNITS and FACTOR times the CPU's largest in this tensor. And of a tensor that has such numbers the errors' root
mean square is at most FACTOR times the CPU's and one unit: a few numbers may be unlucky, not all of them.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from sweep.place import on_cpu

if TYPE_CHECKING:
    from sweep.compare import Tolerance

FACTOR = 2.0
UNITS = 2.0

_WIDE = {torch.complex32: torch.complex128, torch.complex64: torch.complex128, torch.complex128: torch.complex128}


def has_exact(dtype: torch.dtype) -> bool:
    """Whether double is more exact than this type."""
    return (dtype.is_floating_point or dtype.is_complex) and torch.finfo(dtype).eps > torch.finfo(torch.float64).eps


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    tensor = on_cpu(tensor)
    if tensor.dtype is torch.complex32:
        tensor = tensor.to(torch.complex64)
    return tensor.to(_WIDE.get(tensor.dtype, torch.float64)).flatten()


def _same(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Infinite numbers and NaN too."""
    return torch.isclose(one, other, rtol=0.0, atol=0.0, equal_nan=True)


def _mean_square(errors: torch.Tensor) -> float:
    errors = errors[errors.isfinite()]
    return math.sqrt(errors.square().mean().item()) if errors.numel() else 0.0


def unlike_exact(ours: torch.Tensor, theirs: torch.Tensor, exact: torch.Tensor, tolerance: Tolerance) -> str | None:
    """None when ours is as right as theirs, both of one narrow type."""
    dtype = theirs.dtype
    if not has_exact(dtype) or theirs.layout is not torch.strided or exact.layout is not torch.strided or exact.shape != theirs.shape:
        return "there is no exact result"
    # What overflows the type is infinite in it.
    narrow = _wide(exact.detach().to(dtype))
    ours, theirs, exact = _wide(ours), _wide(theirs), _wide(exact)
    exact = torch.where(narrow.isfinite(), exact, narrow)
    rtol, atol = tolerance.of(dtype)
    close = torch.isclose(ours, exact, rtol=rtol, atol=atol, equal_nan=True) | torch.isclose(ours, theirs, rtol=rtol, atol=atol, equal_nan=True)
    if bool(close.all()):
        return None
    finite = exact.isfinite()
    size = exact[finite].abs()
    unit = torch.finfo(dtype).eps * torch.clamp(exact.abs(), min=max(_mean_square(size), 1e-60))
    our_errors, their_errors = (ours - exact).abs() / unit, (theirs - exact).abs() / unit
    theirs_overall = _mean_square(their_errors[finite])
    their_errors = their_errors.nan_to_num(0.0, 0.0)
    allowed = UNITS + FACTOR * their_errors.max()
    wrong = ~close & ~_same(ours, theirs) & ~(finite & (our_errors <= allowed))
    if bool(wrong.any()):
        worst = our_errors.where(wrong, torch.tensor(-1.0, dtype=torch.float64)).nan_to_num(math.inf).argmax().item()
        return (f"values: {int(wrong.sum())} of {wrong.numel()} are not as in double; {ours[worst].item():.9g}, the CPU {theirs[worst].item():.9g}, "
                f"exact {exact[worst].item():.9g}: {our_errors[worst].item():.3g} units off, {allowed.item():.3g} allowed")
    overall, most = _mean_square(our_errors[finite]), FACTOR * theirs_overall + 1
    if overall > most:
        return f"values: errors overall are {overall:.3g} units, the CPU's {theirs_overall:.3g}, {most:.3g} allowed"
    return None
