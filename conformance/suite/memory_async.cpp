// SPDX-License-Identifier: Apache-2.0
// What a copy that is still pending owes to its caller.
#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases gates() { return grid({gate_axis()}); }
Cases pageable_sizes() { return grid({gate_axis(), {"bytes", {1, 64, 4096, 65'537, 1'048'576}}}); }

XHAL_TEST_P(memory, pageable_source_is_consumed, pageable_sizes, .clauses = {"XHAL-MEMORY-8"},
            .observes =
                "the source is overwritten right after the call returns, while the stream is held; the bytes "
                "that arrive") {
  const uint64_t bytes = t.number("bytes");
  const auto data = t.random_bytes(bytes);
  const auto source = t.host_bytes(bytes);
  std::copy(data.begin(), data.end(), source.begin());
  Stream stream(t);
  const Buffer memory = device_memory(t, bytes);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_PAGEABLE_TO_DEVICE)) {
    t.note("a copy from pageable memory may wait for its stream, as declared: the gate is opened first");
    gate.open();
  }
  REQUIRE_OK(xhal_memory_copy(stream, memory, source.data(), bytes));
  std::fill(source.begin(), source.end(), uint8_t{0xEE});
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-8", data, t.read<uint8_t>(memory, bytes));
}

XHAL_TEST(memory, pageable_source_may_go_away, .clauses = {"XHAL-MEMORY-8"},
          .observes =
              "60 copies from blocks that are overwritten and given back right after the call, into places "
              "of their own") {
  constexpr size_t kCopies = 60;
  constexpr size_t kBytes = 20'000;
  Stream stream(t);
  const Buffer memory = device_memory(t, kCopies * kBytes);
  std::vector<uint8_t> expected;
  for (size_t i = 0; i < kCopies; ++i) {
    auto block = std::make_unique<std::vector<uint8_t>>(t.random_bytes(kBytes, i));
    expected.insert(expected.end(), block->begin(), block->end());
    REQUIRE_OK(xhal_memory_copy(stream, memory.at(i * kBytes), block->data(), kBytes));
    std::fill(block->begin(), block->end(), uint8_t{0xEE});
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-8", expected, t.read<uint8_t>(memory, expected.size()));
}

XHAL_TEST_P(memory, pinned_source_is_read_in_order, gates, .clauses = {"XHAL-MEMORY-9"},
            .observes = "a pinned source changed while the stream is held: the new bytes arrive") {
  const auto data = t.random_bytes(3000);
  Stream stream(t);
  const Buffer source = pinned_memory(t, data.size());
  const Buffer memory = device_memory(t, data.size());
  std::fill(source.host().begin(), source.host().end(), uint8_t{0x0F});
  Gate gate(t, stream, gate_kind(t.text("hold")));
  const bool early = may_block(t, XHAL_COPY_PINNED_TO_DEVICE);
  if (early)
    t.note("a copy from pinned memory may wait for its stream, as declared: the gate is opened first");
  if (early || !gate.shut()) {
    std::copy(data.begin(), data.end(), source.host().begin());
    gate.open();
  }
  REQUIRE_OK(xhal_memory_copy(stream, memory, source, data.size()));
  if (gate.held()) {
    t.witness(gate);
    std::copy(data.begin(), data.end(), source.host().begin());
  } else if (gate.shut() && !early) {
    EXPECT_CLAUSE("XHAL-MEMORY-9", gate.held(), "the copy waited for the stream");
  }
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-9", data, t.read<uint8_t>(memory, data.size()));
}

XHAL_TEST_P(memory, pinned_destination_is_written_in_order, gates, .clauses = {"XHAL-MEMORY-9"},
            .observes =
                "a pinned destination: untouched while the stream is held; what the host puts there before "
                "the release is overwritten") {
  const auto data = t.random_bytes(3000);
  Stream stream(t);
  const Buffer memory = device_memory(t, data.size());
  const Buffer destination = pinned_memory(t, data.size());
  t.write(memory, data);
  std::fill(destination.host().begin(), destination.host().end(), uint8_t{0});
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_DEVICE_TO_PINNED)) {
    t.note("a copy to pinned memory may wait for its stream, as declared: the gate is opened first");
    gate.open();
  }
  REQUIRE_OK(xhal_memory_copy(stream, destination, memory, data.size()));
  if (gate.held() && t.witness(gate)) {
    // No data of the test's digest: not every device can be looked at while a stream of it is held.
    EXPECT_CLAUSE("XHAL-MEMORY-9",
                  std::ranges::all_of(destination.host(), [](uint8_t byte) { return byte == 0; }),
                  "the destination was written while its stream was held");
  }
  if (gate.held()) std::fill(destination.host().begin(), destination.host().end(), uint8_t{0xEE});
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto host = destination.host();
  EXPECT_DATA("XHAL-MEMORY-9", data, std::vector<uint8_t>(host.begin(), host.end()), "after the release");
}

struct Direction {
  const char* name;
  uint32_t bit;
  uint32_t from;
  uint32_t to;
};
// UNMANAGED stands for pageable host memory.
constexpr Direction kDirections[] = {
    {"pageable_to_device", XHAL_COPY_PAGEABLE_TO_DEVICE, XHAL_MEMORY_UNMANAGED, XHAL_MEMORY_DEVICE},
    {"device_to_pageable", XHAL_COPY_DEVICE_TO_PAGEABLE, XHAL_MEMORY_DEVICE, XHAL_MEMORY_UNMANAGED},
    {"pinned_to_device", XHAL_COPY_PINNED_TO_DEVICE, XHAL_MEMORY_PINNED, XHAL_MEMORY_DEVICE},
    {"device_to_pinned", XHAL_COPY_DEVICE_TO_PINNED, XHAL_MEMORY_DEVICE, XHAL_MEMORY_PINNED},
    {"device_to_device", XHAL_COPY_DEVICE_TO_DEVICE, XHAL_MEMORY_DEVICE, XHAL_MEMORY_DEVICE},
    {"host_to_host", XHAL_COPY_HOST_TO_HOST, XHAL_MEMORY_PINNED, XHAL_MEMORY_PINNED},
};

Cases blocking_cases() {
  Axis axis{"direction", {}};
  for (const Direction& direction : kDirections) axis.values.emplace_back(direction.name);
  return grid({gate_axis(), axis, {"bytes", {64, 262'144}}});
}

XHAL_TEST_P(memory, copy_blocks_only_as_declared, blocking_cases, .clauses = {"XHAL-MEMORY-10"},
            .observes =
                "a copy behind a gate returns before the release unless its direction is declared to block; "
                "the bytes arrive") {
  const auto* direction = std::find_if(std::begin(kDirections), std::end(kDirections),
                                       [&](const Direction& one) { return t.text("direction") == one.name; });
  const uint64_t bytes = t.number("bytes");
  const auto data = t.random_bytes(bytes);
  std::vector<Buffer> buffers;
  const auto place = [&](uint32_t kind) -> void* {
    if (kind == XHAL_MEMORY_UNMANAGED) return t.host_bytes(bytes).data();
    buffers.emplace_back(t, kind, bytes);
    return buffers.back();
  };
  Stream stream(t);
  void* source = place(direction->from);
  void* destination = place(direction->to);
  if (direction->from == XHAL_MEMORY_UNMANAGED) {
    std::copy(data.begin(), data.end(), static_cast<uint8_t*>(source));
  } else {
    t.write(source, data);
  }
  Gate gate(t, stream, gate_kind(t.text("hold")));
  const bool declared = may_block(t, direction->bit);
  if (declared) {
    t.note("copies of this direction may block, as declared: the gate is opened first");
    gate.open();
  }
  EXPECT_RESULT("XHAL-MEMORY-10", xhal_memory_copy(stream, destination, source, bytes), XHAL_SUCCESS);
  if (gate.shut() && !declared) {
    EXPECT_CLAUSE("XHAL-MEMORY-10", gate.held(),
                  "the copy waited for its stream, and copy_blocks {:#x} does not declare it",
                  t.properties().copy_blocks);
  }
  gate.open();
  EXPECT_RESULT("XHAL-MEMORY-10", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  std::vector<uint8_t> got(bytes);
  if (direction->to == XHAL_MEMORY_UNMANAGED) {
    std::copy_n(static_cast<const uint8_t*>(destination), bytes, got.begin());
  } else {
    t.read(got.data(), destination, bytes);
  }
  EXPECT_DATA("XHAL-MEMORY-10", data, got);
}

XHAL_TEST_P(
    memory, peer_copy_blocks_only_as_declared, gates, .clauses = {"XHAL-MEMORY-10"},
    .observes =
        "a copy to another device behind a gate returns before the release unless declared; the bytes arrive",
    .devices = 2) {
  const auto data = t.random_bytes(10'000);
  t.prepare(1);
  Stream stream(t);
  const Buffer source = device_memory(t, data.size(), 0);
  const Buffer destination = device_memory(t, data.size(), 1);
  t.write(source, data, 0);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  const bool declared = may_block(t, XHAL_COPY_DEVICE_TO_PEER);
  if (declared) {
    t.note("copies to a peer may block, as declared: the gate is opened first");
    gate.open();
  }
  EXPECT_RESULT("XHAL-MEMORY-10", xhal_memory_copy(stream, destination, source, data.size()), XHAL_SUCCESS);
  if (gate.shut() && !declared)
    EXPECT_CLAUSE("XHAL-MEMORY-10", gate.held(), "the copy waited for its stream");
  gate.open();
  EXPECT_RESULT("XHAL-MEMORY-10", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-MEMORY-10", data, t.read<uint8_t>(destination, data.size(), 1));
}

}  // namespace
}  // namespace xhal::conformance
