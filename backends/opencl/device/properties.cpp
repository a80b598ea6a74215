// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstring>

#include "device/device.hpp"
#include "device/quirks.hpp"

namespace xhal::opencl {
namespace {

constexpr uint32_t kMaxGroupCount[3] = {INT32_MAX, 65535, 65535};
constexpr uint32_t kLeastArgumentBytes = 8;

uint32_t clamped(uint64_t value) { return static_cast<uint32_t>(std::min<uint64_t>(value, UINT32_MAX)); }

template <size_t N>
void put(char (&field)[N], const char* text) {
  std::snprintf(field, N, "%s", text);
}

uint64_t dtypes_of(const DeviceFacts& facts) {
  uint64_t out = 0;
  for (const uint32_t bit : {XHAL_DTYPE_BOOL, XHAL_DTYPE_I8, XHAL_DTYPE_U8, XHAL_DTYPE_I16, XHAL_DTYPE_U16,
                             XHAL_DTYPE_I32, XHAL_DTYPE_U32, XHAL_DTYPE_I64, XHAL_DTYPE_U64, XHAL_DTYPE_F32})
    out |= uint64_t{1} << bit;
  if (facts.has_fp16 != 0) out |= uint64_t{1} << XHAL_DTYPE_F16;
  if (facts.has_fp64 != 0) out |= uint64_t{1} << XHAL_DTYPE_F64;
  return out;
}

uint32_t kind_of(cl_device_type type) {
  if ((type & CL_DEVICE_TYPE_GPU) != 0) return XHAL_DEVICE_KIND_GPU;
  if ((type & CL_DEVICE_TYPE_CPU) != 0) return XHAL_DEVICE_KIND_CPU;
  return XHAL_DEVICE_KIND_OTHER;
}

void set_limits(const DeviceFacts& facts, xhal_device_properties_t& p) {
  // A block has a page of its own, and one more to be aligned in.
  p.max_allocation_bytes =
      facts.max_allocation_bytes - std::min(facts.max_allocation_bytes, 2 * AddressTable::kPage);
  p.memory_alignment = AddressTable::kPage;
  p.max_group_items = clamped(facts.max_group_items);
  for (int i = 0; i < 3; ++i) p.max_group_size[i] = clamped(std::max<uint64_t>(facts.max_group_size[i], 1));
  std::copy_n(kMaxGroupCount, 3, p.max_group_count);
  p.max_local_bytes = clamped(facts.local_bytes);
  p.preferred_group_multiple = std::max(facts.vector_width, 1U);
  p.max_argument_bytes = clamped(facts.max_argument_bytes);
  p.max_arguments = clamped(std::max<uint64_t>(facts.max_argument_bytes / kLeastArgumentBytes, 1));
}

}  // namespace

bool claims(const Device& device, uint32_t feature) {
  switch (feature) {
    case XHAL_FEATURE_CORE:
    case XHAL_FEATURE_KERNEL:
    case XHAL_FEATURE_COPY_REGION:
    case XHAL_FEATURE_GRAPH:
      return true;
    // An address of ours means nothing to a kernel that finds it in memory.
    case XHAL_FEATURE_MANAGED:
    case XHAL_FEATURE_POINTERS_IN_MEMORY:
      return device.facts.path != MemoryPath::kBuffers;
    case XHAL_FEATURE_EVENT_TIMING:
      return device.facts.has_event_timing != 0;
    default:
      return false;
  }
}

xhal_device_properties_t properties_of(const Device& device) {
  const DeviceFacts& facts = device.facts;
  xhal_device_properties_t p = {};
  p.kind = kind_of(facts.type);
  std::memcpy(p.uuid, facts.uuid, sizeof(p.uuid));
  p.index = device.index;
  p.pci_domain = p.pci_bus = p.pci_device = p.pci_function = XHAL_PCI_UNKNOWN;
  p.numa_node = XHAL_NUMA_UNKNOWN;
  put(p.name, facts.name);
  put(p.vendor, facts.vendor);
  put(p.architecture, facts.language);
  p.memory_bytes = facts.memory_bytes;
  p.memory_granularity = AddressTable::kPage;
  p.dtype_mask = dtypes_of(facts);
  p.unit_count = facts.units;
  p.address_bits = facts.address_bits;
  for (uint32_t feature = 0; feature < XHAL_FEATURE_WORDS * 64; ++feature)
    if (claims(device, feature)) p.features[feature / 64] |= uint64_t{1} << (feature % 64);
  p.is_synchronous = device.is_synchronous() ? 1 : 0;
  // What a kernel does wrong on a processor is done to the process.
  p.fault_scope = XHAL_FAULT_SCOPE_PROCESS;
  p.fault_recovery = XHAL_RECOVERY_NONE;
  p.free_waits = XHAL_FREE_WAITS_NEVER;
  p.copy_blocks = device.is_synchronous()
                      ? 0x7f
                      : XHAL_COPY_PAGEABLE_TO_DEVICE | XHAL_COPY_DEVICE_TO_PAGEABLE | XHAL_COPY_HOST_TO_HOST;
  p.host_function_blocks = XHAL_BLOCKS_NONE;
  p.default_stream_kind = XHAL_DEFAULT_STREAM_INDEPENDENT;
  p.event_resolution_ns =
      claims(device, XHAL_FEATURE_EVENT_TIMING) ? std::max(clamped(facts.profiling_resolution_ns), 1U) : 0;
  set_limits(facts, p);
  return p;
}

}  // namespace xhal::opencl
