# SPDX-License-Identifier: Apache-2.0
"""torch.xhal: what PyTorch and its users expect of a device's module."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from torch_xhal import _C, amp, compile, memory, random  # noqa: F401
from torch_xhal._index import DeviceLike
from torch_xhal._index import device_index as _index
from torch_xhal._index import device_name as _name
from torch_xhal.memory import *  # noqa: F403
from torch_xhal.random import *  # noqa: F403
from torch_xhal.random import _get_generator, _get_rng_state_offset, _set_rng_state_offset  # noqa: F401

AcceleratorError = torch.AcceleratorError
OutOfMemoryError = torch.OutOfMemoryError
has_half = True


def __getattr__(name: str) -> Any:
    # Made when it is asked for: to import opens no driver.
    if name == "default_generators":
        return random.default_generators()
    # torch.utils.checkpoint keeps random states of what is initialised alone.
    if name == "_initialized":
        return is_initialized()
    # Inductor looks for its classes here; they need Inductor themselves.
    if name in compile.INDUCTOR_CLASSES:
        return compile.inductor_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def fallback_counts() -> dict[str, int]:
    """How often each operator that has no kernel ran on the host, on copies of its tensors, since reset_fallback_counts()."""
    return _C.fallback_counts()


def reset_fallback_counts() -> None:
    _C.reset_fallback_counts()


def device_count() -> int:
    """Opens no context; 0 when there is no driver, whatever the reason (torch.xhal.why_none())."""
    return _C.device_count()


def is_available() -> bool:
    return device_count() > 0


def why_none() -> str:
    """Why there is no device; empty when there is one."""
    return _C.why_none()


def is_initialized() -> bool:
    return any(_C.is_active(index) for index in range(device_count())) and not _is_in_bad_fork()


def init() -> None:
    _lazy_init()


def _is_in_bad_fork() -> bool:
    return _C.is_in_bad_fork()


def _lazy_init() -> None:
    if _is_in_bad_fork():
        raise RuntimeError(
            f"Cannot re-initialize {_name().upper()} in forked subprocess. To use it with multiprocessing, you must use the 'spawn' "
            "start method"
        )
    _C.check_device(current_device())


def _lazy_call(callback: Any, **_: Any) -> None:
    """Nothing is made before it is used, so nothing has to be put off."""
    callback()


def current_device() -> int:
    return _C.current_device()


def set_device(device: DeviceLike) -> None:
    index = _index(device)
    if index >= 0:
        _C.set_device(index)


def _exchange_device(index: int) -> int:
    former = current_device()
    if index >= 0:
        _C.set_device(index)
    return former


_maybe_exchange_device = _exchange_device


class device:
    """The context manager: with torch.xhal.device(1): ..."""

    def __init__(self, device: DeviceLike) -> None:
        self.index = _index(device)
        self.former = -1

    def __enter__(self) -> None:
        self.former = _exchange_device(self.index)

    def __exit__(self, *_: object) -> None:
        _exchange_device(self.former)


class device_of(device):
    """The device of a tensor or storage; nothing for those of other devices."""

    def __init__(self, owner: Any) -> None:
        is_ours = owner.device.type == _name()
        super().__init__(owner.get_device() if is_ours else -1)


def get_device_properties(device: DeviceLike = None) -> SimpleNamespace:
    return SimpleNamespace(**_C.properties(_index(device)))


def get_device_name(device: DeviceLike = None) -> str:
    return get_device_properties(device).name


def get_device_capability(device: DeviceLike = None) -> dict[str, Any]:
    """The device's properties and the types that it computes with: an xhal device has no number that says it all."""
    index = _index(device)
    return {**_C.properties(index), **torch.accelerator.get_device_capability(index)}


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current device computes with bfloat16; what drivers emulate they do not tell apart."""
    del including_emulation
    return is_available() and torch.bfloat16 in torch.accelerator.get_device_capability()["supported_dtypes"]


def can_device_access_peer(device: DeviceLike, peer_device: DeviceLike) -> bool:
    """Whether kernels of the one reach the memory of the other. Copies between two devices need none of it."""
    index, peer = _index(device), _index(peer_device)
    for one, what in ((index, "device"), (peer, "peer device")):
        if not 0 <= one < device_count():
            raise AssertionError(f"Invalid {what} id: {one}")
    # CUDA's answer too: no device is its own peer.
    return index != peer and _C.can_access_peer(index, peer)


def synchronize(device: DeviceLike = None) -> None:
    # PyTorch's own returns at once where nothing was used yet, for a wrong index too.
    _lazy_init()
    index = _index(device)
    _C.check_device(index)
    torch.accelerator.synchronize(index)


class Stream(torch.Stream):
    def __new__(cls, device: DeviceLike = None, priority: int = 0, **numbers: int) -> "Stream":
        if numbers:
            return super().__new__(cls, priority=priority, **numbers)
        return super().__new__(cls, device=torch.device(_name(), _index(device)), priority=priority)


    @property
    def xhal_stream(self) -> int:
        """Its xhal_stream_t."""
        return _C.stream_handle(self.stream_id, self.device_index)


class Event(torch.Event):
    def __new__(cls, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> "Event":
        return super().__new__(cls, device=_name(), enable_timing=enable_timing, blocking=blocking, interprocess=interprocess)


def current_stream(device: DeviceLike = None) -> torch.Stream:
    return torch.accelerator.current_stream(_index(device))


def default_stream(device: DeviceLike = None) -> torch.Stream:
    return torch.Stream(stream_id=0, device_index=_index(device), device_type=_device_type())


def set_stream(stream: torch.Stream | None) -> None:
    if stream is not None:
        torch.accelerator.set_stream(stream)


class StreamContext:
    """with torch.xhal.stream(s): the current stream, and its device the current device; None changes nothing."""

    def __init__(self, stream: torch.Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            self.stream.__enter__()

    def __exit__(self, *raised: Any) -> None:
        if self.stream is not None:
            self.stream.__exit__(*raised)


def stream(stream: torch.Stream | None) -> StreamContext:
    return StreamContext(stream)


def get_stream_from_external(data_ptr: int, device: DeviceLike = None) -> Stream:
    """The stream with this xhal_stream_t, which somebody else made and keeps."""
    stream_id, device_index = _C.stream_from_native(_index(device), data_ptr)
    return Stream(stream_id=stream_id, device_index=device_index, device_type=_device_type())


class ExternalStream(Stream):
    def __new__(cls, stream_ptr: int, device: DeviceLike = None) -> "ExternalStream":
        stream_id, device_index = _C.stream_from_native(_index(device), stream_ptr)
        return super().__new__(cls, stream_id=stream_id, device_index=device_index, device_type=_device_type())


def is_current_stream_capturing() -> bool:
    return torch.accelerator.current_stream().is_capturing()


def _device_type() -> int:
    # The number of PrivateUse1 in c10::DeviceType.
    return 20


def get_amp_supported_dtype() -> list[torch.dtype]:
    return [torch.bfloat16, torch.float16]
