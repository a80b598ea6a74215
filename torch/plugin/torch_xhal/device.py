# SPDX-License-Identifier: Apache-2.0
"""torch.xhal: what PyTorch and its users expect of a device's module."""
from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Iterator

import torch

from torch_xhal import _C

DeviceLike = int | str | torch.device | None


def _name() -> str:
    return torch._C._get_privateuse1_backend_name()


def _index(device: DeviceLike) -> int:
    if device is None:
        return current_device()
    if isinstance(device, int):
        return device
    device = torch.device(device)
    if device.type != _name():
        raise ValueError(f"Expected a {_name()} device, but got: {device}")
    return current_device() if device.index is None else device.index


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


def synchronize(device: DeviceLike = None) -> None:
    torch.accelerator.synchronize(_index(device))


class Stream(torch.Stream):
    def __new__(cls, device: DeviceLike = None, priority: int = 0, **numbers: int) -> "Stream":
        if numbers:
            return super().__new__(cls, priority=priority, **numbers)
        return super().__new__(cls, device=torch.device(_name(), _index(device)), priority=priority)


class Event(torch.Event):
    def __new__(cls, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> "Event":
        return super().__new__(cls, device=_name(), enable_timing=enable_timing, blocking=blocking, interprocess=interprocess)


def current_stream(device: DeviceLike = None) -> torch.Stream:
    return torch.accelerator.current_stream(_index(device))


def default_stream(device: DeviceLike = None) -> torch.Stream:
    return torch.Stream(stream_id=0, device_index=_index(device), device_type=_device_type())


def set_stream(stream: torch.Stream) -> None:
    torch.accelerator.set_stream(stream)


@contextmanager
def stream(stream: torch.Stream | None) -> Iterator[None]:
    if stream is None:
        yield
        return
    with stream:
        yield


def _device_type() -> int:
    # The number of PrivateUse1 in c10::DeviceType.
    return 20


def manual_seed(seed: int) -> None:
    """Without a device nothing is seeded, as of CUDA: programs seed before they know."""
    if is_available():
        _default_generator(current_device()).manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    for index in range(device_count()):
        _default_generator(index).manual_seed(seed)


def _default_generator(index: int) -> torch.Generator:
    return _C.default_generator(index)


def get_amp_supported_dtype() -> list[torch.dtype]:
    return [torch.bfloat16, torch.float16]
