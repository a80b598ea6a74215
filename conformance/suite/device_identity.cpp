// SPDX-License-Identifier: Apache-2.0
// What a device says of itself.
#include <algorithm>
#include <cstring>
#include <set>

#include "suite/support.h"
#include "suite/texts.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(device, uuid, .clauses = {"XHAL-DEVICE-1"},
          .observes =
              "uuids of all devices: not zero, all different, the same in a second instance and in another "
              "process") {
  std::set<std::string> seen;
  for (size_t i = 0; i < t.device_count(); ++i) {
    const std::string uuid = uuid_text(t.properties(i).uuid);
    EXPECT_CLAUSE("XHAL-DEVICE-1", uuid.find_first_not_of("0-") != std::string::npos,
                  "device {}: the uuid is zero", i);
    EXPECT_CLAUSE("XHAL-DEVICE-1", seen.insert(uuid).second, "device {}: the uuid {} is another device's too",
                  i, uuid);
  }
  PrivateSession other(t);
  ASSERT_VALUE("XHAL-DEVICE-1", other->device_count(), t.device_count(), "devices of a second instance");
  for (size_t i = 0; i < t.device_count(); ++i) {
    EXPECT_VALUE("XHAL-DEVICE-1", uuid_text(other->properties(i).uuid), uuid_text(t.properties(i).uuid),
                 "second instance");
  }
  const auto& elsewhere = t.settings().uuids_elsewhere;
  ASSERT_VALUE("XHAL-DEVICE-1", elsewhere.size(), t.device_count(), "devices in another process");
  for (size_t i = 0; i < t.device_count(); ++i) {
    const uint32_t index = t.properties(i).index;
    ASSERT_CLAUSE("XHAL-DEVICE-1", index < elsewhere.size(), "device {} has index {}", i, index);
    EXPECT_VALUE("XHAL-DEVICE-1", uuid_text(t.properties(i).uuid), elsewhere[index], "another process");
  }
}

XHAL_TEST(device, names_and_limits, .clauses = {"XHAL-DEVICE-2"},
          .observes = "names and sizes of every device") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    const auto& p = t.properties(i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", is_utf8(p.name) && p.name[0] != 0, "device {}: name", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", is_utf8(p.architecture) && p.architecture[0] != 0,
                  "device {}: architecture", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", is_utf8(p.vendor), "device {}: vendor", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.memory_bytes > 0, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.unit_count > 0, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.dtype_mask != 0, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.address_bits > 0 && p.address_bits <= 64, "device {}: {}", i,
                  p.address_bits);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.max_allocation_bytes > 0, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.memory_granularity > 0, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2",
                  p.memory_alignment > 0 && (p.memory_alignment & (p.memory_alignment - 1)) == 0,
                  "device {}: {}", i, p.memory_alignment);
    if (!claims(p, XHAL_FEATURE_KERNEL)) continue;
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.max_group_items > 0 && p.preferred_group_multiple > 0, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.max_argument_bytes > 0 && p.max_arguments > 0, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.max_local_bytes > 0, "device {}", i);
    for (int d = 0; d < 3; ++d) {
      EXPECT_CLAUSE("XHAL-DEVICE-2", p.max_group_size[d] > 0 && p.max_group_count[d] > 0,
                    "device {}, dimension {}", i, d);
    }
  }
}

XHAL_TEST(device, declared_values_are_defined, .clauses = {"XHAL-DEVICE-2"},
          .observes = "every enumerated field of every device has a value of its enumeration") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    const auto& p = t.properties(i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.kind <= XHAL_DEVICE_KIND_CPU, "device {}: {}", i, p.kind);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.fault_scope <= XHAL_FAULT_SCOPE_PROCESS, "device {}: {}", i,
                  p.fault_scope);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.fault_recovery <= XHAL_RECOVERY_RESET, "device {}: {}", i,
                  p.fault_recovery);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.free_waits <= XHAL_FREE_WAITS_MAYBE, "device {}: {}", i, p.free_waits);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.host_function_blocks <= XHAL_BLOCKS_DRIVER, "device {}: {}", i,
                  p.host_function_blocks);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.default_stream_kind <= XHAL_DEFAULT_STREAM_PER_THREAD, "device {}: {}",
                  i, p.default_stream_kind);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.copy_blocks < (2u * XHAL_COPY_DEVICE_TO_PEER), "device {}: {:#x}", i,
                  p.copy_blocks);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.is_synchronous <= 1 && p.emulated <= 1, "device {}", i);
    EXPECT_CLAUSE("XHAL-DEVICE-2", p.index < t.device_count(), "device {}: index {}", i, p.index);
  }
}

XHAL_TEST(device, unknown_is_declared, .clauses = {"XHAL-DEVICE-3"},
          .observes = "PCI address, NUMA node, partition and parent of every device") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    const auto& p = t.properties(i);
    if (p.pci_domain == XHAL_PCI_UNKNOWN) {
      EXPECT_CLAUSE("XHAL-DEVICE-3",
                    p.pci_bus == XHAL_PCI_UNKNOWN && p.pci_device == XHAL_PCI_UNKNOWN &&
                        p.pci_function == XHAL_PCI_UNKNOWN,
                    "device {}: the domain is unknown and the rest is not", i);
    } else {
      EXPECT_CLAUSE("XHAL-DEVICE-3", p.pci_bus < 256 && p.pci_device < 32 && p.pci_function < 8,
                    "device {}: {:x}:{:x}:{:x}.{:x}", i, p.pci_domain, p.pci_bus, p.pci_device,
                    p.pci_function);
    }
    EXPECT_CLAUSE("XHAL-DEVICE-3", p.numa_node >= XHAL_NUMA_UNKNOWN && p.numa_node < 4096,
                  "device {}: node {}", i, p.numa_node);
    EXPECT_CLAUSE("XHAL-DEVICE-3", p.partition <= XHAL_PARTITION_OTHER, "device {}: partition {}", i,
                  p.partition);
    const bool has_parent = std::any_of(std::begin(p.parent_uuid), std::end(p.parent_uuid),
                                        [](uint8_t byte) { return byte != 0; });
    EXPECT_CLAUSE("XHAL-DEVICE-3", has_parent == (p.partition != XHAL_PARTITION_NONE),
                  "device {}: a parent belongs to a partition and to nothing else", i);
  }
}

