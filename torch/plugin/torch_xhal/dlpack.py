# SPDX-License-Identifier: Apache-2.0
"""DLPack, both ways. PyTorch knows a device that is not its own by the name "privateuse1" alone and orders no stream of it, so the
two methods of tensors and from_dlpack are completed for ours; all other tensors take PyTorch's own way.

A device is (kDLExtDev, index), a stream its xhal_stream_t as a number (torch.xhal.Stream.xhal_stream), None the default stream, -1 none.
"""
from __future__ import annotations

import functools
from typing import Any

import torch
from torch.overrides import has_torch_function_unary
from torch.utils import dlpack

from torch_xhal import _C
from torch_xhal._index import device_name as _name
from torch_xhal._index import device_title as _title

_PRESERVED = -1


def _is_ours(tensor: torch.Tensor) -> bool:
    # Subclasses with functions of their own come back without them.
    return not has_torch_function_unary(tensor) and tensor.device.type == _name()


def _stream(number: int | None, index: int) -> torch.Stream:
    device_type = torch.accelerator.current_stream(index).device_type
    if number is None:
        return torch.Stream(stream_id=0, device_index=index, device_type=device_type)
    # What CUDA and ROCm mean by these is nobody's handle.
    if number in (0, 1, 2):
        raise BufferError(f"{number} is no {_title()} stream: expected an xhal_stream_t, None (the default stream) or -1 (no order)")
    stream_id, device_index = _C.stream_from_native(index, number)
    return torch.Stream(stream_id=stream_id, device_index=device_index, device_type=device_type)


def _order(tensor: torch.Tensor, number: int | None, index: int) -> None:
    """The stream with this number comes after the current one, and memory lives until it is done with what it was given by then."""
    stream, current = _stream(number, index), torch.accelerator.current_stream(index)
    if stream != current:
        stream.wait_event(current.record_event())
        if tensor.device.index == index:
            tensor.record_stream(stream)


class _Ordered:
    """Somebody else's array, asked for in the order of our current stream: PyTorch would not say which that is."""

    def __init__(self, array: Any, index: int) -> None:
        self._array, self._index = array, index

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def __dlpack__(self, **options: Any) -> Any:
        current = torch.accelerator.current_stream(self._index)
        return self._array.__dlpack__(stream=_C.stream_handle(current.stream_id, self._index), **options)


def _check_memory(tensor: torch.Tensor) -> torch.Tensor:
    # kDLExtDev is any device that DLPack has no name for.
    if tensor.device.type == _name() and tensor.numel() != 0:
        index = _C.device_of_pointer(tensor.data_ptr())
        if index != tensor.device.index:
            raise ValueError(f"from_dlpack: the memory is of {_name()}:{index}, not of {tensor.device}")
    return tensor


def on_tensors() -> None:
    export, device_of, take = torch.Tensor.__dlpack__, torch.Tensor.__dlpack_device__, dlpack.from_dlpack

    @functools.wraps(device_of)
    def __dlpack_device__(self: torch.Tensor) -> Any:
        if not _is_ours(self):
            return device_of(self)
        return dlpack.DLDeviceType.kDLExtDev, self.device.index

    @functools.wraps(export)
    def __dlpack__(self: torch.Tensor, *, stream: Any = _PRESERVED, dl_device: Any = None, **options: Any) -> Any:
        if not _is_ours(self) or (stream is not None and type(stream) is not int):
            return export(self, stream=stream, dl_device=dl_device, **options)
        capsule = export(self, stream=_PRESERVED, dl_device=dl_device, **options)
        # After the copy, where one was asked for. To the host it has waited.
        kind, index = self.__dlpack_device__() if dl_device is None else dl_device
        if stream != _PRESERVED and kind == dlpack.DLDeviceType.kDLExtDev:
            _order(self, stream, index)
        return capsule

    @functools.wraps(take)
    def from_dlpack(ext_tensor: Any, **options: Any) -> torch.Tensor:
        if hasattr(ext_tensor, "__dlpack__"):
            if isinstance(ext_tensor, torch.Tensor):
                return take(ext_tensor, **options)
            kind, index = ext_tensor.__dlpack_device__()
            if kind == dlpack.DLDeviceType.kDLExtDev:
                ext_tensor = _Ordered(ext_tensor, index)
        return _check_memory(take(ext_tensor, **options))

    torch.Tensor.__dlpack__, torch.Tensor.__dlpack_device__ = __dlpack__, __dlpack_device__
    torch.from_dlpack = dlpack.from_dlpack = from_dlpack
