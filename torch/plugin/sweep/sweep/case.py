# SPDX-License-Identifier: Apache-2.0
"""One set of arguments: forward and gradient on both devices, and what is the same about them."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

import torch

from sweep import randoms
from sweep.compare import Tolerance, difference
from sweep.place import place, tensors_of
from sweep.report import Refused, Subject

CPU = torch.device("cpu")
SEED = 20260101


@dataclass
class Ready:
    """Arguments on one device. arguments: what the call may write to; leaves: what gradients are taken of."""

    call: Callable[[], Any]
    arguments: list[torch.Tensor] = field(default_factory=list)

    @property
    def leaves(self) -> list[torch.Tensor]:
        return [tensor for tensor in self.arguments if tensor.requires_grad and tensor.is_leaf]


@dataclass
class Case:
    """make(device) gives fresh arguments each time; process makes a result one of its kind (an eigenvector has any sign)."""

    name: str
    make: Callable[[torch.device], Ready]
    process: Callable[[Any], Any] = lambda result: result
    make_double: Callable[[], Ready] | None = None


@dataclass
class Expected:
    """What the CPU has. result is None when it raises: there is nothing to compare then."""

    result: Any
    arguments: list[torch.Tensor]
    gradients: Any
    vectors: list[torch.Tensor]


def differentiable(result: Any) -> list[torch.Tensor]:
    return [tensor for tensor in tensors_of(result) if tensor.requires_grad]


def gradients_of(result: Any, leaves: list[torch.Tensor], vectors: list[torch.Tensor]) -> tuple[torch.Tensor | None, ...]:
    return torch.autograd.grad(differentiable(result), leaves, vectors, allow_unused=True)


def vectors_for(result: Any) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(SEED)
    return [torch.randn(one.shape, generator=generator, dtype=torch.float32).to(one.dtype) for one in differentiable(result)]


def on_the_cpu(ready: Ready, process: Callable[[Any], Any], seed: int = SEED) -> Expected:
    torch.manual_seed(seed)
    result = process(ready.call())
    arguments = [tensor.detach().clone() for tensor in ready.arguments]
    gradients, vectors = None, vectors_for(result)
    if ready.leaves and vectors:
        try:
            gradients = gradients_of(result, ready.leaves, vectors)
        except (RuntimeError, NotImplementedError):
            pass
    return Expected(result, arguments, gradients, vectors)


def without_gradients(case: Case) -> Case:
    def make(device: torch.device) -> Ready:
        ready = case.make(device)

        def call() -> Any:
            with torch.no_grad():
                return ready.call()

        return Ready(call, [tensor.detach() for tensor in ready.arguments])

    return Case(case.name, make, case.process)


def expectation(case: Case) -> tuple[Case, Expected] | None:
    """None: the CPU raises, with gradients and without them."""
    for one in (case, without_gradients(case)):
        try:
            return one, on_the_cpu(one.make(CPU), one.process)
        except Exception:
            continue
    return None


def run_case(subject: Subject, case: Case, tolerance: Callable[[str], Tolerance], check: str = "forward") -> Expected | None:
    """What the CPU has, when it can be compared by its values and the device ran."""
    found = expectation(case)
    if found is None:
        return None
    case, expected = found
    subject.report.samples += 1
    if randoms.draws(case, expected):
        randoms.compare(subject, case, expected)
        return None
    ready = case.make(subject.target.device)
    target, report = subject.target, subject.report
    has_contents = subject.known.has_contents(subject.pair)
    torch.manual_seed(SEED)
    try:
        result = target.run(report, check, ready.call, case.name)
    except Refused:
        return None

    def in_double() -> Expected | None:
        if case.make_double is None:
            return None
        try:
            return on_the_cpu(case.make_double(), case.process)
        except Exception:
            return None

    def look() -> str | None:
        text = differs(case.process(result), expected.result, in_double, lambda exact: exact.result, check)
        if text is None and has_contents:
            text = difference([one.detach() for one in ready.arguments], expected.arguments, tolerance(check), target.device)
            text = None if text is None else "arguments: " + text
        return text

    def differs(ours: Any, theirs: Any, exact: Callable[[], Expected | None], part: Callable[[Expected], Any], of: str) -> str | None:
        text = difference(ours, theirs, tolerance(of), target.device, values=has_contents)
        if text is None or "values:" not in text:
            return text
        # Two results of a narrow type may both be right; the exact one decides.
        reference = exact()
        if reference is None or part(reference) is None:
            return text
        narrowed = torch.utils._pytree.tree_map(
            lambda one, like: one.detach().to(like.dtype) if isinstance(like, torch.Tensor) else like, part(reference), theirs)
        return None if difference(ours, narrowed, tolerance(of), target.device) is None else text

    target.result(report, check, case.name, look)
    if expected.gradients is None or check != "forward":
        return expected
    vectors = [place(vector, target.device) for vector in expected.vectors]
    try:
        processed = case.process(result)
        gradients = target.run(report, "gradient", lambda: gradients_of(processed, ready.leaves, vectors), case.name)
    except Refused:
        return expected
    except Exception as error:
        report.fail("gradient", f"{case.name}: {type(error).__name__}: {error}")
        return expected
    target.result(report, "gradient", case.name,
                  lambda: differs(gradients, expected.gradients, in_double, lambda exact: exact.gradients, "gradient"))
    return expected
