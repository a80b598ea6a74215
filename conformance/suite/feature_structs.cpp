// SPDX-License-Identifier: Apache-2.0
// The rules of sizes, tails and null pointers for the structs of optional features.
#include <cstring>

#include "suite/graph_support.h"
#include "suite/pool_support.h"

namespace xhal::conformance {
namespace {

// First published sizes, of revision 0.1.0, typed from the headers of that revision: sizeof would follow a struct that grows.
struct FirstSize {
  const char* name;
  uint32_t bytes;
  uint32_t feature;
};
constexpr FirstSize kInStructs[] = {{"copy_region", 80, XHAL_FEATURE_COPY_REGION},
                                    {"pool_desc", 24, XHAL_FEATURE_POOL},
                                    {"activity_desc", 24, XHAL_FEATURE_ACTIVITY}};
constexpr FirstSize kOutStructs[] = {{"capture_info", 16, XHAL_FEATURE_GRAPH},
                                     {"graph_info", 16, XHAL_FEATURE_GRAPH},
                                     {"pool_info", 40, XHAL_FEATURE_POOL},
                                     {"clocks", 32, XHAL_FEATURE_ACTIVITY}};
static_assert(sizeof(xhal_copy_region_t) >= 80 && sizeof(xhal_pool_desc_t) >= 24 &&
              sizeof(xhal_activity_desc_t) >= 24 && sizeof(xhal_capture_info_t) >= 16 &&
              sizeof(xhal_graph_info_t) >= 16 && sizeof(xhal_pool_info_t) >= 40 &&
              sizeof(xhal_clocks_t) >= 32);

constexpr size_t kRoom = 8192;
constexpr uint8_t kGuard = 0xA5;

Cases cases_of(std::span<const FirstSize> table) {
  Axis axis{"struct", {}};
  for (const FirstSize& one : table) axis.values.emplace_back(one.name, std::vector<uint32_t>{one.feature});
  return grid({axis});
}
Cases in_structs() { return cases_of(kInStructs); }
Cases out_structs() { return cases_of(kOutStructs); }

uint32_t first_size(std::span<const FirstSize> table, const std::string& name) {
  for (const FirstSize& one : table) {
    if (name == one.name) return one.bytes;
  }
  throw std::logic_error("no struct " + name);
}

void set_size(std::vector<uint8_t>& block, uint32_t size) { std::memcpy(block.data(), &size, sizeof(size)); }

// One call that reads an in-struct, with a good struct to begin with; what a success made is undone.
class Reader {
 public:
  explicit Reader(Context& t)
      : t_(t), name_(t.text("struct")), stream_(t), memory_(device_memory(t, 64)), block_(kRoom, 0) {
    if (name_ == "copy_region") {
      xhal_copy_region_t region{};
      region.destination = memory_;
      region.source = memory_.at(32);
      region.destination_pitch = region.source_pitch = 8;
      region.extent[0] = 8;
      region.extent[1] = region.extent[2] = 1;
      put(region);
    } else if (name_ == "pool_desc") {
      put(xhal_pool_desc_t{});
    } else {
      xhal_activity_desc_t desc{};
      desc.kinds = XHAL_ACTIVITY_FILL;
      desc.callback = [](void*, const xhal_activity_record_t*, uint32_t, uint32_t) {};
      put(desc);
    }
  }

  std::vector<uint8_t>& block() { return block_; }

  xhal_result_t call() {
    Context& t = t_;
    const void* desc = block_.data();
    if (name_ == "copy_region")
      return TRACED(xhal_memory_copy_region(stream_, static_cast<const xhal_copy_region_t*>(desc)));
    xhal_result_t result = XHAL_SUCCESS;
    if (name_ == "pool_desc") {
      xhal_pool_t pool = nullptr;
      result = TRACED(xhal_pool_create(t.device(), static_cast<const xhal_pool_desc_t*>(desc), &pool));
      if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_pool_destroy(pool));
    } else {
      xhal_subscription_t subscription = nullptr;
      result = TRACED(
          xhal_activity_subscribe(t.device(), static_cast<const xhal_activity_desc_t*>(desc), &subscription));
      if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_activity_unsubscribe(subscription));
    }
    return result;
  }

 private:
  template <class T>
  void put(const T& value) {
    std::memcpy(block_.data(), &value, sizeof(value));
  }

  Context& t_;
  std::string name_;
  Stream stream_;
  Buffer memory_;
  std::vector<uint8_t> block_;
};

