// SPDX-License-Identifier: Apache-2.0
// Threads that allocate at once, and sizes above 32 bits.
#include <set>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(memory, threads_allocate_at_once, .clauses = {"XHAL-ABI-15", "XHAL-MEMORY-4"},
          .observes =
              "allocations of one size by four threads, 16 each: no two are one, and each keeps the pattern "
              "of its own") {
  constexpr size_t kThreads = 4;
  constexpr size_t kEach = 16;
  constexpr uint64_t kBytes = 5000;
  std::vector<void*> blocks(kThreads * kEach, nullptr);
  std::atomic<xhal_result_t> trouble{XHAL_SUCCESS};
  run_threads(kThreads, [&](size_t thread) {
    const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, kBytes);
    for (size_t i = 0; i < kEach; ++i) {
      const xhal_result_t result =
          TRACED(xhal_memory_allocate(t.device(), &desc, &blocks[thread * kEach + i]));
      if (result != XHAL_SUCCESS) trouble = result;
    }
  });
  EXPECT_VALUE("XHAL-ABI-15", result_name(trouble.load()), result_name(XHAL_SUCCESS), "an allocation");
  std::set<void*> different(blocks.begin(), blocks.end());
  EXPECT_VALUE("XHAL-ABI-15", different.size(), blocks.size(), "addresses that differ");
  Stream stream(t);
  for (size_t i = 0; i < blocks.size(); ++i)
    REQUIRE_OK(xhal_memory_fill(stream, blocks[i], i + 1, 1, kBytes));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::vector<uint8_t> expected(kBytes, static_cast<uint8_t>(i + 1));
    EXPECT_DATA("XHAL-MEMORY-4", expected, t.read<uint8_t>(blocks[i], kBytes), "block {}", i);
  }
  for (void* block : different) {
    if (block != nullptr) TRACED(xhal_memory_free(t.device(), block));
  }
}

Cases calls() { return grid({Axis{"call", {"copy", "fill"}}}); }

XHAL_TEST_P(
    memory, sizes_above_32_bits, calls, .clauses = {"XHAL-MEMORY-12"},
    .observes =
        "sizes that leave the allocation, whose lower 32 bits alone would not, are refused; the memory "
        "stays") {
  constexpr uint64_t kBytes = 4096;
  const auto before = t.random_bytes(kBytes);
  Stream stream(t);
  const Buffer memory = device_memory(t, kBytes);
  const Buffer other = device_memory(t, kBytes);
  t.write(memory, before);
  for (const uint64_t size : {(uint64_t{1} << 32) + 64, (uint64_t{3} << 32) + kBytes, uint64_t{1} << 40}) {
    const xhal_result_t result = t.text("call") == "copy"
                                     ? TRACED(xhal_memory_copy(stream, memory, other, size))
                                     : TRACED(xhal_memory_fill(stream, memory, 0x55, 1, size));
    EXPECT_VALUE("XHAL-MEMORY-12", result_name(result), result_name(XHAL_ERROR_OUT_OF_RANGE), "{} bytes",
                 size);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-12", before, t.read<uint8_t>(memory, kBytes));
}

}  // namespace
}  // namespace xhal::conformance
