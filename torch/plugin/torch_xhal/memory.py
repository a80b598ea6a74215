# SPDX-License-Identifier: Apache-2.0
"""torch.xhal.memory: what users of torch.cuda.memory expect, over the caching allocator of xhal.

Names, keys and snapshots are those of torch.cuda.memory, so PyTorch's memory visualiser (torch/cuda/_memory_viz.py) reads them. Statistics of
each pool of graphs ("reserved_bytes_by_private_pools") are left out: the allocator keeps none of them but the bytes that snapshots tell.
"""
from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from typing import Any, Iterator

import torch

from torch_xhal import _C
from torch_xhal._index import DeviceLike, device_index, device_title

__all__ = [
    "caching_allocator_alloc",
    "caching_allocator_delete",
    "empty_cache",
    "get_allocator_backend",
    "get_per_process_memory_fraction",
    "host_memory_stats",
    "host_memory_stats_as_nested_dict",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_snapshot",
    "memory_stats",
    "memory_stats_as_nested_dict",
    "memory_summary",
    "reset_accumulated_host_memory_stats",
    "reset_accumulated_memory_stats",
    "reset_peak_host_memory_stats",
    "reset_peak_memory_stats",
    "set_per_process_memory_fraction",
]


def _flat(nested: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def memory_stats(device: DeviceLike = None) -> "OrderedDict[str, Any]":
    """Flat and sorted by key. Empty until the device's memory is used."""
    return OrderedDict(sorted(_flat(memory_stats_as_nested_dict(device))))


def memory_stats_as_nested_dict(device: DeviceLike = None) -> dict[str, Any]:
    return _C.memory_stats(device_index(device)) if _C.device_count() else {}


def memory_allocated(device: DeviceLike = None) -> int:
    return memory_stats(device).get("allocated_bytes.all.current", 0)


def max_memory_allocated(device: DeviceLike = None) -> int:
    return memory_stats(device).get("allocated_bytes.all.peak", 0)


def memory_reserved(device: DeviceLike = None) -> int:
    return memory_stats(device).get("reserved_bytes.all.current", 0)


def max_memory_reserved(device: DeviceLike = None) -> int:
    return memory_stats(device).get("reserved_bytes.all.peak", 0)


def reset_peak_memory_stats(device: DeviceLike = None) -> None:
    _C.reset_peak_memory_stats(device_index(device))


def reset_accumulated_memory_stats(device: DeviceLike = None) -> None:
    _C.reset_accumulated_memory_stats(device_index(device))


def host_memory_stats() -> "OrderedDict[str, Any]":
    """Of pinned memory, as torch.cuda.host_memory_stats; times in microseconds."""
    return OrderedDict(sorted(_flat(host_memory_stats_as_nested_dict())))


def host_memory_stats_as_nested_dict() -> dict[str, Any]:
    return _C.host_memory_stats()


def reset_peak_host_memory_stats() -> None:
    _C.reset_peak_host_memory_stats()


def reset_accumulated_host_memory_stats() -> None:
    _C.reset_accumulated_host_memory_stats()


def mem_get_info(device: DeviceLike = None) -> tuple[int, int]:
    """Free and total bytes of the device, all processes together, as its driver tells them."""
    return _C.memory_info(device_index(device))


def empty_cache() -> None:
    _C.empty_cache()


def get_allocator_backend() -> str:
    return "native"


def set_per_process_memory_fraction(fraction: float, device: DeviceLike = None) -> None:
    if not isinstance(fraction, (float, int)):
        raise TypeError("Invalid type for fraction argument, must be `float`")
    _C.set_memory_fraction(float(fraction), device_index(device))


def get_per_process_memory_fraction(device: DeviceLike = None) -> float:
    return _C.memory_fraction(device_index(device))


def caching_allocator_alloc(size: int, device: DeviceLike = None, stream: torch.Stream | int | None = None) -> int:
    """Memory without a tensor: its address, for caching_allocator_delete. It is of the given stream, or of the current one."""
    index = device_index(device)
    if stream is None:
        stream = torch.accelerator.current_stream(index)
    if isinstance(stream, torch.Stream):
        if stream.device_index != index:
            raise ValueError(f"the stream is of device {stream.device_index}, the memory would be of device {index}")
        stream = stream.stream_id
    if not isinstance(stream, int):
        raise TypeError(f"Invalid type for stream argument, must be `torch.Stream` or its `stream_id`, not {type(stream).__name__}")
    return _C.allocate_raw(size, index, stream)


def caching_allocator_delete(mem_ptr: int) -> None:
    _C.free_raw(mem_ptr)


# ---- The table that people read


def _bytes_column(value: int, largest: int) -> str:
    unit = 0
    while largest >= 768 * 1024 and unit < 5:
        largest /= 1024
        value //= 1024
        unit += 1
    return f"{value:6d} {('B  ', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[unit]}"


def _count_column(value: int, largest: int) -> str:
    unit = 0
    while largest >= 750 * 1000 and unit < 2:
        largest /= 1000
        value //= 1000
        unit += 1
    return f"{value:7d} {' KM'[unit]} "


_ROWS = (
    ("allocated_bytes", "Allocated memory", _bytes_column),
    ("active_bytes", "Active memory", _bytes_column),
    ("requested_bytes", "Requested memory", _bytes_column),
    ("reserved_bytes", "Device reserved memory", _bytes_column),
    ("inactive_split_bytes", "Non-releasable memory", _bytes_column),
    ("allocation", "Allocations", _count_column),
    ("active", "Active allocs", _count_column),
    ("segment", "Device reserved segs", _count_column),
    ("inactive_split", "Non-releasable allocs", _count_column),
)
_OVERSIZE_ROWS = (("oversize_allocations", "Oversize allocations"), ("oversize_segments", "Oversize device segs"))
_METRICS = ("current", "peak", "allocated", "freed")
_WIDTH = 77


def memory_summary(device: DeviceLike = None, abbreviated: bool = False) -> str:
    """The statistics as a table; all zeros until the device's memory is used."""
    index = device_index(device)
    stats = memory_stats(index)
    bar, rule = "=" * _WIDTH, "-" * _WIDTH
    retries = f"Retries behind a release of cached memory: {stats.get('num_alloc_retries', 0)}"
    lines = [
        bar,
        f"PyTorch {device_title()} memory summary, device ID {index}".center(_WIDTH),
        rule,
        f"  OOMs: {stats.get('num_ooms', 0):<12d} | {retries}".ljust(_WIDTH),
        bar,
        f" {'Metric':^22} | Cur Usage  | Peak Usage | Tot Alloc  | Tot Freed  ",
    ]

    def add(name: str, key: str, of: str, column: Any) -> None:
        # The parts have the unit of the whole, so that they can be compared.
        cells = (column(stats.get(f"{key}.{metric}", 0), stats.get(f"{of}.{metric}", 0)) for metric in _METRICS)
        lines.append(f" {name:<22} | " + " | ".join(cells) + " ")

    for key, name, column in _ROWS:
        lines.append(rule)
        add(name, f"{key}.all", f"{key}.all", column)
        if not abbreviated:
            add("      from large pool", f"{key}.large_pool", f"{key}.all", column)
            add("      from small pool", f"{key}.small_pool", f"{key}.all", column)
    for key, name in _OVERSIZE_ROWS:
        lines.append(rule)
        add(name, key, key, _count_column)
    lines.append(bar)
    return "".join(f"|{line:<{_WIDTH}}|\n" for line in lines)


# ---- Snapshots and what is recorded for them


def memory_snapshot(mempool_id: tuple[int, int] | None = None, include_traces: bool = True) -> list[dict[str, Any]]:
    """The segments of all devices, or those of one pool. Traces are in _snapshot(); include_traces changes nothing here."""
    del include_traces
    segments = _snapshot_of_all(has_trace=False)["segments"]
    return [one for one in segments if mempool_id is None or one["segment_pool_id"] == tuple(mempool_id)]


def _snapshot_of_all(has_trace: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"segments": [], "device_traces": [], "allocator_settings": {}, "external_annotations": []}
    for index in range(_C.device_count()):
        one = _C.memory_snapshot(index, has_trace)
        if one is not None:
            out["segments"] += one["segments"]
            # The environment's, so those of one allocator are those of all.
            out["allocator_settings"] = one["settings"]
        out["device_traces"].append([] if one is None else one["trace"])
    return out


def _snapshot(device: DeviceLike = None, augment_with_fx_traces: bool = False) -> dict[str, Any]:
    """What torch.cuda.memory._snapshot returns: the state of all devices, whichever is named, and the recorded traces."""
    del device
    snapshot = _snapshot_of_all(has_trace=True)
    if augment_with_fx_traces:
        from torch._utils import _augment_memory_snapshot_stack_traces

        snapshot = _augment_memory_snapshot_stack_traces(snapshot)
    return snapshot


def _dump_snapshot(filename: str = "dump_snapshot.pickle", augment_with_fx_traces: bool = False) -> None:
    snapshot = _snapshot(augment_with_fx_traces=augment_with_fx_traces)
    with open(filename, "wb") as file:
        pickle.dump(snapshot, file)


def _record_memory_history(
    enabled: str | None = "all",
    context: str | None = "all",
    stacks: str = "all",
    max_entries: int = sys.maxsize,
    device: DeviceLike = None,
    clear_history: bool = False,
    compile_context: bool = False,
    global_record_annotations: bool = False,
    skip_actions: list[str] | None = None,
) -> None:
    """On all devices, whichever is named, as torch.cuda.memory._record_memory_history. enabled=None stops and forgets the history."""
    del device
    if enabled not in (None, "state", "all"):
        raise ValueError(f"expected enabled to be None, 'state' or 'all', not {enabled!r}")
    if context not in (None, "state", "alloc", "all"):
        raise ValueError(f"expected context to be None, 'state', 'alloc' or 'all', not {context!r}")
    if stacks not in ("python", "all"):
        raise ValueError(f"expected stacks to be 'python' or 'all', not {stacks!r}")
    if max_entries < 0:
        raise ValueError(f"max_entries is at least 0, not {max_entries}")
    for name, is_wanted in (("compile_context", compile_context), ("global_record_annotations", global_record_annotations),
                            ("skip_actions", skip_actions)):
        if is_wanted:
            raise NotImplementedError(f"{device_title()}'s allocator records every action and nothing else: {name} is not implemented")
    if enabled is None or clear_history:
        _C.stop_recording()
    if enabled is not None:
        _C.start_recording(context or "", stacks == "all", max_entries if enabled == "all" else 0)


def _allocation_traceback(data_ptr: int) -> list[dict[str, Any]] | None:
    """The frames of a live block, by its first address; None where nothing was recorded."""
    return _C.allocation_traceback(data_ptr)


def _save_segment_usage(filename: str = "output.svg", snapshot: dict[str, Any] | None = None) -> None:
    from torch.cuda._memory_viz import segments

    with open(filename, "w") as file:
        file.write(segments(_snapshot() if snapshot is None else snapshot))


def _save_memory_usage(filename: str = "output.svg", snapshot: dict[str, Any] | None = None) -> None:
    from torch.cuda._memory_viz import memory

    with open(filename, "w") as file:
        file.write(memory(_snapshot() if snapshot is None else snapshot))