XHAL_TEST_P(
    abi, feature_in_struct_sizes, in_structs, .clauses = {"XHAL-ABI-6", "XHAL-ABI-7", "XHAL-ABI-8"},
    .observes =
        "the first published size, larger sizes with zero and with one non-zero byte in the tail, sizes 0, "
        "4 and one too few") {
  Reader reader(t);
  const uint32_t first = first_size(kInStructs, t.text("struct"));
  set_size(reader.block(), first);
  EXPECT_RESULT("XHAL-ABI-6", reader.call(), XHAL_SUCCESS, "the first published size, {} bytes", first);
  for (const uint32_t size : {first + 64, uint32_t{kRoom}}) {
    // What this revision knows beyond the first size stays zero here, so only the unknown tail is looked at.
    set_size(reader.block(), size);
    EXPECT_RESULT("XHAL-ABI-7", reader.call(), XHAL_SUCCESS, "{} bytes, the tail zero", size);
    reader.block()[size - 1] = 1;
    EXPECT_RESULT("XHAL-ABI-7", reader.call(), XHAL_ERROR_UNKNOWN_FIELD, "{} bytes, the last one set", size);
    reader.block()[size - 1] = 0;
  }
  for (const uint32_t size : {0u, 4u, first - 1}) {
    set_size(reader.block(), size);
    EXPECT_RESULT("XHAL-ABI-8", reader.call(), XHAL_ERROR_INVALID_ARGUMENT, "{} bytes", size);
  }
}

xhal_result_t write_struct(Context& t, const std::string& name, void* out) {
  if (name == "clocks") return TRACED(xhal_device_get_clocks(t.device(), static_cast<xhal_clocks_t*>(out)));
  if (name == "pool_info") {
    const Pool pool(t);
    return TRACED(xhal_pool_get_info(pool, static_cast<xhal_pool_info_t*>(out)));
  }
  const Stream stream(t);
  if (name == "capture_info")
    return TRACED(xhal_stream_get_capture_info(stream, static_cast<xhal_capture_info_t*>(out)));
  const Graph graph = captured(t, stream, [](xhal_stream_t) {});
  return TRACED(xhal_graph_get_info(graph, static_cast<xhal_graph_info_t*>(out)));
}

XHAL_TEST_P(
    abi, feature_out_struct_sizes, out_structs, .clauses = {"XHAL-ABI-8", "XHAL-ABI-9", "XHAL-ABI-14"},
    .observes =
        "the first published size and larger ones: the size stays, the unknown tail is zero, the bytes "
        "behind are untouched; too small ones are refused and untouched") {
  const std::string& name = t.text("struct");
  const uint32_t first = first_size(kOutStructs, name);
  // What the library knows of the struct ends at its own size at the latest.
  constexpr uint32_t kKnownAtMost = 4096;
  for (const uint32_t size : {first, first + 4, first + 200, kKnownAtMost + 256}) {
    std::vector<uint8_t> block(kRoom, kGuard);
    set_size(block, size);
    EXPECT_RESULT("XHAL-ABI-9", write_struct(t, name, block.data()), XHAL_SUCCESS, "{} bytes", size);
    uint32_t told = 0;
    std::memcpy(&told, block.data(), sizeof(told));
    EXPECT_VALUE("XHAL-ABI-9", told, size, "struct_size");
    const std::vector<uint8_t> behind(block.begin() + size, block.end());
    EXPECT_DATA("XHAL-ABI-9", std::vector<uint8_t>(behind.size(), kGuard), behind, "behind a struct of {}",
                size);
    if (size <= kKnownAtMost) continue;
    const std::vector<uint8_t> tail(block.begin() + kKnownAtMost, block.begin() + size);
    EXPECT_DATA("XHAL-ABI-9", std::vector<uint8_t>(tail.size(), 0), tail, "the unknown tail");
  }
  for (const uint32_t size : {0u, 4u, first - 1}) {
    std::vector<uint8_t> block(kRoom, kGuard);
    set_size(block, size);
    const std::vector<uint8_t> before = block;
    EXPECT_RESULT("XHAL-ABI-8", write_struct(t, name, block.data()), XHAL_ERROR_INVALID_ARGUMENT, "{} bytes",
                  size);
    EXPECT_DATA("XHAL-ABI-14", before, block, "{} bytes", size);
  }
}

}  // namespace
}  // namespace xhal::conformance
