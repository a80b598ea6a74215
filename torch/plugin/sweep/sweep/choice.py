# SPDX-License-Identifier: Apache-2.0
"""Operators that choose among equal values and do not say which: what they point at is compared, and nothing is left out."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import torch

from sweep.place import on_cpu

# What stands where in a result, and where in the arguments the dimension does.
_RESULTS = {
    "argsort": ("indices",),
    "kthvalue": ("values", "indices"),
    "mode": ("values", "indices"),
    "msort": ("values",),
    "sort": ("values", "indices"),
    "topk": ("values", "indices"),
}
_DIMENSION = {"argsort": 0, "kthvalue": 1, "mode": 0, "sort": 0, "topk": 1}


@dataclass
class Choice:
    """input: on the CPU. Values are copies of the input's numbers, so nothing is allowed to be merely near."""

    input: torch.Tensor
    dim: int
    parts: tuple[str, ...]

    def _rows(self, tensor: torch.Tensor) -> torch.Tensor:
        """The dimension last; a result without it gets it back with one number."""
        tensor = on_cpu(tensor)
        if self.input.dim() == 0:
            return tensor.reshape(1)
        if tensor.dim() < self.input.dim():
            tensor = tensor.unsqueeze(self.dim)
        return tensor.movedim(self.dim, -1)

    def result_differs(self, ours: Any, theirs: Any) -> str | None:
        """Equal values, indices that point at equal values, and none of them twice."""
        ours, theirs = ([one] if isinstance(one, torch.Tensor) else list(one) for one in (ours, theirs))
        numbers = self._rows(self.input)
        for part, one, other in zip(self.parts, ours, theirs, strict=True):
            one, other = self._rows(one), self._rows(other)
            if part == "indices":
                in_order = one.sort(dim=-1).values
                if bool((in_order[..., 1:] == in_order[..., :-1]).any()):
                    return "values: an index stands twice in one result"
                if one.numel() and not 0 <= int(one.min()) <= int(one.max()) < numbers.shape[-1]:
                    return "values: an index is beyond its dimension"
                one, other = numbers.gather(-1, one), numbers.gather(-1, other)
            unlike = int((~_equal(one, other)).sum())
            if unlike:
                return f"values: {unlike} of {one.numel()} {part} {'point at' if part == 'indices' else 'are'} other numbers than the CPU's"
        return None

    def gradient_differs(self, ours: Sequence[Any], theirs: Sequence[Any]) -> str | None:
        """The same numbers among equal values, in any order."""
        for one, other in zip(ours, theirs, strict=True):
            unlike = int((~_equal(self._in_groups(one), self._in_groups(other))).sum())
            if unlike:
                return f"values: {unlike} of {one.numel()} numbers go to other values than the CPU's"
        return None

    def _in_groups(self, gradient: torch.Tensor) -> torch.Tensor:
        """Sorted by the input's number, and among equal ones by itself."""
        ordered = self._rows(self.input).sort(dim=-1, stable=True)
        starts = torch.ones_like(ordered.values, dtype=torch.bool)
        starts[..., 1:] = ordered.values[..., 1:] != ordered.values[..., :-1]
        groups, numbers = starts.cumsum(-1), self._rows(gradient).gather(-1, ordered.indices)
        by_number = numbers.sort(dim=-1, stable=True)
        by_group = groups.gather(-1, by_number.indices).argsort(dim=-1, stable=True)
        return by_number.values.gather(-1, by_group)


def _equal(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    if one.is_floating_point():
        return (one == other) | (one.isnan() & other.isnan())
    return one == other


def choice_of(operator: str, given: torch.Tensor, args: Sequence[Any], kwargs: dict[str, Any]) -> Choice | None:
    """None: the operator promises which it chooses (stable=True), or does not choose."""
    if operator not in _RESULTS or kwargs.get("stable") or (operator in ("sort", "argsort") and True in args[2:3]):
        return None
    if operator == "msort":
        dim = 0
    else:
        position = _DIMENSION[operator]
        dim = kwargs.get("dim", args[position] if len(args) > position else -1)
    return Choice(given.detach(), dim, _RESULTS[operator])
