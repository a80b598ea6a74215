// SPDX-License-Identifier: Apache-2.0
// What was freed fits again, however the memory was cut up before and whatever runs by now.
#include <algorithm>
#include <bit>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

xhal_result_t allocate(Context& t, uint64_t size, uint64_t alignment, void** out_pointer) {
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, size, alignment);
  return TRACED(xhal_memory_allocate(t.device(), &desc, out_pointer));
}

// Whether it is given; it is freed at once.
bool fits(Context& t, uint64_t size, uint64_t alignment = 0) {
  void* pointer = nullptr;
  if (allocate(t, size, alignment, &pointer) != XHAL_SUCCESS) return false;
  REQUIRE_OK(xhal_memory_free(t.device(), pointer));
  return true;
}

XHAL_TEST(
    memory, aligned_rounds, .clauses = {"XHAL-MEMORY-3"},
    .observes =
        "half of the free memory, before and after 48 rounds of two blocks, of which the first is larger "
        "in each round and the other aligned to an eighth of the memory: each round, and the half",
    .isolated = true) {
  constexpr uint64_t kRounds = 48;
  constexpr uint64_t kStep = 8192;
  // More than any of the others, so that none of their places is taken.
  constexpr uint64_t kAligned = (kRounds + 1) * kStep;
  const uint64_t half = part_of_free_memory(t, 2);
  ASSERT_CLAUSE("XHAL-MEMORY-3", fits(t, half), "half of the free memory, {} bytes, does not fit", half);
  uint64_t alignment = std::bit_floor(t.properties().memory_bytes / 8);
  while (alignment > kAligned && !fits(t, kAligned, alignment)) alignment /= 2;
  for (uint64_t round = 1; round <= kRounds; ++round) {
    const Buffer before = device_memory(t, round * kStep);
    ASSERT_CLAUSE(
        "XHAL-MEMORY-3", fits(t, kAligned, alignment),
        "{} bytes at a multiple of {} do not fit in round {}, and all of the rounds before was freed",
        kAligned, alignment, round);
  }
  EXPECT_CLAUSE("XHAL-MEMORY-3", fits(t, half), "{} bytes, which fitted before, with all else freed", half);
}

XHAL_TEST(memory, mixed_rounds, .clauses = {"XHAL-MEMORY-3"},
          .observes =
              "half of the free memory, before and after it was taken in 24 parts, in 23 and so on to five, "
              "all of a "
              "round freed before the next, in their order and in the other one",
          .isolated = true) {
  const uint64_t half = free_bytes(t) / 2;
  const uint64_t largest = part_of_free_memory(t, 2);
  ASSERT_CLAUSE("XHAL-MEMORY-3", fits(t, largest), "half of the free memory, {} bytes, does not fit",
                largest);
  for (uint64_t count = 24; count >= 5; --count) {
    std::vector<Buffer> parts;
    while (parts.size() < count) {
      ASSERT_CLAUSE("XHAL-MEMORY-3", fits(t, half / count),
                    "part {} of {} of half of what was free: {} bytes", parts.size(), count, half / count);
      parts.push_back(device_memory(t, half / count));
    }
    // In their order, and in the other one.
    for (uint64_t i = 0; i < count; ++i) parts[count % 2 == 0 ? i : count - 1 - i].reset();
  }
  EXPECT_CLAUSE("XHAL-MEMORY-3", fits(t, largest), "{} bytes, which fitted before, with all else freed",
                largest);
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    memory, there_behind_a_synchronize, gates, .clauses = {"XHAL-MEMORY-6"},
    .observes =
        "three quarters of the free memory freed while work on a stream is held, one of 65; the device "
        "synchronised; with other work held, as much again",
    .isolated = true) {
  constexpr size_t kStreams = 65;
  constexpr size_t kParts = 3;
  std::vector<Stream> streams;
  for (size_t i = 0; i < kStreams; ++i) streams.emplace_back(t);
  Buffer first = device_memory(t, 4096);
  const uint64_t part = part_of_free_memory(t, 4);
  std::vector<Buffer> parts;
  for (size_t i = 0; i < kParts; ++i) parts.push_back(device_memory(t, part));
  {
    Gate gate(t, streams[0], gate_kind(t.text("hold")));
    REQUIRE_OK(xhal_memory_fill(streams[0], first, 1, 1, 64));
    for (const Buffer& memory : parts) REQUIRE_OK(xhal_memory_fill(streams[0], memory, 1, 1, 64));
    if (t.properties().free_waits != XHAL_FREE_WAITS_NEVER) {
      t.note("a free may wait for the device, as declared: the gate is opened first");
      gate.open();
    }
    REQUIRE_OK(xhal_memory_free(t.device(), first.release()));
    for (Buffer& memory : parts) REQUIRE_OK(xhal_memory_free(t.device(), memory.release()));
  }
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  Gate gate(t, streams[1], gate_kind(t.text("hold")));
  std::vector<void*> again;
  while (again.size() < kParts) {
    void* pointer = nullptr;
    const xhal_result_t result = allocate(t, part, 0, &pointer);
    if (!EXPECT_VALUE("XHAL-MEMORY-6", result_name(result), result_name(XHAL_SUCCESS),
                      "{} bytes, freed before the synchronise", part))
      break;
    again.push_back(pointer);
  }
  gate.open();
  for (void* pointer : again) REQUIRE_OK(xhal_memory_free(t.device(), pointer));
}

}  // namespace
}  // namespace xhal::conformance
