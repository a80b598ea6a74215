// SPDX-License-Identifier: Apache-2.0
// A launch on the current stream of a device, with arguments as the kernel's parameters stand.
#pragma once

#include <ATen/core/TensorBase.h>

#include <array>
#include <type_traits>

#include "kernels/pack.hpp"

namespace torch_xhal {

struct Memory {
  const void* pointer;
  uint64_t bytes;
  uint32_t access;
};
struct Local {
  uint64_t bytes;
};

// From a tensor's first element to its last, holes included. A tensor without elements has no address, and OpenCL devices refuse none: who may
// meet one launches nothing, or gives another in its place.
Memory reads(const at::TensorBase& tensor);
Memory writes(const at::TensorBase& tensor);
Memory updates(const at::TensorBase& tensor);

// Items in each dimension, in groups of a size that suits them, or of one that is given.
struct Grid {
  std::array<uint32_t, 3> groups;
  std::array<uint32_t, 3> group;
};
Grid items(c10::DeviceIndex device, uint64_t x, uint64_t y = 1, uint64_t z = 1);
inline Grid groups(uint64_t count, uint32_t size) {
  return {{static_cast<uint32_t>(count), 1, 1}, {size, 1, 1}};
}

namespace launching {

inline xhal_argument_t argument(const Memory& memory) {
  return {XHAL_ARGUMENT_MEMORY, memory.access, memory.bytes, memory.pointer};
}
inline xhal_argument_t argument(const Local& local) { return {XHAL_ARGUMENT_LOCAL, 0, local.bytes, nullptr}; }
template <class T>
  requires(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>)
xhal_argument_t argument(const T& value) {
  return {XHAL_ARGUMENT_VALUE, 0, sizeof(T), &value};
}

void submit(Kernel& kernel, c10::DeviceIndex device, const Grid& grid, const xhal_argument_t* arguments,
            uint32_t count);

}  // namespace launching

template <class... Arguments>
void launch(Kernel& kernel, c10::DeviceIndex device, const Grid& grid, const Arguments&... arguments) {
  const xhal_argument_t all[] = {launching::argument(arguments)...};
  launching::submit(kernel, device, grid, all, sizeof...(arguments));
}

}  // namespace torch_xhal
