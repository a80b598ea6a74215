# SPDX-License-Identifier: Apache-2.0
"""torch.xhal.random: the default generators of the devices."""
from __future__ import annotations

from typing import Iterable

import torch

from torch_xhal import _C
from torch_xhal._index import DeviceLike, device_index

__all__ = [
    "get_rng_state",
    "get_rng_state_all",
    "initial_seed",
    "manual_seed",
    "manual_seed_all",
    "seed",
    "seed_all",
    "set_rng_state",
    "set_rng_state_all",
]


def default_generators() -> tuple[torch.Generator, ...]:
    return tuple(_C.default_generator(index) for index in range(_C.device_count()))


def _get_generator(device: DeviceLike = None) -> torch.Generator:
    return _C.default_generator(device_index(device))


def get_rng_state(device: DeviceLike = None) -> torch.Tensor:
    """16 bytes on the host: seed and offset."""
    return _get_generator(device).get_state()


def get_rng_state_all() -> list[torch.Tensor]:
    return [generator.get_state() for generator in default_generators()]


def set_rng_state(new_state: torch.Tensor, device: DeviceLike = None) -> None:
    _get_generator(device).set_state(new_state)


def set_rng_state_all(new_states: Iterable[torch.Tensor]) -> None:
    for index, state in enumerate(new_states):
        set_rng_state(state, index)


def _get_rng_state_offset(device: DeviceLike = None) -> int:
    return _get_generator(device).get_offset()


def _set_rng_state_offset(offset: int, device: DeviceLike = None) -> None:
    _get_generator(device).set_offset(offset)


def manual_seed(seed: int) -> None:
    """Without a device nothing is seeded, as of CUDA: programs seed before they know."""
    if _C.device_count():
        _get_generator().manual_seed(int(seed))


def manual_seed_all(seed: int) -> None:
    for generator in default_generators():
        generator.manual_seed(int(seed))


def seed() -> None:
    """One that nobody can foresee, for the current device."""
    if _C.device_count():
        _get_generator().seed()


def seed_all() -> None:
    """The same for all devices, and one that nobody can foresee."""
    generators = default_generators()
    if generators:
        common = generators[0].seed()
        for generator in generators[1:]:
            generator.manual_seed(common)


def initial_seed() -> int:
    """The seed of the current device's generator."""
    return _get_generator().initial_seed()
