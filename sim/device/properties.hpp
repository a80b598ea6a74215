// SPDX-License-Identifier: Apache-2.0
// What a simulated device says about itself.
#pragma once

#include "xhal/device.h"

namespace xhal::sim {

class Device;

[[nodiscard]] xhal_device_properties_t properties_of(const Device& device);
[[nodiscard]] bool claims(const Device& device, uint32_t feature);
// A pure function of the index: the same in every instance and process.
void write_uuid(uint32_t index, uint8_t (&out)[16]);

// The most urgent one; equal to the least when the device does not claim priorities.
inline constexpr int32_t kLeastPriority = 0;
[[nodiscard]] int32_t greatest_priority(const Device& device);

inline constexpr uint32_t kMaxGroupItems = 1024;
inline constexpr uint32_t kMaxGroupCountX = 0x7fffffff;
inline constexpr uint32_t kMaxGroupCountYZ = 65535;
[[nodiscard]] uint32_t preferred_group_multiple();

}  // namespace xhal::sim
