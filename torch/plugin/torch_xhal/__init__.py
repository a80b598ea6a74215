# SPDX-License-Identifier: Apache-2.0
"""Every xhal driver is a PyTorch device: torch.device("xhal").

To import the package registers the device and opens no driver. PyTorch imports it by itself (entry point "torch.backends").
"""
import atexit
import os
import re
import sys

__version__ = "0.1.0"

_NAME_VARIABLE = "TORCH_XHAL_DEVICE_NAME"
_is_registered = False


def _device_name() -> str:
    name = os.environ.get(_NAME_VARIABLE, "xhal")
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise ImportError(f"{_NAME_VARIABLE}={name!r}: a device's name is of small letters, digits and '_'")
    # torch.load takes everything that begins so for its own devices.
    if name.startswith(("cpu", "cuda")):
        raise ImportError(f"{_NAME_VARIABLE}={name!r}: names that begin with 'cpu' or 'cuda' are PyTorch's own")
    return name


def _rename(name: str) -> None:
    import torch

    taken = torch._C._get_privateuse1_backend_name()
    if taken not in ("privateuseone", name):
        raise ImportError(
            f"torch_xhal cannot be a device beside '{taken}': PyTorch has one place for a device that is not its own, and "
            f"'{taken}' has taken it. Run it in another process, or set TORCH_DEVICE_BACKEND_AUTOLOAD=0 and import "
            "torch_xhal alone."
        )
    if hasattr(torch, taken) and getattr(torch, taken).__name__ != "torch_xhal.device":
        raise ImportError(f"torch_xhal cannot be the device '{name}': '{getattr(torch, taken).__name__}' is it already")
    torch.utils.rename_privateuse1_backend(name)


def _autoload() -> None:
    global _is_registered
    # This import may register: the question comes after it.
    import torch

    if _is_registered:
        return
    name = _device_name()
    _rename(name)
    # The library registers guard, hooks and allocators.
    from torch_xhal import _C, amp, compile, device, dlpack, memory, multiprocessing, random

    torch._register_device_module(name, device)
    sys.modules[f"torch.{name}"] = device
    sys.modules[f"torch.{name}.amp"] = amp
    sys.modules[f"torch.{name}.memory"] = memory
    sys.modules[f"torch.{name}.random"] = random
    torch.utils.generate_methods_for_privateuse1_backend(for_tensor=True, for_module=True, for_packed_sequence=True, for_storage=True)
    dlpack.on_tensors()
    multiprocessing.on_processes()
    compile.on_dynamo()
    # Before the interpreter ends, which autograd's threads do not outlive.
    atexit.register(_C.stop_autograd)
    _is_registered = True


# PyTorch calls _autoload while it is imported itself: where this package was imported first, that is from within this package's
# import of torch, so nothing above may need torch at the top.
_autoload()
