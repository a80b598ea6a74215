# SPDX-License-Identifier: Apache-2.0
"""module_db and optim_db: modules as they are constructed, trained and evaluated; optimisers by some steps."""
from __future__ import annotations

import copy
from typing import Any

import torch

from sweep import pairs
from sweep.case import SEED, Case, Ready, run_case
from sweep.compare import Tolerance
from sweep.place import in_double, place, tensors_of
from sweep.report import Subject

STEPS = 3


def _moved(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    return copy.deepcopy(module).to(device)


def _module_case(module: torch.nn.Module, given: Any, name: str) -> Case:
    def ready(of: torch.nn.Module, arguments: Any, device: torch.device) -> Ready:
        args, kwargs = place(arguments, device)
        own = list(of.parameters()) + list(of.buffers())
        return Ready(lambda: of(*args, **kwargs), own + tensors_of((args, kwargs)))

    def make(device: torch.device) -> Ready:
        return ready(_moved(module, device), given, device)

    def make_double() -> Ready:
        return ready(copy.deepcopy(module).double(), in_double(given), torch.device("cpu"))

    return Case(name, make, make_double=make_double)


def check_module(subject: Subject) -> None:
    info = pairs.modules()[subject.pair.operator]

    def tolerance(check: str) -> Tolerance:
        return Tolerance(info.decorators, subject.dtype)

    for training in (True, False):
        torch.manual_seed(SEED)
        inputs = info.module_inputs_func(info, device="cpu", dtype=subject.dtype, requires_grad=True, training=training)
        for number, one in enumerate(inputs):
            if one.forward_input is None:
                continue
            torch.manual_seed(SEED)
            module = info.module_cls(*one.constructor_input.args, **one.constructor_input.kwargs).to(subject.dtype).train(training)
            if info.is_lazy:
                # A lazy module has its parameters behind its first run.
                with torch.no_grad():
                    module(*place(one.forward_input.args, torch.device("cpu")), **one.forward_input.kwargs)
            name = f"{'training' if training else 'evaluation'} {number} {one.desc}".strip()
            run_case(subject, _module_case(module, (one.forward_input.args, one.forward_input.kwargs), name), tolerance)


def _parameters(dtype: torch.dtype, device: torch.device) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(SEED)
    values = [torch.randn(shape, generator=generator).to(dtype) for shape in ((4, 5), (7,), (2, 3, 2))]
    return [torch.nn.Parameter(value.to(device)) for value in values]


def _optimizer_case(info: Any, given: Any, dtype: torch.dtype, name: str) -> Case:
    is_sparse = info.only_supports_sparse_grads

    def ready(device: torch.device, used: torch.dtype) -> Ready:
        """Numbers of dtype in the type that is used: the same ones."""
        parameters = [torch.nn.Parameter(one.detach().to(used)) for one in _parameters(dtype, device)]
        if info.optim_cls is torch.optim.Muon:
            parameters = [one for one in parameters if one.dim() == 2]
        optimizer = info.optim_cls(parameters, **copy.deepcopy(given.kwargs))
        generator = torch.Generator().manual_seed(SEED + 1)

        def closure() -> torch.Tensor:
            return torch.ones((), device=device)

        def call() -> Any:
            for _ in range(STEPS):
                for one in parameters:
                    gradient = torch.randn(one.shape, generator=generator).to(dtype).to(used)
                    one.grad = (gradient.to_sparse() if is_sparse else gradient).to(device)
                optimizer.step(closure) if info.step_requires_closure else optimizer.step()
            return [one.detach() for one in parameters], [
                value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor) and value.dim()]

        return Ready(call)

    return Case(name, lambda device: ready(device, dtype), make_double=lambda: ready(torch.device("cpu"), torch.float64))


def check_optimizer(subject: Subject) -> None:
    info = pairs.optimizers()[subject.pair.operator]

    def tolerance(check: str) -> Tolerance:
        return Tolerance()

    for number, given in enumerate(info.optim_inputs_func(torch.device("cpu"))):
        # The CPU runs each way of writing a step too; the device's is compared with the same way.
        for way in ({}, *({name: True} for name in info.supported_impls if name != "differentiable")):
            kwargs = {**given.kwargs, **way}
            if isinstance(kwargs.get("lr"), torch.Tensor) and way:
                continue
            one = type(given)(params=None, kwargs=kwargs, desc=given.desc)
            name = f"{number} {given.desc} {' '.join(way)}".strip()
            run_case(subject, _optimizer_case(info, one, subject.dtype, name), tolerance)
