// SPDX-License-Identifier: Apache-2.0
// Fills, and what the attributes say of any pointer.
#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases fills() { return grid({{"kind", {"device", "pinned"}}, {"width", {1, 2, 4, 8}}}); }

XHAL_TEST_P(memory, fill, fills, .clauses = {"XHAL-MEMORY-14"},
            .observes =
                "counts 1 to 33, 1000 and 65,537 at aligned offsets; the pattern in every byte, and all "
                "bytes around it") {
  const uint64_t width = t.number("width");
  const uint64_t pattern = t.random_u64(1).front();
  const uint32_t kind =
      t.text("kind") == "device" ? uint32_t{XHAL_MEMORY_DEVICE} : uint32_t{XHAL_MEMORY_PINNED};
  constexpr uint64_t kMost = 65'537;
  const uint64_t room = (kMost + 16) * width;
  Stream stream(t);
  const Buffer memory(t, kind, room);
  const auto check = [&](uint64_t count, uint64_t offset) {
    // Small fills are checked within a window, so that reading back stays cheap.
    const uint64_t window = std::min(room, (count + 16) * width);
    REQUIRE_OK(xhal_memory_fill(stream, memory, 0x6B, 1, window));
    REQUIRE_OK(xhal_memory_fill(stream, memory.at(offset * width), pattern, static_cast<uint32_t>(width),
                                count * width));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    std::vector<uint8_t> expected(window, 0x6B);
    for (uint64_t i = 0; i < count * width; ++i)
      expected[offset * width + i] = static_cast<uint8_t>(pattern >> (8 * (i % width)));
    EXPECT_DATA("XHAL-MEMORY-14", expected, t.read<uint8_t>(memory, window), "{} times {} bytes at {}", count,
                width, offset * width);
  };
  for (uint64_t count = 1; count <= 33; ++count) check(count, count % 9);
  check(1000, 3);
  check(kMost, 1);
}

