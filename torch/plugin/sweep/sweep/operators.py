# SPDX-License-Identifier: Apache-2.0
"""op_db: forward and gradient of every sample, then the outputs given, the input written to, and holes between elements."""
from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Callable

import torch
from torch.testing._internal.common_utils import noncontiguous_like
from torch.utils._pytree import tree_map

from sweep import pairs
from sweep.case import CPU, SEED, Case, Expected, Ready, run_case
from sweep.choice import Choice, choice_of
from sweep.compare import Tolerance, difference
from sweep.place import in_double, place, tensors_of
from sweep.report import Refused, Subject

# What lies in outputs before they are written.
RUBBISH = 77
# Forward and gradient run with every sample; what comes beside them with so many, spread over all.
MOST_BESIDE = 32
OUT_FORMS = ("plain", "strided", "empty")


def _case(op: Any, sample: Any, name: str, process: Callable[[Any], Any], rest_on_host: bool = False) -> Case:
    """rest_on_host: all but the first argument."""

    def ready(given: Any, device: torch.device) -> Ready:
        if rest_on_host:
            first = place(given[0], device)
            return Ready(lambda: op(first, *given[1], **given[2]), tensors_of(first))
        first, args, kwargs = place(given, device)
        arguments = tensors_of((first, args, kwargs))

        def call() -> Any:
            # Without a tensor only this says where.
            with nullcontext() if arguments else device:
                return op(first, *args, **kwargs)

        return Ready(call, arguments)

    given = (sample.input, sample.args, sample.kwargs)
    return Case(name, lambda device: ready(given, device), process, lambda: ready(in_double(given), CPU), _choice(op, sample))


def _choice(op: Any, sample: Any) -> Choice | None:
    return choice_of(op.full_name, sample.input, sample.args, sample.kwargs)


def _out_of(expected: Any, form: str) -> Any:
    def out(tensor: torch.Tensor) -> torch.Tensor:
        if form == "empty":
            return torch.empty(0, dtype=tensor.dtype)
        filled = torch.full(tensor.shape, 1 if tensor.dtype is torch.bool else RUBBISH, dtype=tensor.dtype)
        return noncontiguous_like(filled) if form == "strided" else filled

    outs = tree_map(out, expected)
    return tuple(outs) if isinstance(outs, (list, tuple)) else outs


def _is_tensors(result: Any) -> bool:
    return isinstance(result, torch.Tensor) or (
        isinstance(result, (list, tuple)) and len(result) > 0 and all(isinstance(one, torch.Tensor) for one in result))


class _Given:
    """Runs a call on both devices and compares what it returns and what it has written."""

    def __init__(self, subject: Subject, check: str, tolerance: Tolerance, choice: Choice | None = None) -> None:
        self.subject, self.check, self.tolerance, self.choice = subject, check, tolerance, choice

    def run(self, make: Callable[[torch.device, bool], tuple[Callable[[], Any], list[torch.Tensor]]], where: str,
            is_right: Callable[[list[torch.Tensor]], bool] = lambda written: True) -> None:
        """make(device, is_double): the call, and the tensors that it is to write. is_right: whether the CPU does it at all."""
        target, report = self.subject.target, self.subject.report
        torch.manual_seed(SEED)
        try:
            call, expected = make(CPU, False)
            call()
        except Exception:
            return
        if not is_right(expected):
            return
        torch.manual_seed(SEED)
        call, written = make(target.device, False)
        before = [(one.untyped_storage().data_ptr(), one.shape) for one in written]
        try:
            target.run(report, self.check, call, where)
        except Refused:
            return

        def exact() -> list[torch.Tensor] | None:
            torch.manual_seed(SEED)
            try:
                call, written = make(CPU, True)
                call()
            except Exception:
                return None
            return written

        def look() -> str | None:
            has_values = self.subject.known.has_contents(self.subject.pair) and self.choice is None
            text = difference(written, expected, self.tolerance, target.device, values=has_values, exact=exact)
            if text is None and self.choice is not None:
                text = self.choice.result_differs(written, expected)
            for (memory, shape), one, other in zip(before, written, expected):
                is_same = one.untyped_storage().data_ptr() == memory and one.storage_offset() == other.storage_offset()
                if text is None and one.shape == shape and one.numel() and not (is_same and one.stride() == other.stride()):
                    text = "what was given is not written in its place"
            return text

        target.result(report, self.check, where, look)


