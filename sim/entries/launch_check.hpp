// SPDX-License-Identifier: Apache-2.0
// Whether a launch can be taken, with a text when it cannot, and taking its arguments. What a good launch needs is inline: there is no call
// between an application's launch and the slot of its stream.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "device/device.hpp"
#include "device/instance.hpp"
#include "device/properties.hpp"
#include "entries/entry.hpp"
#include "xhal/kernel.h"
#include "xhal/kit/launch.hpp"

namespace xhal::sim {

xhal_result_t check_shape(const Kernel& kernel, const Stream& stream, const xhal_launch_t& launch);
xhal_result_t check_arguments(const Kernel& kernel, const xhal_launch_t& launch);
xhal_result_t check_ranges(const Kernel& kernel, const xhal_launch_t& launch);

// Whether all that a launch without flags says beside its arguments and ranges is right. What is wrong is told by check_shape, which alone
// knows about flags.
inline bool has_good_shape(const Kernel& kernel, const Stream& stream, const xhal_launch_t& launch) {
  const uint32_t* const size = launch.group_size;
  const uint32_t* const count = launch.group_count;
  // A count or size of 0 wraps.
  static_assert(std::has_single_bit(kMaxGroupItems), "so that the sizes need one comparison");
  return ((size[0] - 1) | (size[1] - 1) | (size[2] - 1)) < kMaxGroupItems && count[0] - 1 < kMaxGroupCountX &&
         count[1] - 1 < kMaxGroupCountYZ && count[2] - 1 < kMaxGroupCountYZ &&
         (launch.flags | launch.reserved) == 0 && &kernel.device == &device_of(stream) &&
         kernel.device.epoch() == kernel.epoch &&
         uint64_t{size[0]} * size[1] * size[2] <= std::min(kernel.code.max_group_items, kMaxGroupItems);
}

// Kind and access lie beside each other and are looked at as one word.
inline uint64_t head_of(const xhal_argument_t& argument) {
  static_assert(offsetof(xhal_argument_t, kind) == 0 && offsetof(xhal_argument_t, access) == 4);
  uint64_t head = 0;
  std::memcpy(&head, &argument, sizeof(head));
  return head;
}
constexpr uint64_t head_of(uint32_t kind, uint32_t access) {
  return std::bit_cast<uint64_t>(std::array{kind, access});
}

// Most values are words, for which a call of memcpy costs more than the copy.
inline void copy_value(std::byte* target, const void* source, uint64_t size) {
  if (size == 8) {
    std::memcpy(target, source, 8);
  } else if (size == 4) {
    std::memcpy(target, source, 4);
  } else {
    std::memcpy(target, source, size);
  }
}

// Takes the arguments over in one pass, as long as each is right; what is wrong is told by check_arguments. `out`: the kernel's
// argument_bytes.
inline bool take_arguments(const Kernel& kernel, const xhal_launch_t& launch, std::byte* out) {
  const KernelCode& code = kernel.code;
  if (launch.argument_count != code.parameters.size() ||
      (launch.argument_count != 0 && launch.arguments == nullptr))
    return false;
  uint64_t local_bytes = uint64_t{code.static_local_bytes} + launch.dynamic_local_bytes;
  const xhal_argument_t* argument = launch.arguments;
  for (const KernelCode::Parameter& parameter : code.parameters) {
    const xhal_argument_t& given = *argument++;
    std::byte* const target = out + parameter.offset;
    if (parameter.argument_kind == XHAL_ARGUMENT_VALUE) {
      if (head_of(given) != head_of(XHAL_ARGUMENT_VALUE, 0) || given.size != parameter.size ||
          given.data == nullptr)
        return false;
      copy_value(target, given.data, given.size);
    } else if (parameter.argument_kind == XHAL_ARGUMENT_MEMORY) {
      if (given.kind != XHAL_ARGUMENT_MEMORY || !kit::is_access(given.access)) return false;
      const Memory& memory = kernel.device.instance.memory;
      if (!memory.is_plain_argument(given.data, given.size, kernel.device.index)) [[unlikely]] {
        const char* problem = nullptr;
        const Use use = {kernel.device.index, given.access};
        if (memory.check_argument(given.data, given.size, use, problem) < 0) return false;
      }
      std::memcpy(target, &given.data, sizeof(given.data));
    } else {
      if (head_of(given) != head_of(XHAL_ARGUMENT_LOCAL, 0) || given.data != nullptr ||
          given.size > kMaxLocalBytes)
        return false;
      local_bytes += given.size;
      std::memcpy(target, &given.size, sizeof(given.size));
    }
  }
  return local_bytes <= kMaxLocalBytes;
}

}  // namespace xhal::sim
