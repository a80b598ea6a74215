# SPDX-License-Identifier: Apache-2.0
"""Which device is meant."""
from __future__ import annotations

import torch

from torch_xhal import _C

DeviceLike = int | str | torch.device | None


def device_name() -> str:
    return torch._C._get_privateuse1_backend_name()


def device_title() -> str:
    return device_name().upper()


def device_index(device: DeviceLike) -> int:
    if device is None:
        return _C.current_device()
    if isinstance(device, int):
        return device
    device = torch.device(device)
    if device.type != device_name():
        raise ValueError(f"Expected a {device_name()} device, but got: {device}")
    return _C.current_device() if device.index is None else device.index