XHAL_TEST(device, features_agree, .clauses = {"XHAL-DEVICE-4"},
          .observes = "every feature number from 0 to 300 asked by call and by mask; prerequisites") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    for (uint32_t feature = 0; feature < 300; ++feature) {
      uint32_t claimed = 77;
      ASSERT_RESULT("XHAL-DEVICE-4", xhal_device_has_feature(t.device(i), feature, &claimed), XHAL_SUCCESS,
                    "feature {}", feature);
      EXPECT_VALUE("XHAL-DEVICE-4", claimed, t.claims(feature, i) ? 1u : 0u, "device {}, feature {}", i,
                   feature);
      if (feature >= XHAL_FEATURE_END_) EXPECT_VALUE("XHAL-DEVICE-4", claimed, 0u, "an unknown feature");
    }
    EXPECT_CLAUSE("XHAL-DEVICE-4", t.claims(XHAL_FEATURE_CORE, i), "device {} does not claim core", i);
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text)                     \
  EXPECT_CLAUSE("XHAL-DEVICE-4", !t.claims(bit, i) || t.claims(XHAL_FEATURE_##needs, i), \
                "device {} claims " #lower " without its prerequisite", i);
#include "xhal/features.def"
#undef XHAL_FEATURE
  }
}

XHAL_TEST(device, priority_range, .clauses = {"XHAL-DEVICE-9"}, .observes = "the range of every device") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    const auto& p = t.properties(i);
    EXPECT_CLAUSE("XHAL-DEVICE-9", p.priority_greatest <= p.priority_least, "device {}: {} to {}", i,
                  p.priority_greatest, p.priority_least);
    EXPECT_CLAUSE("XHAL-DEVICE-9", p.priority_greatest <= 0 && p.priority_least >= 0,
                  "device {}: 0 is not in {} to {}", i, p.priority_greatest, p.priority_least);
    if (!claims(p, XHAL_FEATURE_STREAM_PRIORITY)) {
      EXPECT_CLAUSE("XHAL-DEVICE-9", p.priority_greatest == 0 && p.priority_least == 0,
                    "device {}: a range without stream_priority", i);
    }
  }
}

XHAL_TEST(device, image_formats, .clauses = {"XHAL-DEVICE-11"},
          .observes = "the list of every device, at every capacity") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    uint32_t count = 77;
    ASSERT_RESULT("XHAL-DEVICE-11",
                  xhal_device_get_image_formats(t.device(i), 0, sizeof(xhal_image_format_t), nullptr, &count),
                  XHAL_SUCCESS);
    ASSERT_CLAUSE("XHAL-DEVICE-11", count < 1000, "device {} lists {} formats", i, count);
    if (t.claims(XHAL_FEATURE_KERNEL, i))
      EXPECT_CLAUSE("XHAL-DEVICE-11", count > 0, "device {} claims kernel and lists no format", i);
    for (uint32_t capacity = 1; capacity <= count + 1; ++capacity) {
      std::vector<xhal_image_format_t> formats(capacity);
      for (auto& format : formats) {
        std::memset(&format, 0x5A, sizeof(format));
        format.struct_size = sizeof(format);
      }
      uint32_t told = 77;
      EXPECT_RESULT("XHAL-DEVICE-11",
                    xhal_device_get_image_formats(t.device(i), capacity, sizeof(xhal_image_format_t),
                                                  formats.data(), &told),
                    capacity < count ? XHAL_INCOMPLETE : XHAL_SUCCESS);
      EXPECT_VALUE("XHAL-DEVICE-11", told, count);
      for (uint32_t k = 0; k < std::min(capacity, count); ++k) {
        EXPECT_CLAUSE("XHAL-DEVICE-11",
                      is_text(formats[k].format) && formats[k].format[0] != 0 && is_text(formats[k].target),
                      "format {}", k);
      }
    }
  }
}

XHAL_TEST(device, links, .clauses = {"XHAL-DEVICE-12"},
          .observes = "the whole matrix of the driver's devices") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    for (size_t k = 0; k < t.device_count(); ++k) {
      xhal_link_t link{};
      link.struct_size = sizeof(link);
      link.kind = 99;
      if (!EXPECT_RESULT("XHAL-DEVICE-12", xhal_device_get_link(t.device(i), t.device(k), &link),
                         XHAL_SUCCESS, "{} to {}", i, k))
        continue;
      EXPECT_CLAUSE("XHAL-DEVICE-12", (link.kind == XHAL_LINK_SELF) == (i == k), "{} to {}: kind {}", i, k,
                    link.kind);
      EXPECT_CLAUSE("XHAL-DEVICE-12", link.kind <= XHAL_LINK_NETWORK, "{} to {}: kind {}", i, k, link.kind);
      EXPECT_CLAUSE("XHAL-DEVICE-12",
                    link.peer_access <= 1 && link.direct_copy <= 1 && link.native_atomics <= 1, "{} to {}", i,
                    k);
    }
  }
}

}  // namespace
}  // namespace xhal::conformance