def _out(subject: Subject, op: Any, sample: Any, result: Any, name: str, tolerance: Tolerance) -> None:
    if not _is_tensors(result):
        return
    detached = tree_map(lambda tensor: tensor.detach(), result)
    for form in OUT_FORMS:

        def make(device: torch.device, is_double: bool) -> tuple[Callable[[], Any], list[torch.Tensor]]:
            given = (sample.input, sample.args, {**sample.kwargs, "out": _out_of(detached, form)})
            first, args, kwargs = in_double(given) if is_double else place(given, device)
            written = tensors_of(kwargs["out"])

            def call() -> Any:
                with torch.no_grad():
                    return op(first, *args, **kwargs)

            return call, written

        def is_right(written: list[torch.Tensor]) -> bool:
            return difference(written, tensors_of(detached), Tolerance(), CPU) is None

        _Given(subject, "out", tolerance, _choice(op, sample)).run(make, f"{name}, {form}", is_right)


def _inplace(subject: Subject, op: Any, sample: Any, name: str, tolerance: Tolerance) -> None:
    variants = [variant for variant in (op.get_inplace(), getattr(op, "inplace_operator_variant", None)) if variant is not None]
    if not isinstance(sample.input, torch.Tensor) or sample.broadcasts_input:
        return
    for variant in variants:
        for form in ("plain", "strided"):

            def make(device: torch.device, is_double: bool) -> tuple[Callable[[], Any], list[torch.Tensor]]:
                one = sample.noncontiguous() if form == "strided" else sample
                given = (one.input, one.args, one.kwargs)
                first, args, kwargs = in_double(given) if is_double else place(given, device)
                first = first.detach()

                def call() -> Any:
                    with torch.no_grad():
                        return variant(first, *args, **kwargs)

                return call, [first]

            _Given(subject, "inplace", tolerance).run(make, f"{name}, {form}")


def check_operator(subject: Subject) -> None:
    op = pairs.operators()[subject.pair.operator]
    dtype = subject.dtype
    has_gradient = op.supports_autograd and dtype in op.supported_backward_dtypes("cpu")
    torch.manual_seed(SEED)
    samples = list(op.sample_inputs("cpu", dtype, requires_grad=has_gradient))

    def tolerance(check: str) -> Tolerance:
        return Tolerance(op.decorators, dtype)

    on_host = subject.known.keeps_arguments_on_host(subject.pair)
    stride = -(-len(samples) // MOST_BESIDE)
    for number, sample in enumerate(samples):
        name = f"sample {number}"
        process = sample.output_process_fn_grad if dtype.is_floating_point or dtype.is_complex else lambda result: result
        expected: Expected | None = run_case(subject, _case(op, sample, name, process, on_host), tolerance)
        if expected is None or number % stride:
            continue
        if op.supports_out:
            _out(subject, op, sample, _plain_result(op, sample), name, tolerance("out"))
        _inplace(subject, op, sample, name, tolerance("inplace"))
        try:
            strided = sample.noncontiguous()
        except Exception:
            continue
        run_case(subject, _case(op, strided, name, process, on_host), tolerance, "strided")


def _plain_result(op: Any, sample: Any) -> Any:
    """Before it is made one of its kind: that is what out= gets."""
    first, args, kwargs = place((sample.input, sample.args, sample.kwargs), CPU)
    torch.manual_seed(SEED)
    with torch.no_grad():
        return op(first, *args, **kwargs)
