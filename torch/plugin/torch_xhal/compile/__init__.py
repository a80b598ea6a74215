# SPDX-License-Identifier: Apache-2.0
"""torch.compile: what Dynamo asks of a device, and Inductor by its C++ code, whose kernels xhal launches as native images.

Nothing here is imported before somebody compiles: on_dynamo() waits for Dynamo, and Inductor asks torch.xhal for its classes.
"""
from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any, Sequence

_INTERFACES = "torch._dynamo.device_interface"
# What Inductor asks of the module of a device that is not PyTorch's own.
INDUCTOR_CLASSES = ("Scheduling", "PythonWrapperCodegen", "CppWrapperCodegen", "WrapperFxCodegen")


def inductor_class(name: str) -> Any:
    from torch_xhal.compile import inductor

    return getattr(inductor, name)


def _register() -> None:
    from torch_xhal.compile import dynamo

    dynamo.register()


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Whoever reads the module's file later asks its own loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _register()


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if name != _INTERFACES:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def on_dynamo() -> None:
    """Registers the device with Dynamo as soon as that is there. It takes a second to import, which a program that compiles nothing
    should not pay, and it has no place where a device could say that it will come."""
    if _INTERFACES in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _Finder())
