# SPDX-License-Identifier: Apache-2.0
"""Results that are drawn: nothing but their properties can be the same on two devices."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from sweep.compare import Tolerance, difference
from sweep.place import on_cpu, tensors_of
from sweep.report import Refused, Subject

if TYPE_CHECKING:
    from sweep.case import Case, Expected

# So many numbers are pooled for one output, by running it again with other seeds.
POOL = 4096
MOST_RUNS = 48
FEW_VALUES = 8
# What is less likely is not taken for chance.
CHANCE = 1e-3
# A number that so small a share of the draws gives may be missing among the CPU's.
RARE = 0.05


def _run(case: Case, device: torch.device, seed: int) -> Any:
    ready = case.make(device)
    torch.manual_seed(seed)
    with torch.no_grad():
        return case.process(ready.call())


def draws(case: Case, expected: Expected) -> bool:
    """Whether the CPU's generator was used and the result depends on it (a random projection need not be seen in what comes out)."""
    ready = case.make(torch.device("cpu"))
    before = torch.get_rng_state()
    try:
        ready.call()
    except Exception:
        return False
    if torch.equal(before, torch.get_rng_state()):
        return False
    size = sum(tensor.numel() for tensor in tensors_of(expected.result))
    seeds = MOST_RUNS if size < 512 else 2
    return any(difference(_run(case, torch.device("cpu"), seed), expected.result, Tolerance(), torch.device("cpu")) for seed in range(seeds))


def _never_changes(case: Case, device: torch.device) -> bool:
    """Whether the result does not depend on the seed, though the CPU's changes so often that it cannot be chance."""
    theirs = [_moved(_run(case, torch.device("cpu"), seed)) for seed in range(MOST_RUNS)]
    alike = max(sum(_is_same(one, other) for other in theirs) for one in theirs) / len(theirs)
    if alike**MOST_RUNS > CHANCE:
        return False
    first = _moved(_run(case, device, 0))
    return all(_is_same(_moved(_run(case, device, seed)), first) for seed in range(1, MOST_RUNS))


def _is_same(one: Any, other: Any) -> bool:
    return difference(one, other, Tolerance(), torch.device("cpu")) is None


def _numbers(tensor: torch.Tensor) -> torch.Tensor:
    tensor = on_cpu(tensor)
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.to(torch.complex128))
    return tensor.to(torch.float64).flatten()


def _distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Kolmogorov and Smirnov's: the largest difference of the two distribution functions."""
    both = torch.cat([ours, theirs])
    ours, theirs = ours.sort().values, theirs.sort().values
    at_ours = torch.searchsorted(ours, both, right=True) / len(ours)
    at_theirs = torch.searchsorted(theirs, both, right=True) / len(theirs)
    return (at_ours - at_theirs).abs().max().item()