XHAL_TEST(
    memory, refused_fills, .clauses = {"XHAL-MEMORY-14"},
    .observes = "widths 0, 3, 5, 16, sizes that are no multiple, unaligned destinations: codes, contents") {
  const auto data = t.random_bytes(256);
  Stream stream(t);
  const Buffer memory = device_memory(t, 256);
  t.write(memory, data);
  for (const uint32_t width : {0u, 3u, 5u, 6u, 7u, 9u, 16u, 0x80000000u, 0xFFFFFFFFu}) {
    EXPECT_RESULT("XHAL-MEMORY-14", xhal_memory_fill(stream, memory, 1, width, 240),
                  XHAL_ERROR_INVALID_ARGUMENT, "width {}", width);
  }
  for (const uint32_t width : {2u, 4u, 8u}) {
    EXPECT_RESULT("XHAL-MEMORY-14", xhal_memory_fill(stream, memory, 1, width, 64 + width / 2),
                  XHAL_ERROR_INVALID_ARGUMENT, "size, width {}", width);
    EXPECT_RESULT("XHAL-MEMORY-14", xhal_memory_fill(stream, memory.at(width / 2), 1, width, 64),
                  XHAL_ERROR_INVALID_ARGUMENT, "address, width {}", width);
    EXPECT_RESULT("XHAL-MEMORY-14", xhal_memory_fill(stream, memory, 1, width, 1),
                  XHAL_ERROR_INVALID_ARGUMENT, "one byte, width {}", width);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-14", data, t.read<uint8_t>(memory, 256), "a refused fill wrote");
}

XHAL_TEST(memory, attributes_of_known_pointers, .clauses = {"XHAL-MEMORY-15"},
          .observes =
              "kind, device, base, size, host pointer and id at the base, inside and at the last byte of "
              "device and pinned memory") {
  for (const uint32_t kind : {uint32_t{XHAL_MEMORY_DEVICE}, uint32_t{XHAL_MEMORY_PINNED}}) {
    const Buffer memory(t, kind, 5001);
    const Buffer other(t, kind, 5001);
    const uint64_t id = attributes_of(t, memory).allocation_id;
    EXPECT_CLAUSE("XHAL-MEMORY-15", id != 0 && id != attributes_of(t, other).allocation_id,
                  "allocation ids {} twice, or 0", id);
    for (const uint64_t offset : {0u, 1u, 255u, 256u, 4096u, 5000u}) {
      const auto a = attributes_of(t, memory.at(offset));
      EXPECT_VALUE("XHAL-MEMORY-15", a.kind, kind, "offset {}", offset);
      EXPECT_VALUE("XHAL-MEMORY-15", a.base, memory.get(), "offset {}", offset);
      EXPECT_VALUE("XHAL-MEMORY-15", a.size, 5001u, "offset {}", offset);
      EXPECT_VALUE("XHAL-MEMORY-15", a.device_index, t.properties().index, "offset {}", offset);
      EXPECT_VALUE("XHAL-MEMORY-15", a.allocation_id, id, "offset {}", offset);
      EXPECT_VALUE("XHAL-MEMORY-15", a.is_imported, 0u, "offset {}", offset);
      EXPECT_VALUE("XHAL-MEMORY-15", a.device_pointer, memory.at(offset), "offset {}", offset);
      if (kind == XHAL_MEMORY_PINNED) {
        EXPECT_VALUE("XHAL-MEMORY-15", a.host_accessible, 1u);
        EXPECT_VALUE("XHAL-MEMORY-15", a.host_pointer, memory.at(offset), "offset {}", offset);
      } else {
        EXPECT_VALUE("XHAL-MEMORY-15", a.host_pointer == nullptr, a.host_accessible == 0);
      }
    }
  }
}

XHAL_TEST(memory, attributes_tell_the_device, .clauses = {"XHAL-MEMORY-15"},
          .observes = "device_index of memory of each device", .devices = 2) {
  for (size_t i = 0; i < t.device_count(); ++i) {
    const Buffer memory = device_memory(t, 64, i);
    EXPECT_VALUE("XHAL-MEMORY-15", attributes_of(t, memory).device_index, t.properties(i).index);
  }
}

void expect_unmanaged(Context& t, const void* pointer, const char* what) {
  xhal_pointer_attributes_t a{};
  a.struct_size = sizeof(a);
  if (!EXPECT_RESULT("XHAL-MEMORY-15", xhal_driver_get_pointer_attributes(t.driver(), pointer, &a),
                     XHAL_SUCCESS, "{}", what))
    return;
  EXPECT_VALUE("XHAL-MEMORY-15", a.kind, uint32_t{XHAL_MEMORY_UNMANAGED}, "{}", what);
  EXPECT_VALUE("XHAL-MEMORY-15", a.base, static_cast<void*>(nullptr), "{}", what);
  EXPECT_VALUE("XHAL-MEMORY-15", a.size, 0u, "{}", what);
  EXPECT_VALUE("XHAL-MEMORY-15", a.allocation_id, 0u, "{}", what);
}

XHAL_TEST(memory, attributes_of_unknown_pointers, .clauses = {"XHAL-MEMORY-15"},
          .observes =
              "null, stack, heap, code, wild and freed pointers are unmanaged without an error; one past the "
              "end is not the allocation") {
  int local = 0;
  expect_unmanaged(t, nullptr, "null");
  expect_unmanaged(t, &local, "the stack");
  expect_unmanaged(t, t.host_bytes(100).data(), "the heap");
  expect_unmanaged(t, reinterpret_cast<const void*>(&expect_unmanaged), "code");
  expect_unmanaged(t, reinterpret_cast<const void*>(uintptr_t{1}), "address 1");
  expect_unmanaged(t, reinterpret_cast<const void*>(~uintptr_t{0}), "the last address");
  for (const uint32_t kind : {uint32_t{XHAL_MEMORY_DEVICE}, uint32_t{XHAL_MEMORY_PINNED}}) {
    Buffer memory(t, kind, 777);
    const auto end = attributes_of(t, memory.at(777));
    EXPECT_CLAUSE("XHAL-MEMORY-15", end.base != memory.get(), "one past the end counts as inside");
    void* pointer = memory.get();
    memory.reset();
    REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
    expect_unmanaged(t, pointer, "freed memory");
  }
}

}  // namespace
}  // namespace xhal::conformance
