// SPDX-License-Identifier: Apache-2.0
#include "device/properties.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <string>

#include "device/device.hpp"
#include "device/instance.hpp"
#include "engine/lane.hpp"
#include "ipc/handle.hpp"
#include "kernels/cpu_level.hpp"
#include "kernels/launch.hpp"

namespace xhal::sim {
namespace {

constexpr uint64_t mask_of(std::initializer_list<uint32_t> bits) {
  uint64_t mask = 0;
  for (const uint32_t bit : bits) mask |= uint64_t{1} << bit;
  return mask;
}

constexpr uint64_t kDtypes =
    mask_of({XHAL_DTYPE_BOOL, XHAL_DTYPE_I8, XHAL_DTYPE_U8, XHAL_DTYPE_I16, XHAL_DTYPE_U16, XHAL_DTYPE_I32,
             XHAL_DTYPE_U32, XHAL_DTYPE_I64, XHAL_DTYPE_U64, XHAL_DTYPE_F32, XHAL_DTYPE_F64});

uint64_t fnv1a(const char* text, uint64_t hash) {
  for (; *text != '\0'; ++text) hash = (hash ^ static_cast<unsigned char>(*text)) * 0x100000001b3u;
  return hash;
}

void set_behaviour(xhal_device_properties_t& properties) {
  properties.fault_scope = XHAL_FAULT_SCOPE_STREAM;
  properties.fault_recovery = XHAL_RECOVERY_RESET;
  properties.free_waits = XHAL_FREE_WAITS_NEVER;
  // Bytes for pageable memory have arrived when the call returns: later calls, and other streams, find them there.
  properties.copy_blocks = XHAL_COPY_DEVICE_TO_PAGEABLE | XHAL_COPY_HOST_TO_HOST;
  properties.host_function_blocks = XHAL_BLOCKS_NONE;
  properties.default_stream_kind = XHAL_DEFAULT_STREAM_INDEPENDENT;
}

void set_kernel_limits(xhal_device_properties_t& properties) {
  properties.max_group_items = kMaxGroupItems;
  std::fill_n(properties.max_group_size, 3, kMaxGroupItems);
  properties.max_group_count[0] = kMaxGroupCountX;
  properties.max_group_count[1] = kMaxGroupCountYZ;
  properties.max_group_count[2] = kMaxGroupCountYZ;
  properties.max_local_bytes = kMaxLocalBytes;
  properties.preferred_group_multiple = preferred_group_multiple();
  properties.max_argument_bytes = kMaxArgumentBytes;
  properties.max_arguments = kMaxArguments;
}

}  // namespace

// Lanes of 32 bits in a vector register.
uint32_t preferred_group_multiple() {
  const auto targets = usable_targets();
  if (targets.empty()) return 1;
  return targets.size() == 3 ? 16 : targets.size() == 2 ? 8 : 4;
}

void write_uuid(uint32_t index, uint8_t (&out)[16]) {
  const std::string name = "xhal-sim/" + std::to_string(index);
  const uint64_t halves[2] = {fnv1a(name.c_str(), 0xcbf29ce484222325u),
                              fnv1a(name.c_str(), 0x6c62272e07bb0142u)};
  std::memcpy(out, halves, sizeof(out));
  out[6] = static_cast<uint8_t>((out[6] & 0x0f) | 0x80);  // RFC 9562, version 8: a layout of our own
  out[8] = static_cast<uint8_t>((out[8] & 0x3f) | 0x80);
}

bool claims(const Device& device, uint32_t feature) {
  return (simulated_features() & ~device.instance.options.withdrawn & bit_of(feature)) != 0;
}

int32_t greatest_priority(const Device& device) {
  return claims(device, XHAL_FEATURE_STREAM_PRIORITY) ? kLeastPriority - static_cast<int32_t>(kUrgencies) + 1
                                                      : kLeastPriority;
}

xhal_device_properties_t properties_of(const Device& device) {
  const Options& options = device.instance.options;
  xhal_device_properties_t properties = {};
  properties.kind = XHAL_DEVICE_KIND_CPU;
  write_uuid(device.index, properties.uuid);
  properties.partition = XHAL_PARTITION_NONE;
  properties.index = device.index;
  properties.pci_domain = XHAL_PCI_UNKNOWN;
  properties.pci_bus = XHAL_PCI_UNKNOWN;
  properties.pci_device = XHAL_PCI_UNKNOWN;
  properties.pci_function = XHAL_PCI_UNKNOWN;
  properties.numa_node = XHAL_NUMA_UNKNOWN;
  properties.emulated = 1;
  const auto targets = usable_targets(options.level);
  const std::string architecture = targets.empty() ? "host" : std::string(targets.front());
  std::snprintf(properties.name, sizeof(properties.name), "xhal simulator %u", device.index);
  std::snprintf(properties.vendor, sizeof(properties.vendor), "xhal");
  std::snprintf(properties.architecture, sizeof(properties.architecture), "%s", architecture.c_str());
  properties.memory_bytes = options.memory_bytes;
  properties.memory_granularity = Arena::kGranule;
  properties.dtype_mask = kDtypes;
  properties.unit_count = options.units;
  properties.address_bits = 48;
  for (uint32_t feature = 0; feature < XHAL_FEATURE_WORDS * 64; ++feature) {
    if (claims(device, feature)) properties.features[feature / 64] |= uint64_t{1} << (feature % 64);
  }
  set_behaviour(properties);
  if (options.odd.has(Oddity::kOneWorker)) properties.host_function_blocks = XHAL_BLOCKS_DEVICE;
  properties.priority_least = kLeastPriority;
  properties.priority_greatest = greatest_priority(device);
  properties.event_resolution_ns = claims(device, XHAL_FEATURE_EVENT_TIMING) ? 1 : 0;
  properties.max_allocation_bytes = properties.memory_bytes;
  properties.memory_alignment = Arena::kGranule;
  if (claims(device, XHAL_FEATURE_IPC_MEMORY) || claims(device, XHAL_FEATURE_IPC_EVENT))
    properties.ipc_handle_bytes = sizeof(ShareHandle);
  if (claims(device, XHAL_FEATURE_KERNEL)) set_kernel_limits(properties);
  return properties;
}

}  // namespace xhal::sim
