// SPDX-License-Identifier: Apache-2.0
#include "describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "common/search.hpp"
#include "common/terminal.hpp"

namespace xhal::info {
namespace {

using nlohmann::json;
using tools::printable;

void require(const char* entry, xhal_result_t result) {
  if (result < 0) throw Failure{entry, result, tools::last_error_text(result)};
}

// Names of an enum's values in their order; a value outside is told as its number.
json named(uint32_t value, std::initializer_list<const char*> names) {
  if (value < names.size()) return *std::next(names.begin(), value);
  return fmt::format("unknown ({})", value);
}

// A driver may forget to terminate a text: never read behind it.
template <size_t N>
std::string text(const char (&field)[N]) {
  return printable(std::string_view(field, strnlen(field, N)));
}

std::string uuid_text(const uint8_t (&uuid)[16]) {
  std::string result;
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) result += '-';
    result += fmt::format("{:02x}", uuid[i]);
  }
  return result;
}

bool is_zero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

json dtype_names(uint64_t mask) {
  static constexpr std::array kNames = {"bool", "i8",  "u8",   "i16",     "u16",    "i32",
                                        "u32",  "i64", "u64",  "f16",     "bf16",   "f32",
                                        "f64",  "c64", "c128", "f8_e4m3", "f8_e5m2"};
  json names = json::array();
  for (size_t bit = 0; bit < 64; ++bit) {
    if ((mask >> bit & 1) == 0) continue;
    names.push_back(bit < kNames.size() ? std::string(kNames[bit]) : fmt::format("unknown ({})", bit));
  }
  return names;
}

json copy_direction_names(uint32_t mask) {
  static constexpr std::array kNames = {"pageable_to_device", "device_to_pageable", "pinned_to_device",
                                        "device_to_pinned",   "device_to_device",   "host_to_host",
                                        "device_to_peer"};
  json names = json::array();
  for (size_t bit = 0; bit < 32; ++bit) {
    if ((mask >> bit & 1) == 0) continue;
    names.push_back(bit < kNames.size() ? std::string(kNames[bit]) : fmt::format("unknown ({})", bit));
  }
  return names;
}

json feature_table(xhal_device_t device) {
  json features = json::object();
#define XHAL_FEATURE(NAME, lower, bit, since, needs, maturity, description)             \
  {                                                                                     \
    uint32_t claimed = 0;                                                               \
    require("xhal_device_has_feature", xhal_device_has_feature(device, bit, &claimed)); \
    features[#lower] = claimed != 0;                                                    \
  }
#include "xhal/features.def"
#undef XHAL_FEATURE
  return features;
}

json image_formats(xhal_device_t device) {
  uint32_t count = 0;
  require("xhal_device_get_image_formats",
          xhal_device_get_image_formats(device, 0, sizeof(xhal_image_format_t), nullptr, &count));
  count = std::min<uint32_t>(count, 1024);
  std::vector<xhal_image_format_t> formats(count);
  for (xhal_image_format_t& format : formats) format.struct_size = sizeof(format);
  if (count > 0) {
    uint32_t total = 0;
    require(
        "xhal_device_get_image_formats",
        xhal_device_get_image_formats(device, count, sizeof(xhal_image_format_t), formats.data(), &total));
  }
  json result = json::array();
  for (const xhal_image_format_t& format : formats) {
    result.push_back({{"format", text(format.format)}, {"target", text(format.target)}});
  }
  return result;
}

json notes(xhal_device_t device) {
  uint32_t count = 0;
  const xhal_result_t asked = xhal_device_get_notes(device, 0, sizeof(xhal_device_note_t), nullptr, &count);
  json result = json::array();
  if (asked == XHAL_ERROR_UNSUPPORTED) return result;  // a driver from before there were notes
  require("xhal_device_get_notes", asked);
  count = std::min<uint32_t>(count, 1024);
  std::vector<xhal_device_note_t> all(count);
  for (xhal_device_note_t& note : all) note.struct_size = sizeof(note);
  if (count > 0) {
    uint32_t total = 0;
    require("xhal_device_get_notes",
            xhal_device_get_notes(device, count, sizeof(xhal_device_note_t), all.data(), &total));
  }
  for (const xhal_device_note_t& note : all) {
    result.push_back({{"kind", named(note.kind, {"fact", "quirk"})},
                      {"topic", text(note.topic)},
                      {"text", text(note.text)},
                      {"link", text(note.link)}});
  }
  return result;
}

json identity(const xhal_device_properties_t& p) {
  json pci = nullptr;
  if (p.pci_domain != XHAL_PCI_UNKNOWN) {
    pci = fmt::format("{:04x}:{:02x}:{:02x}.{:x}", p.pci_domain, p.pci_bus, p.pci_device, p.pci_function);
  }
  return {
      {"index", p.index},
      {"name", text(p.name)},
      {"vendor", text(p.vendor)},
      {"kind", named(p.kind, {"other", "gpu", "npu", "fpga", "cpu"})},
      {"architecture", text(p.architecture)},
      {"uuid", uuid_text(p.uuid)},
      {"partition", named(p.partition, {"none", "mig", "tile", "other"})},
      {"parent_uuid", is_zero(p.parent_uuid) ? json(nullptr) : json(uuid_text(p.parent_uuid))},
      {"pci", pci},
      {"numa_node", p.numa_node == XHAL_NUMA_UNKNOWN ? json(nullptr) : json(p.numa_node)},
      {"emulated", p.emulated != 0},
      {"memory_bytes", p.memory_bytes},
      {"unit_count", p.unit_count},
      {"address_bits", p.address_bits},
      {"dtypes", dtype_names(p.dtype_mask)},
  };
}

json behaviour(const xhal_device_properties_t& p) {
  return {
      {"synchronous", p.is_synchronous != 0},
      {"priority_range", {{"least", p.priority_least}, {"greatest", p.priority_greatest}}},
      {"fault_scope", named(p.fault_scope, {"stream", "context", "device", "process"})},
      {"fault_recovery", named(p.fault_recovery, {"none", "stream", "reset"})},
      {"free_waits", named(p.free_waits, {"never", "maybe"})},
      {"copy_blocks", copy_direction_names(p.copy_blocks)},
      {"host_function_blocks", named(p.host_function_blocks, {"none", "device", "driver"})},
      {"default_stream", named(p.default_stream_kind, {"independent", "legacy", "per_thread"})},
      {"event_resolution_ns", p.event_resolution_ns},
      {"event_wrap_ns", p.event_wrap_ns},
      {"memory_granularity", p.memory_granularity},
  };
}

json limits(const xhal_device_properties_t& p) {
  return {
      {"max_allocation_bytes", p.max_allocation_bytes},
      {"memory_alignment", p.memory_alignment},
      {"max_group_items", p.max_group_items},
      {"max_group_size", p.max_group_size},
      {"max_group_count", p.max_group_count},
      {"max_local_bytes", p.max_local_bytes},
      {"preferred_group_multiple", p.preferred_group_multiple},
      {"max_argument_bytes", p.max_argument_bytes},
      {"max_arguments", p.max_arguments},
      {"ipc_handle_bytes", p.ipc_handle_bytes},
  };
}

json links(xhal_device_t device, const std::vector<xhal_device_t>& peers) {
  json result = json::array();
  for (xhal_device_t peer : peers) {
    xhal_link_t link{};
    link.struct_size = sizeof(link);
    require("xhal_device_get_link", xhal_device_get_link(device, peer, &link));
    result.push_back({
        {"kind", named(link.kind, {"unknown", "self", "host_memory", "pci", "fabric", "network"})},
        {"peer_access", link.peer_access != 0},
        {"direct_copy", link.direct_copy != 0},
        {"native_atomics", link.native_atomics != 0},
        {"hops", link.hops},
        {"bandwidth_bytes_per_second", link.bandwidth_bytes_per_second},
    });
  }
  return result;
}

}  // namespace

