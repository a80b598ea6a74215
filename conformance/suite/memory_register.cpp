// SPDX-License-Identifier: Apache-2.0
// Registration of host memory.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

// malloc memory that is registered and unregistered by the test; given back when the device is done with it.
uint8_t* host_block(Context& t, size_t bytes) {
  auto* block = static_cast<uint8_t*>(std::malloc(bytes));
  t.at_end([block] { std::free(block); });
  return block;
}

XHAL_TEST(register, like_pinned_memory, .clauses = {"XHAL-REGISTER-1"},
          .observes =
              "attributes before, during and after; copies both ways; the pinned rule that a source is read "
              "in stream order",
          .needs = {XHAL_FEATURE_REGISTER}) {
  constexpr size_t kBytes = 10'000;
  uint8_t* block = host_block(t, kBytes);
  const auto data = t.random_bytes(kBytes);
  EXPECT_VALUE("XHAL-REGISTER-1", attributes_of(t, block).kind, uint32_t{XHAL_MEMORY_UNMANAGED}, "before");
  ASSERT_RESULT("XHAL-REGISTER-1", xhal_memory_register(t.device(), block, kBytes, 0), XHAL_SUCCESS);
  for (const size_t offset : {size_t{0}, size_t{1}, kBytes - 1}) {
    const auto a = attributes_of(t, block + offset);
    EXPECT_VALUE("XHAL-REGISTER-1", a.kind, uint32_t{XHAL_MEMORY_REGISTERED}, "offset {}", offset);
    EXPECT_VALUE("XHAL-REGISTER-1", a.base, static_cast<void*>(block), "offset {}", offset);
    EXPECT_VALUE("XHAL-REGISTER-1", a.size, kBytes, "offset {}", offset);
    EXPECT_VALUE("XHAL-REGISTER-1", a.host_pointer, static_cast<void*>(block + offset), "offset {}", offset);
  }
  Stream stream(t);
  const Buffer memory = device_memory(t, kBytes);
  std::fill_n(block, kBytes, uint8_t{1});
  Gate gate(t, stream);
  if (may_block(t, XHAL_COPY_PINNED_TO_DEVICE)) gate.open();
  if (!gate.held()) std::copy(data.begin(), data.end(), block);
  REQUIRE_OK(xhal_memory_copy(stream, memory, block, kBytes));
  if (gate.held()) std::copy(data.begin(), data.end(), block);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-REGISTER-1", data, t.read<uint8_t>(memory, kBytes),
              "a registered source is read in stream order");
  EXPECT_RESULT("XHAL-REGISTER-1", xhal_memory_unregister(t.device(), block), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-REGISTER-1", attributes_of(t, block).kind, uint32_t{XHAL_MEMORY_UNMANAGED}, "after");
}

XHAL_TEST(register, kernels_use_the_same_address, .clauses = {"XHAL-REGISTER-1"},
          .observes = "a kernel folds cells of malloc memory",
          .needs = {XHAL_FEATURE_REGISTER, XHAL_FEATURE_KERNEL}) {
  constexpr size_t kCells = 1000;
  const auto before = t.random_u64(kCells);
  uint8_t* block = host_block(t, kCells * sizeof(uint64_t));
  std::memcpy(block, before.data(), kCells * sizeof(uint64_t));
  REQUIRE_OK(xhal_memory_register(t.device(), block, kCells * sizeof(uint64_t), 0));
  Stream stream(t);
  REQUIRE_OK(fold(t, stream, block, 5, kCells));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> after(kCells);
  std::memcpy(after.data(), block, kCells * sizeof(uint64_t));
  EXPECT_DATA("XHAL-REGISTER-1", oracle::fold_u64(before, 5, kCells), after);
  REQUIRE_OK(xhal_memory_unregister(t.device(), block));
}

