// SPDX-License-Identifier: Apache-2.0
// Managed memory: one address for host and device, prefetch, advice. The host touches it while the device is idle only: devices that
// allow more than that do not say so in the contract.
#include <algorithm>
#include <cstring>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kCells = 20'000;
constexpr size_t kBytes = kCells * sizeof(uint64_t);

Buffer managed_memory(Context& t, uint64_t bytes) { return {t, XHAL_MEMORY_MANAGED, bytes}; }

std::vector<uint64_t> as_the_host_sees(const Buffer& memory) {
  std::vector<uint64_t> out(memory.size() / sizeof(uint64_t));
  std::memcpy(out.data(), memory.get(), out.size() * sizeof(uint64_t));
  return out;
}

void fill_by_host(const Buffer& memory, const std::vector<uint64_t>& data) {
  std::memcpy(memory.get(), data.data(), data.size() * sizeof(uint64_t));
}

XHAL_TEST(
    managed, attributes, .clauses = {"XHAL-MANAGED-1", "XHAL-MEMORY-1"},
    .observes = "attributes at every part of allocations of odd sizes: kind, one address for host and device",
    .needs = {XHAL_FEATURE_MANAGED}) {
  for (const uint64_t size : {1u, 63u, 4097u, 1'000'003u}) {
    const Buffer memory = managed_memory(t, size);
    for (const uint64_t offset : {uint64_t{0}, size / 2, size - 1}) {
      const auto a = attributes_of(t, memory.at(offset));
      EXPECT_VALUE("XHAL-MANAGED-1", a.kind, uint32_t{XHAL_MEMORY_MANAGED}, "{} bytes, offset {}", size,
                   offset);
      EXPECT_VALUE("XHAL-MANAGED-1", a.host_accessible, 1u, "{} bytes, offset {}", size, offset);
      EXPECT_VALUE("XHAL-MANAGED-1", a.host_pointer, memory.at(offset), "{} bytes, offset {}", size, offset);
      EXPECT_VALUE("XHAL-MANAGED-1", a.device_pointer, memory.at(offset), "{} bytes, offset {}", size,
                   offset);
      EXPECT_VALUE("XHAL-MEMORY-1", a.size, size, "{} bytes, offset {}", size, offset);
      EXPECT_VALUE("XHAL-MEMORY-1", a.base, memory.get(), "{} bytes, offset {}", size, offset);
    }
  }
}

XHAL_TEST(
    managed, ping_pong_by_copies, .clauses = {"XHAL-MANAGED-1"},
    .observes =
        "host writes and device copies of the same cells in turn, ten times, each looked at by the other",
    .needs = {XHAL_FEATURE_MANAGED}) {
  Stream stream(t);
  const Buffer memory = managed_memory(t, kBytes);
  const Buffer device = device_memory(t, kBytes);
  for (uint64_t round = 0; round < 10; ++round) {
    const auto data = t.random_u64(kCells, round);
    fill_by_host(memory, data);
    REQUIRE_OK(xhal_memory_copy(stream, device, memory, kBytes));
    REQUIRE_OK(xhal_memory_fill(stream, memory, round, 8, kBytes));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-MANAGED-1", std::vector<uint64_t>(kCells, round), as_the_host_sees(memory),
                "round {}, the host", round);
    EXPECT_DATA("XHAL-MANAGED-1", data, t.read<uint64_t>(device, kCells), "round {}, the device", round);
  }
}

XHAL_TEST(managed, ping_pong_by_kernels, .clauses = {"XHAL-MANAGED-1"},
          .observes = "host and kernel fold the same cells in turn, ten times: one history",
          .needs = {XHAL_FEATURE_MANAGED, XHAL_FEATURE_KERNEL}) {
  Stream stream(t);
  const Buffer memory = managed_memory(t, kBytes);
  auto expected = t.random_u64(kCells);
  fill_by_host(memory, expected);
  for (uint64_t op = 0; op < 20; op += 2) {
    REQUIRE_OK(fold(t, stream, memory, op, kCells));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    expected = oracle::fold_u64(expected, op, kCells);
    EXPECT_DATA("XHAL-MANAGED-1", expected, as_the_host_sees(memory), "what the kernel wrote, step {}", op);
    expected = oracle::fold_u64(expected, op + 1, kCells);
    fill_by_host(memory, expected);
  }
  EXPECT_DATA("XHAL-MANAGED-1", expected, t.read<uint64_t>(memory, kCells), "the end");
}

