# SPDX-License-Identifier: Apache-2.0
"""One set of arguments: forward and gradient on both devices, and what is the same about them."""
from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Callable

import torch

from sweep import randoms
from sweep.choice import Choice
from sweep.compare import Tolerance, difference
from sweep.place import in_double, place, tensors_of
from sweep.report import Refused, Subject

CPU = torch.device("cpu")
SEED = 20260101
# Beside the one that each gradient is taken with.
MORE_VECTORS = 8


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
    """make(device) gives fresh arguments each time; process makes a result one of its kind (an eigenvector has any sign).

    make_double: the same computation in double, on the CPU. choice: which of equal values are chosen, where that is nobody's promise.
    """

    name: str
    make: Callable[[torch.device], Ready]
    process: Callable[[Any], Any] = lambda result: result
    make_double: Callable[[], Ready] | None = None
    choice: Choice | None = None


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


def vectors_for(result: Any, seed: int = SEED) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(one.shape, generator=generator, dtype=torch.float32).to(one.dtype) for one in differentiable(result)]


def on_the_cpu(ready: Ready, process: Callable[[Any], Any], vectors: list[torch.Tensor] | None = None) -> Expected:
    """vectors: what stands behind the outputs; drawn when none are given."""
    torch.manual_seed(SEED)
    result = process(ready.call())
    arguments = [tensor.detach().clone() for tensor in ready.arguments]
    gradients = None
    vectors = vectors_for(result) if vectors is None else vectors
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

    return replace(case, make=make)


def exact_of(case: Case, expected: Expected) -> Callable[[], Expected | None]:
    """What the CPU has in double, of the same arguments and the same vectors; computed when it is first asked for."""

    @cache
    def exact() -> Expected | None:
        if case.make_double is None:
            return None
        try:
            with nullcontext() if expected.vectors else torch.no_grad():
                return on_the_cpu(case.make_double(), case.process, in_double(expected.vectors))
        except Exception:
            return None

    return exact


def expectation(case: Case) -> tuple[Case, Expected] | None:
    """None: the CPU raises, with gradients and without them."""
    for one in (case, without_gradients(case)):
        try:
            return one, on_the_cpu(one.make(CPU), one.process)
        except Exception:
            continue
    return None


def gradients_differ(case: Case, expected: Expected, tolerance: Tolerance, device: torch.device) -> str | None:
    """By several vectors: a sum that cancels says of one vector little about how exact it is."""

    def gradients(ready: Ready, vectors: list[torch.Tensor]) -> list[torch.Tensor]:
        torch.manual_seed(SEED)
        found = gradients_of(case.process(ready.call()), ready.leaves, vectors)
        return [one for one in found if one is not None]

    assert case.make_double is not None
    ours, theirs, exact = [], [], []
    for number in range(MORE_VECTORS + 1):
        vectors = expected.vectors if number == 0 else vectors_for(expected.result, SEED + number)
        ours.append(gradients(case.make(device), [place(vector, device) for vector in vectors]))
        theirs.append(gradients(case.make(CPU), vectors))
        exact.append(gradients(case.make_double(), in_double(vectors)))
    stacked = [[torch.stack(of_one) for of_one in zip(*of_all)] for of_all in (ours, theirs, exact)]
    return difference(stacked[0], stacked[1], tolerance, device, exact=lambda: stacked[2])


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

    exact = exact_of(case, expected)

    def differs(ours: Any, theirs: Any, part: Callable[[Expected], Any], of: str) -> str | None:
        def in_double() -> Any:
            found = exact()
            return None if found is None else part(found)

        return difference(ours, theirs, tolerance(of), target.device, values=has_contents, exact=in_double)

    def look() -> str | None:
        ours = case.process(result)
        if case.choice is not None:
            return difference(ours, expected.result, Tolerance(), target.device, values=False) or case.choice.result_differs(ours, expected.result)
        text = differs(ours, expected.result, lambda found: found.result, check)
        if text is None and has_contents:
            text = differs([one.detach() for one in ready.arguments], expected.arguments, lambda found: found.arguments, check)
            text = None if text is None else "arguments: " + text
        return text

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

    def look_at_gradients() -> str | None:
        if case.choice is not None:
            text = difference(gradients, expected.gradients, Tolerance(), target.device, values=False)
            return text or case.choice.gradient_differs(gradients, expected.gradients)
        text = differs(gradients, expected.gradients, lambda found: found.gradients, "gradient")
        if text is None or "values:" not in text or exact() is None:
            return text
        return gradients_differ(case, expected, tolerance("gradient"), target.device)

    target.result(report, "gradient", case.name, look_at_gradients)
    return expected
