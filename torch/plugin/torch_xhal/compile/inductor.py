# SPDX-License-Identifier: Apache-2.0
"""Inductor's C++ code, with calls of kernels that xhal launches."""
from __future__ import annotations

from typing import Any

import torch
from torch._inductor import config
from torch._inductor.codegen.common import DeviceOpOverrides, register_device_op_overrides
from torch._inductor.codegen.cpp import CppScheduling
from torch._inductor.codegen.wrapper import PythonWrapperCodegen as _PythonWrapperCodegen
from torch._inductor.codegen.wrapper import SubgraphPythonWrapperCodegen

from torch_xhal.compile import native


def _name() -> str:
    return torch._C._get_privateuse1_backend_name()


class XhalOpOverrides(DeviceOpOverrides):
    def import_get_raw_stream_as(self, name: str) -> str:
        return f"from torch_xhal.compile.dynamo import XhalInterface\n{name} = XhalInterface.get_raw_stream"

    def set_device(self, device_idx: int) -> str:
        return f"torch.{_name()}.set_device({device_idx})"

    def synchronize(self) -> str:
        return f"torch.{_name()}.synchronize()"

    def device_guard(self, device_idx: int) -> str:
        return f"torch.{_name()}.device({device_idx})"

    def cpp_kernel_type(self) -> str:
        return "void*"


# One thread: a kernel is one group, which one worker of the device runs; teams of threads inside would be more than the device has.
# The backend: Inductor takes the generator of every device that it does not know for that of CUDA, and asks its name for what the
# C++ generator alone needs (the types of symbols of dynamic shapes among it).
_SETTINGS = {"cpp.threads": 1, "cpp.enable_kernel_profile": False, "cuda_backend": "cpp"}


def _generating(method: Any) -> Any:
    def run(self: Any, *arguments: Any, **named: Any) -> Any:
        with config.patch(_SETTINGS):
            return method(self, *arguments, **named)

    return run


def _as_for_the_host(scheduler: Any) -> None:
    """What Inductor's scheduler leaves out for code of the processor, by the device's name, it leaves out here."""

    def is_ours(*nodes: Any) -> bool:
        return any(node.get_device() is not None and node.get_device().type == _name() for node in nodes)

    def without(method: str, refusal: Any) -> None:
        former = getattr(scheduler, method, None)
        if former is not None:
            setattr(scheduler, method, lambda first, second: refusal if is_ours(first, second) else former(first, second))

    without("shared_data_after_inverting_indexing", -1)
    without("shared_data_after_reordering_loop", -1)
    without("_try_reindex_pointwise_for_reduction", False)


class Scheduling(CppScheduling):
    # Room for what is fused last: an image's kernel has at most native.MOST_ARGUMENTS.
    MAX_FUSED_KERNEL_ARGS_NUM = native.MOST_ARGUMENTS // 2

    def __init__(self, scheduler: Any) -> None:
        native.target_of()
        super().__init__(scheduler)
        if scheduler:
            _as_for_the_host(scheduler)

    codegen_node = _generating(CppScheduling.codegen_node)
    codegen_outer_loop_node = _generating(CppScheduling.codegen_outer_loop_node)
    flush = _generating(CppScheduling.flush)


class _Launches:
    def _generate_kernel_call_helper(self, kernel_name: str, call_args: Any, *, triton: bool = True, **named: Any) -> None:
        if triton:
            raise NotImplementedError(f"{kernel_name}: there is no Triton for {_name()}")
        self.writeline(self.wrap_kernel_call(kernel_name, call_args))  # type: ignore[attr-defined]

    def define_kernel(self, kernel_name: str, kernel_body: str, *arguments: Any, **named: Any) -> None:
        # The name that traces show.
        body = kernel_body.replace("async_compile.cpp_pybinding(", f"async_compile.native_kernel({kernel_name!r}, ", 1)
        super().define_kernel(kernel_name, body, *arguments, **named)  # type: ignore[misc]

    def make_allocation(self, name: str, device: torch.device, *arguments: Any, **named: Any) -> str:
        # Inductor writes the device's type alone, and means the current one.
        line = super().make_allocation(name, device, *arguments, **named)  # type: ignore[misc]
        return line if device.index is None else line.replace(f"device='{_name()}'", f"device='{_name()}:{device.index}'")


class PythonWrapperCodegen(_Launches, _PythonWrapperCodegen):
    @staticmethod
    def create(is_subgraph: bool, subgraph_name: str | None, parent_wrapper: Any, partition_signatures: Any = None) -> Any:
        if is_subgraph:
            return _SubgraphWrapperCodegen(subgraph_name, parent_wrapper, partition_signatures)
        return PythonWrapperCodegen()

    def write_header(self) -> None:
        super().write_header()
        self.imports.writeline("from torch_xhal.compile.native import NativeCompile")
        self.header.writeline("async_compile = NativeCompile(async_compile)")


class _SubgraphWrapperCodegen(_Launches, SubgraphPythonWrapperCodegen):
    pass


class CppWrapperCodegen:
    @staticmethod
    def create(*_: Any) -> Any:
        raise NotImplementedError(f"Inductor's option cpp_wrapper does not work on {_name()}: its kernels are launched from generated Python")


class WrapperFxCodegen:
    @staticmethod
    def create(*_: Any) -> Any:
        raise NotImplementedError(f"Inductor's option fx_wrapper does not work on {_name()}: its kernels are launched from generated Python")


register_device_op_overrides(_name(), XhalOpOverrides())
