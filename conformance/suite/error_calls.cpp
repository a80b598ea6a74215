// SPDX-License-Identifier: Apache-2.0
// Call errors, running out of memory.
#include <algorithm>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(error, refused_calls_change_nothing, .clauses = {"XHAL-ERROR-1"},
          .observes =
              "a chain of copies with a dozen refused calls between each two: its data, the free memory, the "
              "streams") {
  constexpr size_t kLinks = 20;
  const auto values = t.random_u64(1);
  Stream stream(t);
  Event event(t);
  const Buffer places = device_memory(t, (kLinks + 1) * sizeof(uint64_t));
  t.write(places, values);
  const auto refuse_all = [&] {
    xhal_stream_t no_stream = sentinel<xhal_stream_s>();
    xhal_event_t no_event = sentinel<xhal_event_s>();
    void* no_pointer = sentinel<void>();
    xhal_stream_desc_t stream_desc{sizeof(stream_desc), 1u << 31, 0, 0};
    xhal_event_desc_t event_desc{sizeof(event_desc), 1u << 31};
    xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 0);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_stream_create(t.device(), &stream_desc, &no_stream),
                  XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_event_create(t.device(), &event_desc, &no_event),
                  XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_allocate(t.device(), &desc, &no_pointer),
                  XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_free(t.device(), places.at(8)), XHAL_ERROR_INVALID_POINTER);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_copy(stream, places, places.at(1), 8),
                  XHAL_ERROR_INVALID_ARGUMENT, "overlap");
    EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_copy(stream, places.at(8), places, places.size()),
                  XHAL_ERROR_OUT_OF_RANGE);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_fill(stream, places, 0, 3, 9), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_fill(stream, places, 0, 8, places.size() + 8),
                  XHAL_ERROR_OUT_OF_RANGE);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_event_record(event, stream, 1u << 31), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_stream_wait_event(stream, event, 1u << 31),
                  XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_stream_host_function(stream, nullptr, nullptr),
                  XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_RESULT("XHAL-ERROR-1", xhal_stream_query(nullptr), XHAL_ERROR_INVALID_HANDLE);
  };
  const xhal_memory_info_t before = memory_info(t);
  for (size_t i = 0; i < kLinks; ++i) {
    REQUIRE_OK(xhal_memory_copy(stream, places.at((i + 1) * 8), places.at(i * 8), 8));
    refuse_all();
  }
  EXPECT_RESULT("XHAL-ERROR-1", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-1", xhal_event_query(event), XHAL_SUCCESS, "the event was never recorded");
  EXPECT_DATA("XHAL-ERROR-1", std::vector<uint64_t>(kLinks + 1, values.front()),
              t.read<uint64_t>(places, kLinks + 1));
  const xhal_memory_info_t after = memory_info(t);
  // Other processes may take some; a refused allocation a round would show as much more.
  EXPECT_CLAUSE("XHAL-ERROR-1",
                before.free_bytes - after.free_bytes <= t.properties().memory_granularity ||
                    after.free_bytes >= before.free_bytes,
                "free memory went from {} to {}", before.free_bytes, after.free_bytes);
}

XHAL_TEST(error, out_of_memory, .clauses = {"XHAL-ERROR-13"},
          .observes =
              "allocate chunks until refused: the code, the device's health; free one, allocate again, "
              "compute; free all, all is there again",
          .isolated = true) {
  const xhal_memory_info_t info = memory_info(t);
  const uint64_t chunk = std::min(info.total_bytes / 16, t.properties().max_allocation_bytes);
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, chunk);
  Stream stream(t);
  const auto data = t.random_bytes(4096);
  for (int round = 0; round < 2; ++round) {
    std::vector<void*> chunks;
    xhal_result_t result = XHAL_SUCCESS;
    while (result == XHAL_SUCCESS && chunks.size() < 1000) {
      void* pointer = nullptr;
      result = TRACED(xhal_memory_allocate(t.device(), &desc, &pointer));
      if (result == XHAL_SUCCESS) chunks.push_back(pointer);
    }
    EXPECT_VALUE("XHAL-ERROR-13", result_name(result), result_name(XHAL_ERROR_OUT_OF_DEVICE_MEMORY),
                 "after {} chunks of {} bytes", chunks.size(), chunk);
    ASSERT_CLAUSE("XHAL-ERROR-13", chunks.size() >= 2 && chunks.size() <= 17, "{} chunks of a sixteenth fit",
                  chunks.size());
    xhal_fault_t fault{};
    fault.struct_size = sizeof(fault);
    EXPECT_RESULT("XHAL-ERROR-13", xhal_device_get_fault(t.device(), &fault), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-ERROR-13", fault.code, XHAL_SUCCESS, "running out of memory is no fault");
    REQUIRE_OK(xhal_memory_free(t.device(), chunks.back()));
    chunks.pop_back();
    void* again = nullptr;
    ASSERT_RESULT("XHAL-ERROR-13", xhal_memory_allocate(t.device(), &desc, &again), XHAL_SUCCESS,
                  "after one free");
    chunks.push_back(again);
    const auto out = t.host_bytes(data.size());
    EXPECT_RESULT("XHAL-ERROR-13", xhal_memory_copy(stream, again, data.data(), data.size()), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ERROR-13", xhal_memory_copy(stream, out.data(), again, out.size()), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ERROR-13", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
    EXPECT_DATA("XHAL-ERROR-13", data, std::vector<uint8_t>(out.begin(), out.end()));
    for (void* pointer : chunks) REQUIRE_OK(xhal_memory_free(t.device(), pointer));
    REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  }
}

}  // namespace
}  // namespace xhal::conformance
