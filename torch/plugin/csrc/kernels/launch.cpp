// SPDX-License-Identifier: Apache-2.0
#include "kernels/launch.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "runtime/check.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

constexpr uint64_t kGroupItems = 256;

Memory span_of(const at::TensorBase& tensor, uint32_t access) {
  uint64_t last = 0;
  for (int64_t d = 0; d < tensor.dim(); ++d) {
    if (tensor.size(d) == 0) return {tensor.const_data_ptr(), 0, access};
    last += static_cast<uint64_t>(tensor.size(d) - 1) * static_cast<uint64_t>(tensor.stride(d));
  }
  return {tensor.const_data_ptr(), (last + 1) * tensor.element_size(), access};
}

}  // namespace

Memory reads(const at::TensorBase& tensor) { return span_of(tensor, XHAL_ACCESS_READ); }
Memory writes(const at::TensorBase& tensor) { return span_of(tensor, XHAL_ACCESS_WRITE); }
Memory updates(const at::TensorBase& tensor) { return span_of(tensor, XHAL_ACCESS_READ_WRITE); }

Grid items(c10::DeviceIndex device, uint64_t x, uint64_t y, uint64_t z) {
  const uint64_t most = std::min<uint64_t>(kGroupItems, device_at(device).properties.max_group_items);
  const uint64_t wide = std::min(most, std::bit_ceil(x));
  const uint64_t high = std::min(most / wide, std::bit_ceil(y));
  const uint64_t deep = std::min(most / wide / high, std::bit_ceil(z));
  const auto count = [](uint64_t of, uint64_t size) {
    const uint64_t out = (of + size - 1) / size;
    TORCH_CHECK(out <= std::numeric_limits<uint32_t>::max(), "a launch over ", of,
                " items has too many groups");
    return static_cast<uint32_t>(out);
  };
  return {{count(x, wide), count(y, high), count(z, deep)},
          {static_cast<uint32_t>(wide), static_cast<uint32_t>(high), static_cast<uint32_t>(deep)}};
}

void launching::submit(Kernel& kernel, c10::DeviceIndex device, const Grid& grid,
                       const xhal_argument_t* arguments, uint32_t count) {
  xhal_launch_t launch = {};
  launch.struct_size = sizeof(launch);
  std::copy(grid.groups.begin(), grid.groups.end(), launch.group_count);
  std::copy(grid.group.begin(), grid.group.end(), launch.group_size);
  launch.argument_count = count;
  launch.arguments = arguments;
  XHAL_CHECK(xhal_kernel_launch(handle_of(current_stream(device)), kernel.on(device), &launch));
}

}  // namespace torch_xhal
