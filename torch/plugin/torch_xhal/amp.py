# SPDX-License-Identifier: Apache-2.0
"""torch.xhal.amp: torch.amp for this device, with the names that torch.cuda.amp has."""
from __future__ import annotations

from typing import Any

import torch

from torch_xhal._index import device_name as _name

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(torch.amp.autocast_mode.autocast):
    def __init__(self, enabled: bool = True, dtype: torch.dtype | None = None, cache_enabled: bool | None = None) -> None:
        super().__init__(_name(), enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(torch.amp.GradScaler):
    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__(_name(), init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def custom_fwd(forward: Any = None, *, cast_inputs: torch.dtype | None = None) -> Any:
    return torch.amp.custom_fwd(forward, device_type=_name(), cast_inputs=cast_inputs)


def custom_bwd(backward: Any = None) -> Any:
    return torch.amp.custom_bwd(backward, device_type=_name())