XHAL_TEST(
    register, many_at_once, .clauses = {"XHAL-REGISTER-1"},
    .observes =
        "attributes of two hundred ranges registered in a shuffled order, once all are, once every other "
        "one is not any more, once none is and once ten are again",
    .needs = {XHAL_FEATURE_REGISTER}) {
  constexpr size_t kRanges = 200;
  constexpr size_t kBytes = 4096;
  uint8_t* block = host_block(t, 2 * kRanges * kBytes);
  // A gap behind each, so that none can be taken for its neighbour.
  const auto range = [&](size_t i) { return block + 2 * i * kBytes; };
  std::vector<size_t> order(kRanges);
  for (size_t i = 0; i < kRanges; ++i) order[i] = i * 77 % kRanges;
  for (const size_t i : order) REQUIRE_OK(xhal_memory_register(t.device(), range(i), kBytes, 0));
  const auto expect = [&](const auto& is_registered, const char* when) {
    for (size_t i = 0; i < kRanges; ++i) {
      const auto found = attributes_of(t, range(i) + 100);
      const uint32_t kind = is_registered(i) ? XHAL_MEMORY_REGISTERED : XHAL_MEMORY_UNMANAGED;
      if (!EXPECT_VALUE("XHAL-REGISTER-1", found.kind, kind, "range {}, {}", i, when)) return;
      if (is_registered(i))
        EXPECT_VALUE("XHAL-REGISTER-1", found.base, static_cast<void*>(range(i)), "range {}, {}", i, when);
      EXPECT_VALUE("XHAL-REGISTER-1", attributes_of(t, range(i) + kBytes).kind,
                   uint32_t{XHAL_MEMORY_UNMANAGED}, "behind range {}, {}", i, when);
    }
  };
  expect([](size_t) { return true; }, "all registered");
  for (size_t i = 0; i < kRanges; i += 2) REQUIRE_OK(xhal_memory_unregister(t.device(), range(i)));
  expect([](size_t i) { return i % 2 == 1; }, "every other one registered");
  for (size_t i = 1; i < kRanges; i += 2) REQUIRE_OK(xhal_memory_unregister(t.device(), range(i)));
  expect([](size_t) { return false; }, "none registered");
  for (size_t i = 0; i < 10; ++i) REQUIRE_OK(xhal_memory_register(t.device(), range(i), kBytes, 0));
  expect([](size_t i) { return i < 10; }, "the first ten again");
  for (size_t i = 0; i < 10; ++i) REQUIRE_OK(xhal_memory_unregister(t.device(), range(i)));
}

XHAL_TEST(register, refusals, .clauses = {"XHAL-REGISTER-2"},
          .observes =
              "overlaps with registered and allocated ranges, unregister of interior, unknown, pinned and "
              "unregistered pointers",
          .needs = {XHAL_FEATURE_REGISTER}) {
  constexpr size_t kBytes = 8192;
  uint8_t* block = host_block(t, kBytes);
  const Buffer pinned = pinned_memory(t, kBytes);
  REQUIRE_OK(xhal_memory_register(t.device(), block + 1024, 4096, 0));
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_register(t.device(), block + 1024, 4096, 0),
                XHAL_ERROR_INVALID_POINTER, "the same range");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_register(t.device(), block, 1025, 0),
                XHAL_ERROR_INVALID_POINTER, "overlap at its start");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_register(t.device(), block + 5119, 1000, 0),
                XHAL_ERROR_INVALID_POINTER, "overlap at its end");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_register(t.device(), block, kBytes, 0),
                XHAL_ERROR_INVALID_POINTER, "around it");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_register(t.device(), pinned, 64, 0),
                XHAL_ERROR_INVALID_POINTER, "pinned memory");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_unregister(t.device(), block + 1025),
                XHAL_ERROR_INVALID_POINTER, "interior");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_unregister(t.device(), block), XHAL_ERROR_INVALID_POINTER,
                "before it");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_unregister(t.device(), pinned), XHAL_ERROR_INVALID_POINTER,
                "pinned memory");
  EXPECT_VALUE("XHAL-REGISTER-2", attributes_of(t, block + 1024).kind, uint32_t{XHAL_MEMORY_REGISTERED},
               "after the refusals");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_unregister(t.device(), block + 1024), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_unregister(t.device(), block + 1024),
                XHAL_ERROR_INVALID_POINTER, "twice");
  EXPECT_RESULT("XHAL-REGISTER-2", xhal_memory_register(t.device(), block, kBytes, 0), XHAL_SUCCESS,
                "free again");
  REQUIRE_OK(xhal_memory_unregister(t.device(), block));
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(register, unregister_follows_work, gates, .clauses = {"XHAL-REGISTER-3"},
            .observes =
                "unregister with a copy out of the range held: it waits, or is ordered behind the copy; the "
                "bytes arrive and stay",
            .needs = {XHAL_FEATURE_REGISTER}) {
  constexpr size_t kBytes = 50'000;
  const auto data = t.random_bytes(kBytes);
  uint8_t* block = host_block(t, kBytes);
  std::copy(data.begin(), data.end(), block);
  REQUIRE_OK(xhal_memory_register(t.device(), block, kBytes, 0));
  Stream stream(t);
  const Buffer memory = device_memory(t, kBytes);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_PINNED_TO_DEVICE)) gate.open();
  REQUIRE_OK(xhal_memory_copy(stream, memory, block, kBytes));
  // The call may wait for the work, so somebody else has to let it go.
  std::thread opener;
  if (gate.held()) {
    opener = std::thread([&] {
      std::this_thread::yield();
      gate.open();
    });
  }
  EXPECT_RESULT("XHAL-REGISTER-3", xhal_memory_unregister(t.device(), block), XHAL_SUCCESS);
  if (opener.joinable()) opener.join();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-REGISTER-3", data, t.read<uint8_t>(memory, kBytes), "the copy");
  EXPECT_DATA("XHAL-REGISTER-3", data, std::vector<uint8_t>(block, block + kBytes),
              "the registered memory itself");
}

}  // namespace
}  // namespace xhal::conformance
