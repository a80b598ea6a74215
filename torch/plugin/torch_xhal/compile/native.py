# SPDX-License-Identifier: Apache-2.0
"""C++ functions that Inductor generates, as native images that xhal loads and launches.

Such an image is a shared object with a table of kernels (the interface of version 3 of xhal's native images). A generated function is one
kernel of one group with one item, which calls it with its pointers resolved: memory of the device has no address on the host.
"""
from __future__ import annotations

import functools
import re
from typing import Any, Callable

import torch
from torch._inductor.async_compile import AsyncCompile, get_compile_threads
from torch._inductor.codecache import CppCodeCache, CppPythonBindingsCodeCache, LambdaFuture, write

from torch_xhal import _C

MOST_ARGUMENTS = 64
_VALUES = {"int64_t": ("q", 8), "long": ("q", 8), "int32_t": ("i", 4), "int": ("i", 4), "float": ("f", 4), "double": ("d", 8)}

_TABLE = """
#include <cstdint>
#include <cstring>
#include <mutex>

namespace {

struct xhal_param { const char* name; uint32_t kind, access, size, alignment; };
struct xhal_frame {
  uint64_t window_base, window_size, backing_distance;
  uint32_t group_id[3], group_count[3], group_size[3], row_groups, trapped, reserved;
  const void* const* arguments;
  uint32_t (*relax)(void*);
  void* relax_context;
  void** scratch;
  void (**scratch_free)(void*);
  const uint64_t* globals;
};
struct xhal_kernel {
  const char* name;
  void (*run_groups)(xhal_frame*);
  const xhal_param* params;
  uint32_t param_count, max_group_size, static_local_bytes, uses_barrier;
};
struct xhal_image {
  uint64_t magic;
  uint32_t struct_size, kernel_struct_size;
  const char* target;
  const xhal_kernel* kernels;
  uint32_t kernel_count, global_count;
  const void* const* globals;
};

template <class T>
T* xhal_memory(const xhal_frame* frame, unsigned index) {
  uint64_t word;
  std::memcpy(&word, frame->arguments[index], sizeof(word));
  return reinterpret_cast<T*>(word - frame->window_base < frame->window_size ? word + frame->backing_distance : word);
}
template <class T>
T xhal_value(const xhal_frame* frame, unsigned index) {
  T out;
  std::memcpy(&out, frame->arguments[index], sizeof(out));
  return out;
}

void xhal_run(xhal_frame* frame) {
  // An exception cannot leave the device: the launch fails.
  try {
    @LOCK@
    kernel(@CALL@);
  } catch (...) {
    frame->trapped = 1;
  }
}

const xhal_param xhal_params[] = {@PARAMS@};
const xhal_kernel xhal_kernels[] = {{"@NAME@", &xhal_run, xhal_params, @COUNT@, 1, 0, 0}};

}  // namespace

extern "C" __attribute__((visibility("default"))) const xhal_image xhal_native_image_v3;
extern "C" const xhal_image xhal_native_image_v3 = {
    0x334754414e4c4858u, sizeof(xhal_image), sizeof(xhal_kernel), "@TARGET@", xhal_kernels, 1, 0, nullptr};
"""
# Integer division notes a division by zero in a variable of the image, which launches on two streams would share.
_SHARED_STATE = re.compile(r"\b(floor_divide_integral|div_floor_integer\w*|remainder_integral|mod)\s*\(")
_LOCK = "static std::mutex one_at_a_time; const std::lock_guard<std::mutex> lock(one_at_a_time);"


def target_of(device: torch.device | int | None = None) -> str:
    """The kind of native image that the device takes; raises, and says so, for one that takes none."""
    index = _C.current_device() if device is None else device if isinstance(device, int) else device.index or 0
    targets = _C.targets_of(index, "native")
    if not targets:
        properties = _C.properties(index)
        raise NotImplementedError(
            f"torch.compile's backend 'inductor' needs a device that loads native images of the host's processor, and "
            f"'{properties['name']}' of the driver '{properties['driver']}' takes none: its generated C++ has nothing to run on. "
            "The backends 'aot_eager' and 'eager' work on every device."
        )
    return targets[0]