def _unlike(ours: torch.Tensor, theirs: torch.Tensor) -> str | None:
    for name, part in (("NaN", torch.isnan), ("infinite", torch.isinf)):
        mine, its = part(ours).double().mean().item(), part(theirs).double().mean().item()
        if abs(mine - its) > 0.05:
            return f"{mine:.0%} of the numbers drawn are {name}, not {its:.0%}"
    ours, theirs = ours[ours.isfinite()], theirs[theirs.isfinite()]
    if len(ours) == 0 or len(theirs) == 0:
        return None
    values = theirs.unique()
    if len(values) <= FEW_VALUES and len(theirs) >= 64:
        others, shares = ours.unique(return_counts=True)
        strange = [value for value in others[shares > RARE * len(ours)].tolist() if value not in values.tolist()]
        return f"draws {strange[0]}, and the CPU draws only {values.tolist()}" if strange else None
    if bool((theirs == theirs.round()).all()) and not bool((ours == ours.round()).all()):
        return "draws numbers that are not whole"
    low, high = theirs.min().item(), theirs.max().item()
    quarter, middle, three = torch.quantile(theirs[:100000], torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist()
    # Where few numbers lie far out, the largest of a pool says nothing.
    has_range = high - low <= 6.5 * (three - quarter)
    room = (high - low) / 2
    if has_range and (ours.min().item() < low - room or ours.max().item() > high + room):
        return f"draws from {ours.min().item():.4g} to {ours.max().item():.4g}, not from {low:.4g} to {high:.4g}"
    # Numbers of one result may hang together (a channel is dropped as a whole), so a pool counts for fewer.
    independent = max(8.0, min(len(ours), len(theirs)) / 8)
    allowed = 2.2 * (2 / independent) ** 0.5
    distance = _distance(ours, theirs)
    if distance > allowed:
        return (f"draws from another distribution: distance {distance:.3f} where {allowed:.3f} is allowed; middle "
                f"{ours.median().item():.4g}, not {middle:.4g}; mean {ours.mean().item():.4g}, not {theirs.mean().item():.4g}")
    return None


def _moved(result: Any) -> Any:
    return torch.utils._pytree.tree_map(lambda one: on_cpu(one) if isinstance(one, torch.Tensor) else one, result)


def compare(subject: Subject, case: Case, expected: Expected) -> None:
    target, report = subject.target, subject.report
    sizes = [tensor.numel() for tensor in tensors_of(expected.result) if tensor.numel()]
    runs = max(2, min(MOST_RUNS, POOL // max(1, min(sizes, default=POOL))))
    try:
        first = target.run(report, "forward", lambda: _run(case, target.device, 0), case.name)
    except Refused:
        return
    if expected.gradients is not None:
        _gradient(subject, case, expected)

    def look() -> str | None:
        text = difference(first, expected.result, Tolerance(), target.device, values=False)
        if text:
            return text
        if difference(_run(case, target.device, 0), _moved(first), Tolerance(), target.device):
            return "the same seed draws other numbers"
        ours = [[_numbers(one) for one in tensors_of(_run(case, target.device, seed))] for seed in range(runs)]
        theirs = [[_numbers(one) for one in tensors_of(_run(case, torch.device("cpu"), seed + runs))] for seed in range(runs)]
        for mine, its in zip(zip(*ours), zip(*theirs)):
            same_here = all(torch.equal(mine[0], one) for one in mine)
            same_there = all(torch.equal(its[0], one) for one in its)
            if same_here and not same_there and mine[0].numel() * runs >= 64 and _never_changes(case, target.device):
                return "another seed draws the same numbers"
            text = _unlike(torch.cat(mine), torch.cat(its))
            if text:
                return text
        return None

    target.result(report, "forward", case.name, look)


def _gradient(subject: Subject, case: Case, expected: Expected) -> None:
    """It depends on what was drawn: its form and that it is finite where the CPU's is."""
    from sweep.case import differentiable, gradients_of
    from sweep.place import place

    target, report = subject.target, subject.report
    ready = case.make(target.device)
    try:
        result = case.process(ready.call())
        if len(differentiable(result)) != len(expected.vectors):
            report.fail("gradient", f"{case.name}: {len(differentiable(result))} outputs have a gradient, not {len(expected.vectors)}")
            return
        vectors = [place(vector, target.device) for vector in expected.vectors]
        gradients = target.run(report, "gradient", lambda: gradients_of(result, ready.leaves, vectors), case.name)
    except Refused:
        return
    except Exception as error:
        report.fail("gradient", f"{case.name}: {type(error).__name__}: {error}")
        return

    def look() -> str | None:
        text = difference(gradients, expected.gradients, Tolerance(), target.device, values=False)
        if text:
            return text
        for ours, theirs in zip(tensors_of(gradients), tensors_of(expected.gradients)):
            if bool(on_cpu(theirs).isfinite().all()) and not bool(on_cpu(ours).isfinite().all()):
                return "the gradient is not finite"
        return None

    target.result(report, "gradient", case.name, look)
