# SPDX-License-Identifier: Apache-2.0
"""Arguments on another device, with the strides, offsets, bits and aliases that they have on the CPU."""
from __future__ import annotations

from typing import Any

import torch


def _place_tensor(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    source = tensor.detach()
    if source.layout is not torch.strided or source.is_nested or source.is_quantized:
        return source.clone() if device.type == "cpu" else source.to(device)
    is_conj, is_neg = source.is_conj(), source.is_neg()
    # The views take the bits off again, so that what is copied is what lies in memory.
    if is_conj:
        source = source.conj()
    if is_neg:
        source = torch._neg_view(source)
    count = source.untyped_storage().nbytes() // source.element_size()
    memory = torch.empty(0, dtype=source.dtype).set_(source.untyped_storage(), 0, (count,), (1,))
    copy = memory.to(device, copy=True)
    out = torch.empty(0, dtype=source.dtype, device=device)
    out.set_(copy.untyped_storage(), source.storage_offset(), source.size(), source.stride())
    if is_conj:
        out = out.conj()
    if is_neg:
        out = torch._neg_view(out)
    return out


def place(value: Any, device: torch.device, seen: dict[int, torch.Tensor] | None = None) -> Any:
    """A copy in any case; the same tensor given twice stays one."""
    if seen is None:
        seen = {}
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            out = _place_tensor(value, device)
            if isinstance(value, torch.nn.Parameter):
                out = torch.nn.Parameter(out, value.requires_grad)
            elif value.requires_grad:
                out.requires_grad_()
            seen[id(value)] = out
        return seen[id(value)]
    if isinstance(value, torch.device) or (isinstance(value, str) and value == "cpu"):
        return device
    if isinstance(value, torch.Generator):
        return torch.Generator(device).manual_seed(value.initial_seed())
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        # The lengths stay on the host, as PyTorch wants them.
        return type(value)(place(value.data, device, seen), value.batch_sizes, place(value.sorted_indices, device, seen),
                           place(value.unsorted_indices, device, seen))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(place(one, device, seen) for one in value))
    if type(value) in (list, tuple):
        return type(value)(place(one, device, seen) for one in value)
    if isinstance(value, dict):
        return {key: place(one, device, seen) for key, one in value.items()}
    return value


def tensors_of(value: Any) -> list[torch.Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    out = tensor.detach().cpu()
    return out.resolve_conj().resolve_neg() if out.layout is torch.strided else out


def in_double(value: Any) -> Any:
    """A copy on the CPU, floating point widened to double, types named in arguments too; the same tensor given twice stays one."""
    wide = {torch.complex32: torch.complex128, torch.complex64: torch.complex128}
    narrow = (torch.float16, torch.bfloat16, torch.float32)
    seen: dict[int, torch.Tensor] = {}

    def dtype_of(dtype: torch.dtype) -> torch.dtype:
        return torch.float64 if dtype in narrow else wide.get(dtype, dtype)

    def widened(leaf: Any) -> Any:
        if isinstance(leaf, torch.dtype):
            return dtype_of(leaf)
        if not isinstance(leaf, torch.Tensor) or leaf.layout is not torch.strided or leaf.is_nested:
            return leaf
        if id(leaf) not in seen:
            out = leaf.detach().to(dtype_of(leaf.dtype), copy=True)
            seen[id(leaf)] = out.requires_grad_(leaf.requires_grad) if out.is_floating_point() or out.is_complex() else out
        return seen[id(leaf)]

    return torch.utils._pytree.tree_map(widened, value)