def parameters_of(argtypes: list[str]) -> list[tuple[str, str]]:
    """A letter and a type of C++ for each parameter."""
    out = []
    for text in argtypes:
        plain = text.replace("const ", "").strip()
        if plain.endswith("*"):
            # What is not const may be read as well: sums go there in steps.
            out.append(("r" if text.startswith("const ") else "b", text[:-1].strip()))
        elif plain in _VALUES:
            out.append((_VALUES[plain][0], plain))
        else:
            raise NotImplementedError(f"a generated kernel has a parameter of type '{text}'")
    if len(out) > MOST_ARGUMENTS:
        raise NotImplementedError(f"a generated kernel has {len(out)} parameters, and native images have at most {MOST_ARGUMENTS}")
    return out


def image_source(source: str, argtypes: list[str], name: str, target: str) -> str:
    calls, params = [], []
    for index, (letter, kind) in enumerate(parameters_of(argtypes)):
        if letter in "rwb":
            calls.append(f"xhal_memory<{kind}>(frame, {index})")
            params.append(f'{{"a{index}", 1, {1 if letter == "r" else 3}, 8, 8}}')
        else:
            size = next(size for known, size in _VALUES.values() if known == letter)
            calls.append(f"xhal_value<{kind}>(frame, {index})")
            params.append(f'{{"a{index}", 0, 0, {size}, {size}}}')
    body = source[source.rfind('extern "C"'):]
    filled = {
        "@LOCK@": _LOCK if _SHARED_STATE.search(body) else "",
        "@CALL@": ", ".join(calls),
        "@PARAMS@": ", ".join(params),
        "@NAME@": name,
        "@COUNT@": str(len(params)),
        "@TARGET@": target,
    }
    table = _TABLE
    for key, value in filled.items():
        table = table.replace(key, value)
    return source + table


class _Image:
    """The bytes of a shared object, where Inductor's cache expects a library."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.key = ""


class ImageCache(CppCodeCache):
    """Inductor's compiler, flags and cache of files."""

    cache: dict[str, Any] = {}
    cache_clear = staticmethod(cache.clear)
    cpp_compile_command_flags = dict(CppPythonBindingsCodeCache.cpp_compile_command_flags)

    @staticmethod
    def _load_library_inner(path: str, key: str) -> Any:
        return _Image(path)

    @classmethod
    def _get_uncompiled_header(cls, device: str) -> str | None:
        return CppPythonBindingsCodeCache._get_uncompiled_header(device)


class NativeKernel:
    """What the generated program calls: launches on the current stream of the tensors' device."""

    def __init__(self, name: str, letters: str, target: str, image: bytes) -> None:
        self.name, self._letters, self._target, self._image = name, letters, target, image
        self._loaded: dict[int, Any] = {}

    def __call__(self, *arguments: Any) -> None:
        device = next((one.device for one in arguments if isinstance(one, torch.Tensor)), None)
        ours = torch._C._get_privateuse1_backend_name()
        if device is None or device.type != ours:
            raise ValueError(f"the compiled kernel {self.name} runs on {ours}, and its first tensor is on {device}")
        kernel = self._loaded.get(device.index)
        if kernel is None:
            kernel = _C.Kernel(device.index, "native", self._target, self._image, self.name, self._letters)
            self._loaded[device.index] = kernel
        kernel.launch((1, 1, 1), (1, 1, 1), arguments)


@functools.cache
def _one_symbol() -> str:
    """Everything else stays the image's own: what C++ would share between libraries, kernels on several streams would share, too."""
    _, path = write("{ global: xhal_native_image_v3; local: *; };\n", "map")
    return f"-Wl,--version-script={path}"


class NativeCompile:
    """Stands for Inductor's AsyncCompile in a generated program."""

    def __init__(self, inner: AsyncCompile) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def native_kernel(self, name: str, argtypes: list[str], source: str) -> Any:
        target = target_of()
        letters = "".join(letter for letter, _ in parameters_of(argtypes))
        get: Callable[[], Any] = ImageCache.load_async(
            image_source(source, argtypes, name, target), "cpu", submit_fn=self._inner.submit, extra_flags=(_one_symbol(),)
        )
        made: list[NativeKernel] = []

        def result() -> NativeKernel:
            if not made:
                made.append(NativeKernel(name, letters, target, get().bytes))
            return made[0]

        # With one thread nobody waits for futures.
        return LambdaFuture(result) if get_compile_threads() > 1 else result()

    def cpp_pybinding(self, *_: Any) -> Any:
        """Would call the function on the host, with addresses that are none there."""
        raise RuntimeError(
            "this program was generated for another version of torch_xhal and comes from Inductor's cache: empty it "
            "(TORCHINDUCTOR_CACHE_DIR), or set TORCHINDUCTOR_FORCE_DISABLE_CACHES=1"
        )