XHAL_TEST(
    managed, every_device, .clauses = {"XHAL-MANAGED-1"},
    .observes =
        "cells of device 0's managed memory folded on every device that has managed memory, and by the host",
    .needs = {XHAL_FEATURE_MANAGED, XHAL_FEATURE_KERNEL}, .devices = 2) {
  const Buffer memory = managed_memory(t, kBytes);
  auto expected = t.random_u64(kCells);
  fill_by_host(memory, expected);
  for (size_t i = 0; i < t.device_count(); ++i) {
    if (!t.claims(XHAL_FEATURE_MANAGED, i) || !t.has_kernels(i)) continue;
    Stream stream(t, i);
    REQUIRE_OK(fold(t, stream, memory, 30 + i, kCells, i));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    expected = oracle::fold_u64(expected, 30 + i, kCells);
    EXPECT_DATA("XHAL-MANAGED-1", expected, as_the_host_sees(memory), "device {}", i);
  }
}

XHAL_TEST(managed, contents_stay, .clauses = {"XHAL-MANAGED-2"},
          .observes =
              "contents after a prefetch of the whole, of parts, of single bytes and of nothing, to the "
              "device and to the "
              "host, and after each advice",
          .needs = {XHAL_FEATURE_MANAGED}) {
  Stream stream(t);
  const Buffer memory = managed_memory(t, kBytes);
  const auto data = t.random_u64(kCells);
  fill_by_host(memory, data);
  const auto look = [&](const std::string& when) {
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-MANAGED-2", data, as_the_host_sees(memory), "{}, the host", when);
    EXPECT_DATA("XHAL-MANAGED-2", data, t.read<uint64_t>(memory, kCells), "{}, the device", when);
  };
  struct Part {
    uint64_t offset;
    uint64_t size;
  };
  for (const Part part :
       {Part{0, kBytes}, Part{1, 1}, Part{4095, 2}, Part{kBytes / 2 + 3, kBytes / 4}, Part{kBytes - 1, 1}}) {
    for (const uint32_t to_host : {0u, 1u, 0u}) {
      EXPECT_RESULT("XHAL-MANAGED-2",
                    xhal_memory_prefetch(stream, memory.at(part.offset), part.size, to_host), XHAL_SUCCESS,
                    "{} bytes from {}, to_host {}", part.size, part.offset, to_host);
      look(fmt::format("prefetch of {} bytes from {}, to_host {}", part.size, part.offset, to_host));
    }
  }
  for (uint32_t advice = XHAL_ADVICE_READ_MOSTLY; advice <= XHAL_ADVICE_UNSET_ACCESSED_BY; ++advice) {
    EXPECT_RESULT("XHAL-MANAGED-2", xhal_memory_advise(t.device(), memory, kBytes, advice), XHAL_SUCCESS,
                  "advice {}", advice);
    look(fmt::format("advice {}", advice));
    EXPECT_RESULT("XHAL-MANAGED-2", xhal_memory_advise(t.device(), memory.at(5000), 1, advice), XHAL_SUCCESS,
                  "advice {} for one byte", advice);
    look(fmt::format("advice {} for one byte", advice));
  }
}

XHAL_TEST(
    managed, advice_does_not_stop_writes, .clauses = {"XHAL-MANAGED-2", "XHAL-MANAGED-1"},
    .observes = "writes of host and device under each advice, read-mostly among them: both see the latest",
    .needs = {XHAL_FEATURE_MANAGED}) {
  Stream stream(t);
  const Buffer memory = managed_memory(t, kBytes);
  for (uint32_t advice = XHAL_ADVICE_READ_MOSTLY; advice <= XHAL_ADVICE_UNSET_ACCESSED_BY; ++advice) {
    const auto data = t.random_u64(kCells, advice);
    REQUIRE_OK(xhal_memory_advise(t.device(), memory, kBytes, advice));
    fill_by_host(memory, data);
    EXPECT_DATA("XHAL-MANAGED-2", data, t.read<uint64_t>(memory, kCells), "the host wrote, advice {}",
                advice);
    REQUIRE_OK(xhal_memory_fill(stream, memory, advice, 8, kBytes));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-MANAGED-1", std::vector<uint64_t>(kCells, advice), as_the_host_sees(memory),
                "the device wrote, advice {}", advice);
  }
}

Cases gates() { return grid({gate_axis(), {"to_host", {0, 1}}}); }

