# SPDX-License-Identifier: Apache-2.0
"""What Dynamo and Inductor ask of a device."""
from __future__ import annotations

from typing import Any

import torch
from torch._dynamo.device_interface import DeviceInterface, register_interface_for_device

from torch_xhal import device as module


class XhalInterface(DeviceInterface):
    device = module.device
    Event = module.Event
    Stream = module.Stream

    class Worker:
        """Inductor's compile workers may not open the device: they were forked, and ask for what was cached before."""

        _current: int | None = None

        @staticmethod
        def set_device(device: int) -> None:
            XhalInterface.Worker._current = device

        @staticmethod
        def current_device() -> int:
            current = XhalInterface.Worker._current
            return module.current_device() if current is None else current

        @staticmethod
        def get_device_properties(device: Any = None) -> Any:
            return module.get_device_properties(XhalInterface.Worker.current_device() if device is None else device)

    current_device = staticmethod(module.current_device)
    set_device = staticmethod(module.set_device)
    exchange_device = staticmethod(module._exchange_device)
    maybe_exchange_device = staticmethod(module._maybe_exchange_device)
    device_count = staticmethod(module.device_count)
    is_available = staticmethod(module.is_available)
    stream = staticmethod(module.stream)
    current_stream = staticmethod(module.current_stream)
    set_stream = staticmethod(module.set_stream)
    synchronize = staticmethod(module.synchronize)
    get_device_properties = staticmethod(module.get_device_properties)

    @staticmethod
    def _set_stream_by_id(stream_id: int, device_index: int, device_type: int) -> None:
        module.set_stream(torch.Stream(stream_id=stream_id, device_index=device_index, device_type=device_type))

    @staticmethod
    def get_raw_stream(device_idx: int) -> int:
        return module.current_stream(device_idx).native_handle

    @staticmethod
    def get_compute_capability(device: Any = None) -> str:
        """xhal orders no architectures; what a compiled kernel depends on is the architecture itself."""
        return module.get_device_properties(device).architecture

    @staticmethod
    def is_bf16_supported(including_emulation: bool = False) -> bool:
        return torch.bfloat16 in torch.accelerator.get_device_capability()["supported_dtypes"]

    @classmethod
    def is_dtype_supported(cls, dtype: torch.dtype, including_emulation: bool = False) -> bool:
        return dtype in torch.accelerator.get_device_capability()["supported_dtypes"]

    @staticmethod
    def memory_allocated(device: Any = None) -> int:
        return torch.accelerator.memory_allocated(device)

    @staticmethod
    def is_triton_capable(device: Any = None) -> bool:
        return False

    @staticmethod
    def raise_if_triton_unavailable(device: Any = None) -> None:
        raise RuntimeError(f"there is no Triton for {module._name()}: Inductor generates C++ for it")


def register() -> None:
    name = module._name()
    register_interface_for_device(name, XhalInterface)
    for index in range(module.device_count()):
        register_interface_for_device(f"{name}:{index}", XhalInterface)