json describe_features() {
  const auto lower_case = [](std::string text) {
    for (char& letter : text)
      letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
    return text;
  };
  json features = json::array();
#define XHAL_FEATURE(NAME, lower, bit, since, needs, maturity, text) \
  features.push_back({{"name", #lower},                              \
                      {"needs", lower_case(#needs)},                 \
                      {"state", lower_case(#maturity)},              \
                      {"description", text}});
#include "xhal/features.def"
#undef XHAL_FEATURE
  return features;
}

json describe_driver(xhal_driver_t driver) {
  xhal_driver_properties_t p{};
  p.struct_size = sizeof(p);
  require("xhal_driver_get_properties", xhal_driver_get_properties(driver, &p));
  return {
      {"name", text(p.name)},
      {"version", text(p.version)},
      {"vendor", text(p.vendor)},
      {"emulated", p.emulated != 0},
      {"abi", fmt::format("{}.{}.{}", XHAL_ABI_MAJOR, p.abi_minor, p.abi_revision)},
      {"native_driver_version", text(p.native_driver_version)},
      {"native_runtime_version", text(p.native_runtime_version)},
      {"library_path", text(p.library_path)},
      {"manifest_path", text(p.manifest_path)},
      {"visible_devices",
       {{"variable", text(p.visible_devices_variable)}, {"effect", text(p.visible_devices_effect)}}},
  };
}

json describe_device(xhal_device_t device, const std::vector<xhal_device_t>& peers,
                     const DescribeOptions& options) {
  xhal_device_properties_t properties{};
  properties.struct_size = sizeof(properties);
  require("xhal_device_get_properties", xhal_device_get_properties(device, &properties));
  uint32_t active = 0;
  require("xhal_device_is_active", xhal_device_is_active(device, &active));

  json result = identity(properties);
  result["active"] = active != 0;
  result["features"] = feature_table(device);
  result["image_formats"] = image_formats(device);
  result["notes"] = notes(device);
  result["behaviour"] = behaviour(properties);
  result["limits"] = limits(properties);
  result["links"] = links(device, peers);
  if (options.memory) {
    xhal_memory_info_t memory{};
    memory.struct_size = sizeof(memory);
    require("xhal_device_get_memory_info", xhal_device_get_memory_info(device, &memory));
    result["memory"] = {{"free_bytes", memory.free_bytes}, {"total_bytes", memory.total_bytes}};
  }
  return result;
}

}  // namespace xhal::info