XHAL_TEST_P(managed, prefetch_in_stream_order, gates, .clauses = {"XHAL-MANAGED-2"},
            .observes =
                "fill, prefetch, copy out and another fill behind a gate: the calls return while it is shut, "
                "the copy has "
                "the first fill's bytes, the memory the second's",
            .needs = {XHAL_FEATURE_MANAGED}) {
  const auto to_host = static_cast<uint32_t>(t.number("to_host"));
  Stream stream(t);
  const Buffer memory = managed_memory(t, kBytes);
  const Buffer out = device_memory(t, kBytes);
  fill_by_host(memory, t.random_u64(kCells));
  Marker behind(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_memory_fill(stream, memory, 0x0101, 8, kBytes));
  EXPECT_RESULT("XHAL-MANAGED-2", xhal_memory_prefetch(stream, memory, kBytes, to_host), XHAL_SUCCESS);
  behind.fill_on(t, stream);
  if (gate.shut()) {
    EXPECT_CLAUSE("XHAL-MANAGED-2", gate.held(), "the prefetch waited for the stream");
    EXPECT_RESULT("XHAL-MANAGED-2", xhal_stream_query(stream), XHAL_NOT_READY);
    if (t.witness(gate)) EXPECT_CLAUSE("XHAL-MANAGED-2", behind.untouched(), "{}", behind.shown());
  }
  behind.stamp(gate);
  if (may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) gate.open();
  REQUIRE_OK(xhal_memory_copy(stream, out, memory, kBytes));
  REQUIRE_OK(xhal_memory_fill(stream, memory, 0x0202, 8, kBytes));
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-MANAGED-2", behind.filled(), "{}", behind.shown());
  EXPECT_DATA("XHAL-MANAGED-2", std::vector<uint64_t>(kCells, 0x0101), t.read<uint64_t>(out, kCells),
              "copied behind the prefetch");
  EXPECT_DATA("XHAL-MANAGED-2", std::vector<uint64_t>(kCells, 0x0202), as_the_host_sees(memory));
}

XHAL_TEST(managed, refusals, .clauses = {"XHAL-MANAGED-2", "XHAL-MEMORY-12", "XHAL-ABI-11"},
          .observes =
              "unknown advice and direction, ranges that leave the allocation, null, device, pinned, "
              "ordinary and freed "
              "memory: codes, contents",
          .needs = {XHAL_FEATURE_MANAGED}) {
  Stream stream(t);
  Buffer memory = managed_memory(t, kBytes);
  const auto data = t.random_u64(kCells);
  fill_by_host(memory, data);
  for (const uint32_t advice : {0u, uint32_t{XHAL_ADVICE_UNSET_ACCESSED_BY} + 1, 0x80000001u, ~0u}) {
    EXPECT_RESULT("XHAL-MANAGED-2", xhal_memory_advise(t.device(), memory, kBytes, advice),
                  XHAL_ERROR_INVALID_ARGUMENT, "advice {}", advice);
  }
  for (const uint32_t to_host : {2u, 0x80000000u, ~0u}) {
    EXPECT_RESULT("XHAL-ABI-11", xhal_memory_prefetch(stream, memory, kBytes, to_host),
                  XHAL_ERROR_INVALID_ARGUMENT, "to_host {}", to_host);
  }
  const auto refused = [&](Clause clause, const void* pointer, uint64_t size, xhal_result_t code,
                           const char* what) {
    expect_result(t, clause, TRACED(xhal_memory_prefetch(stream, pointer, size, 0)), code,
                  "xhal_memory_prefetch", XHAL_HERE, what);
    expect_result(t, clause, TRACED(xhal_memory_advise(t.device(), pointer, size, XHAL_ADVICE_READ_MOSTLY)),
                  code, "xhal_memory_advise", XHAL_HERE, what);
  };
  refused("XHAL-MEMORY-12", memory, kBytes + 1, XHAL_ERROR_OUT_OF_RANGE, "one byte too far");
  refused("XHAL-MEMORY-12", memory.at(kBytes - 1), 2, XHAL_ERROR_OUT_OF_RANGE,
          "one byte too far from inside");
  refused("XHAL-MEMORY-12", memory.at(1), ~uint64_t{0}, XHAL_ERROR_OUT_OF_RANGE, "around the address space");
  refused("XHAL-MEMORY-12", nullptr, 64, XHAL_ERROR_INVALID_POINTER, "null");
  const Buffer device = device_memory(t, 4096);
  const Buffer pinned = pinned_memory(t, 4096);
  refused("XHAL-MANAGED-2", device, 64, XHAL_ERROR_INVALID_POINTER, "device memory");
  refused("XHAL-MANAGED-2", pinned, 64, XHAL_ERROR_INVALID_POINTER, "pinned memory");
  refused("XHAL-MANAGED-2", t.host_bytes(64).data(), 64, XHAL_ERROR_INVALID_POINTER, "ordinary memory");
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MANAGED-2", data, as_the_host_sees(memory), "after the refusals");
  void* gone = memory.release();
  REQUIRE_OK(xhal_memory_free(t.device(), gone));
  refused("XHAL-MANAGED-2", gone, 64, XHAL_ERROR_INVALID_POINTER, "freed memory");
}

}  // namespace
}  // namespace xhal::conformance
