// SPDX-License-Identifier: Apache-2.0
// Sizes and tails of the structs of virtual memory and of native and external handles.
#include <cstring>

#include "suite/interop_objects.h"
#include "suite/interop_support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kRoom = 8192;
constexpr uint8_t kGuard = 0xA5;

// First published sizes, of revision 0.1.0, typed from the headers of that revision: sizeof would follow a struct that grows.
constexpr uint32_t kGranularitySize = 24;
constexpr uint32_t kNativeSize = 48;
constexpr uint32_t kExternalMemorySize = 32;

void set_size(std::vector<uint8_t>& block, uint32_t size) { std::memcpy(block.data(), &size, sizeof(size)); }

// A call that writes a struct; gives back what it answered.
void check_out(Context& t, uint32_t first, const std::function<xhal_result_t(void*)>& call) {
  // What the callee knows of the struct ends at this size at the latest.
  constexpr uint32_t kKnownAtMost = 4096;
  for (const uint32_t size : {first, first + 8, first + 200, kKnownAtMost + 256}) {
    std::vector<uint8_t> block(kRoom, kGuard);
    set_size(block, size);
    EXPECT_RESULT("XHAL-ABI-9", call(block.data()), XHAL_SUCCESS, "{} bytes", size);
    uint32_t told = 0;
    std::memcpy(&told, block.data(), sizeof(told));
    EXPECT_VALUE("XHAL-ABI-9", told, size, "struct_size");
    const auto from = [&](size_t begin, size_t end) {
      return std::vector<uint8_t>(block.begin() + static_cast<std::ptrdiff_t>(begin),
                                  block.begin() + static_cast<std::ptrdiff_t>(end));
    };
    EXPECT_DATA("XHAL-ABI-9", std::vector<uint8_t>(kRoom - size, kGuard), from(size, kRoom),
                "behind a struct of {} bytes", size);
    if (size > kKnownAtMost) {
      EXPECT_DATA("XHAL-ABI-9", std::vector<uint8_t>(size - kKnownAtMost, 0), from(kKnownAtMost, size),
                  "the unknown tail");
    }
  }
  for (const uint32_t size : {0u, 4u, first - 1}) {
    std::vector<uint8_t> block(kRoom, kGuard);
    set_size(block, size);
    const auto before = block;
    EXPECT_RESULT("XHAL-ABI-8", call(block.data()), XHAL_ERROR_INVALID_ARGUMENT, "{} bytes", size);
    EXPECT_DATA("XHAL-ABI-14", before, block, "{} bytes", size);
  }
}

// A call that reads a struct, with a good one to begin with; it undoes what a success made.
template <class T>
void check_in(Context& t, uint32_t first, const T& good,
              const std::function<xhal_result_t(const void*)>& call) {
  std::vector<uint8_t> block(kRoom, 0);
  std::memcpy(block.data(), &good, sizeof(good));
  set_size(block, first);
  EXPECT_RESULT("XHAL-ABI-6", call(block.data()), XHAL_SUCCESS, "the first published size, {} bytes", first);
  for (const uint32_t size : {first + 8, first + 64, uint32_t{kRoom}}) {
    set_size(block, size);
    EXPECT_RESULT("XHAL-ABI-7", call(block.data()), XHAL_SUCCESS, "{} bytes, the tail zero", size);
    block[size - 1] = 1;
    EXPECT_RESULT("XHAL-ABI-7", call(block.data()), XHAL_ERROR_UNKNOWN_FIELD, "{} bytes, the last one set",
                  size);
    block[size - 1] = 0;
  }
  for (const uint32_t size : {0u, 4u, first - 1}) {
    set_size(block, size);
    EXPECT_RESULT("XHAL-ABI-8", call(block.data()), XHAL_ERROR_INVALID_ARGUMENT, "{} bytes", size);
  }
}

XHAL_TEST(vmm, granularity_sizes, .clauses = {"XHAL-ABI-8", "XHAL-ABI-9", "XHAL-ABI-14"},
          .observes = "the granularity in structs of the first published size, larger and smaller ones",
          .needs = {XHAL_FEATURE_VMM}) {
  check_out(t, kGranularitySize, [&](void* out) {
    return TRACED(xhal_vmm_get_granularity(t.device(), static_cast<xhal_vmm_granularity_t*>(out)));
  });
}

XHAL_TEST(native, sizes_of_handles_out, .clauses = {"XHAL-ABI-8", "XHAL-ABI-9", "XHAL-ABI-14"},
          .observes = "native handles of a device, a context, a stream and an event in structs of all sizes",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}) {
  const Stream stream(t);
  const Event event(t);
  const auto native = [](void* out) { return static_cast<xhal_native_t*>(out); };
  check_out(t, kNativeSize,
            [&](void* out) { return TRACED(xhal_device_get_native(t.device(), native(out))); });
  check_out(t, kNativeSize,
            [&](void* out) { return TRACED(xhal_device_get_native_context(t.device(), native(out))); });
  check_out(t, kNativeSize, [&](void* out) { return TRACED(xhal_stream_get_native(stream, native(out))); });
  check_out(t, kNativeSize, [&](void* out) { return TRACED(xhal_event_get_native(event, native(out))); });
}

XHAL_TEST(native, sizes_of_handles_in, .clauses = {"XHAL-ABI-6", "XHAL-ABI-7", "XHAL-ABI-8"},
          .observes = "a stream wrapped by structs of the first published size, larger and smaller ones",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}) {
  const Stream stream(t);
  check_in(t, kNativeSize, native_of(t, stream), [&](const void* in) {
    xhal_stream_t wrapper = nullptr;
    const xhal_result_t result =
        TRACED(xhal_stream_import_native(t.device(), static_cast<const xhal_native_t*>(in), &wrapper));
    if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_stream_destroy(wrapper));
    return result;
  });
}

Cases objects() { return grid({object_axis()}); }

XHAL_TEST_P(external, desc_sizes, objects, .clauses = {"XHAL-ABI-6", "XHAL-ABI-7", "XHAL-ABI-8"},
            .observes = "imports by structs of the first published size, larger and smaller ones",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const auto object = importable_object(t);
  check_in(t, kExternalMemorySize, object->desc(), [&](const void* in) {
    void* pointer = nullptr;
    const xhal_result_t result = TRACED(xhal_memory_import_external(
        t.device(), static_cast<const xhal_external_memory_desc_t*>(in), &pointer));
    if (result == XHAL_SUCCESS) REQUIRE_OK(xhal_memory_release_external(t.device(), pointer));
    return result;
  });
}

}  // namespace
}  // namespace xhal::conformance
