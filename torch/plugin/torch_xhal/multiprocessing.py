# SPDX-License-Identifier: Apache-2.0
"""Device memory is not shared between processes: what PyTorch would let pass without a word, or send as an empty tensor of the host,
is refused here."""
from __future__ import annotations

import functools
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from torch.multiprocessing import reductions

from torch_xhal._index import device_name as _name


def _refuse(storage: torch.UntypedStorage, what: str) -> None:
    if storage.device.type == _name():
        raise NotImplementedError(
            f"{what}: {_name().upper()} memory is not shared between processes. Send a copy on the host, tensor.cpu(), and move it to the "
            "device in the process that receives it"
        )


def on_processes() -> None:
    """All tensors, parameters and modules come down to these three."""
    share, is_shared = torch.UntypedStorage.share_memory_, torch.UntypedStorage.is_shared
    reduce = ForkingPickler._extra_reducers.get(torch.UntypedStorage, reductions.reduce_storage)

    @functools.wraps(share)
    def share_memory_(self: torch.UntypedStorage, *args: Any, **kwargs: Any) -> torch.UntypedStorage:
        _refuse(self, "share_memory_()")
        return share(self, *args, **kwargs)

    # PyTorch takes whatever is not the host's for shared.
    @functools.wraps(is_shared)
    def is_shared_(self: torch.UntypedStorage) -> bool:
        return self.device.type != _name() and is_shared(self)

    @functools.wraps(reduce)
    def reduce_storage(storage: torch.UntypedStorage) -> Any:
        _refuse(storage, "sending a tensor to another process")
        return reduce(storage)

    torch.UntypedStorage.share_memory_ = share_memory_
    torch.UntypedStorage.is_shared = is_shared_
    ForkingPickler.register(torch.UntypedStorage, reduce_storage)
