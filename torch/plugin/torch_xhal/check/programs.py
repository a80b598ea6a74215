# SPDX-License-Identifier: Apache-2.0
"""What is run: a script as Python would run it, or a model forward and backward."""
from __future__ import annotations

import importlib
import re
import runpy
import sys
from pathlib import Path
from typing import Any, Callable

import torch
from torch.utils._pytree import tree_leaves, tree_map

# A dtype of this module that an argument names.
_INPUT = re.compile(r"(scalar|\d+(?:x\d+)*)(?::(\w+))?")


class Usage(Exception):
    """What was given cannot be run; the text says why."""


class Stopped(Exception):
    """The program's own end: text for the user, cause, and whether it was an operator that is missing."""

    def __init__(self, text: str, cause: BaseException | None = None) -> None:
        super().__init__(text)
        self.cause = cause


def script(path: Path, arguments: list[str]) -> Callable[[], None]:
    if not path.is_file():
        raise Usage(f"no such file: {path}")

    def run() -> None:
        former, folder = sys.argv, str(path.resolve().parent)
        sys.argv = [str(path), *arguments]
        sys.path.insert(0, folder)
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            if end.code not in (None, 0):
                raise Stopped(f"the script ended with exit code {end.code}", end) from end
        finally:
            sys.argv = former
            if folder in sys.path:
                sys.path.remove(folder)

    return run


def _named(target: str) -> Any:
    module_name, _, name = target.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise Usage(f"no module named '{error.name}'") from error
        raise Stopped(f"importing {module_name}: {type(error).__name__}: {error}", error) from error
    except Exception as error:
        raise Stopped(f"importing {module_name}: {type(error).__name__}: {error}", error) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise Usage(f"module '{module_name}' has no '{name}'")
        found = getattr(found, part)
    return found


def example(text: str) -> torch.Tensor:
    """SHAPE:DTYPE, as 8x3x32x32:float32; whole numbers are 0, which is an index of everything."""
    match = _INPUT.fullmatch(text)
    dtype = getattr(torch, (match[2] or "float32") if match else "", None)
    if match is None or not isinstance(dtype, torch.dtype):
        raise Usage(f"--input {text}: a shape and a type, as 8x3x32x32:float32, or scalar:float32")
    shape = () if match[1] == "scalar" else tuple(int(part) for part in match[1].split("x"))
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    return torch.zeros(shape, dtype=dtype)


def _examples(inputs: list[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if len(inputs) == 1 and not _INPUT.fullmatch(inputs[0]) and ":" in inputs[0]:
        maker = _named(inputs[0])
        given = maker() if callable(maker) else maker
        if isinstance(given, dict):
            return (), given
        return (tuple(given) if isinstance(given, (list, tuple)) else (given,)), {}
    return tuple(example(text) for text in inputs), {}


def model(target: str, inputs: list[str], device: torch.device, backward: bool, evaluates: bool) -> Callable[[], None]:
    if not inputs:
        raise Usage(f"{target}: say what it is called with: --input 8x3x32x32:float32, or --input module:function")
    found = _named(target)
    if not isinstance(found, torch.nn.Module) and not callable(found):
        raise Usage(f"{target} is a {type(found).__name__}, not a torch.nn.Module, nor does it make one")
    args, kwargs = _examples(inputs)
    try:
        module = found if isinstance(found, torch.nn.Module) else found()
    except Exception as error:
        raise Stopped(f"{target}(): {type(error).__name__}: {error}", error) from error
    if not isinstance(module, torch.nn.Module):
        raise Usage(f"{target} is a {type(module).__name__}, not a torch.nn.Module, nor does it make one")
    module.to(device).train(not evaluates)
    args, kwargs = tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, torch.Tensor) else leaf, (args, kwargs))

    def run() -> None:
        with torch.set_grad_enabled(backward):
            result = module(*args, **kwargs)
        ends = [leaf for leaf in tree_leaves(getattr(result, "__dict__", result)) if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
        if backward and ends:
            # Ones from the host, so that nothing is counted that the model does not do.
            torch.autograd.backward(ends, [torch.ones(end.shape, dtype=end.dtype).to(device) for end in ends])

    return run
