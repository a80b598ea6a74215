// SPDX-License-Identifier: Apache-2.0
// Copies: every direction, size and offset; what is refused.
#include "suite/support.h"

namespace xhal::conformance {
namespace {

// A place of `size` bytes in memory of the kind that a word names.
class Place {
 public:
  Place(Context& t, const std::string& kind, uint64_t size) : t_(t), size_(size) {
    if (kind == "pageable") {
      pageable_ = t.host_bytes(size);
    } else {
      buffer_.emplace_back(t, kind == "device" ? XHAL_MEMORY_DEVICE : XHAL_MEMORY_PINNED, size);
    }
  }

  [[nodiscard]] uint8_t* at(uint64_t offset) const {
    return buffer_.empty() ? pageable_.data() + offset : static_cast<uint8_t*>(buffer_.front().at(offset));
  }
  void put(const std::vector<uint8_t>& bytes) {
    if (buffer_.empty()) {
      std::copy(bytes.begin(), bytes.end(), pageable_.begin());
    } else {
      t_.write(buffer_.front(), bytes);
    }
  }
  std::vector<uint8_t> get() {
    if (buffer_.empty()) return {pageable_.begin(), pageable_.end()};
    return t_.read<uint8_t>(buffer_.front(), size_);
  }

 private:
  Context& t_;
  uint64_t size_;
  std::span<uint8_t> pageable_;
  std::vector<Buffer> buffer_;
};

Cases directions() {
  return grid({{"from", {"device", "pinned", "pageable"}}, {"to", {"device", "pinned", "pageable"}}});
}

// One copy between guards, compared as whole buffers, so that a stray byte shows.
void check_copy(Context& t, xhal_stream_t stream, Place& source, Place& destination,
                const std::vector<uint8_t>& source_bytes, uint64_t source_offset, uint64_t destination_offset,
                uint64_t size) {
  std::vector<uint8_t> expected(source_bytes.size(), 0xA5);
  destination.put(expected);
  REQUIRE_OK(xhal_memory_copy(stream, destination.at(destination_offset), source.at(source_offset), size));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::copy_n(source_bytes.begin() + static_cast<std::ptrdiff_t>(source_offset), size,
              expected.begin() + static_cast<std::ptrdiff_t>(destination_offset));
  ASSERT_DATA("XHAL-MEMORY-7", expected, destination.get(), "{} bytes from offset {} to offset {}", size,
              source_offset, destination_offset);
}

XHAL_TEST_P(
    memory, copy_small, directions, .clauses = {"XHAL-MEMORY-7"},
    .observes =
        "sizes 1 to 64 at odd and even offsets of both sides; the bytes copied and all bytes around them") {
  constexpr uint64_t kRoom = 192;
  const auto data = t.random_bytes(kRoom);
  Stream stream(t);
  Place source(t, t.text("from"), kRoom);
  Place destination(t, t.text("to"), kRoom);
  source.put(data);
  for (uint64_t size = 1; size <= 64; ++size) {
    check_copy(t, stream, source, destination, data, (size * 7) % 61, (size * 5) % 59, size);
  }
  for (uint64_t offset = 0; offset <= 16; ++offset)
    check_copy(t, stream, source, destination, data, offset, 16 - offset, 33);
}

XHAL_TEST_P(
    memory, copy_large, directions, .clauses = {"XHAL-MEMORY-7"},
    .observes =
        "4 KiB, 64 KiB + 1, 1 MiB - 1 and 3 MiB + 5 bytes at odd offsets; every byte and the guards") {
  constexpr uint64_t kRoom = (3u << 20) + 512;
  const auto data = t.random_bytes(kRoom);
  Stream stream(t);
  Place source(t, t.text("from"), kRoom);
  Place destination(t, t.text("to"), kRoom);
  source.put(data);
  for (const uint64_t size : {4096u, 65'537u, (1u << 20) - 1, (3u << 20) + 5}) {
    check_copy(t, stream, source, destination, data, 3, 130, size);
  }
}

XHAL_TEST(memory, copy_chain, .clauses = {"XHAL-MEMORY-18", "XHAL-MEMORY-7"},
          .observes =
              "pageable to pinned to device to device to pinned to pageable in one stream, one synchronise "
              "at the end") {
  constexpr size_t kBytes = 100'003;
  const auto data = t.random_bytes(kBytes);
  Stream stream(t);
  const Buffer first = pinned_memory(t, kBytes);
  const Buffer second = device_memory(t, kBytes);
  const Buffer third = device_memory(t, kBytes);
  const Buffer fourth = pinned_memory(t, kBytes);
  const auto last = t.host_bytes(kBytes);
  REQUIRE_OK(xhal_memory_copy(stream, first, data.data(), kBytes));
  REQUIRE_OK(xhal_memory_copy(stream, second, first, kBytes));
  REQUIRE_OK(xhal_memory_copy(stream, third, second, kBytes));
  REQUIRE_OK(xhal_memory_fill(stream, second, 0, 1, kBytes));
  REQUIRE_OK(xhal_memory_copy(stream, fourth, third, kBytes));
  REQUIRE_OK(xhal_memory_copy(stream, last.data(), fourth, kBytes));
  EXPECT_RESULT("XHAL-MEMORY-18", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-MEMORY-18", data, std::vector<uint8_t>(last.begin(), last.end()));
  EXPECT_DATA("XHAL-MEMORY-7", data, t.read<uint8_t>(third, kBytes));
}

XHAL_TEST(memory, pinned_is_shared, .clauses = {"XHAL-MEMORY-16"},
          .observes =
              "the host writes, a device copy reads; a device copy writes, the host reads; attributes give "
              "one address for both") {
  constexpr size_t kBytes = 5'000;
  const auto data = t.random_bytes(kBytes);
  Stream stream(t);
  const Buffer shared = pinned_memory(t, kBytes);
  const Buffer device = device_memory(t, kBytes);
  const auto attributes = attributes_of(t, shared);
  EXPECT_VALUE("XHAL-MEMORY-16", attributes.kind, uint32_t{XHAL_MEMORY_PINNED});
  EXPECT_VALUE("XHAL-MEMORY-16", attributes.host_pointer, shared.get());
  EXPECT_VALUE("XHAL-MEMORY-16", attributes.device_pointer, shared.get());
  EXPECT_VALUE("XHAL-MEMORY-16", attributes.host_accessible, 1u);
  std::copy(data.begin(), data.end(), shared.host().begin());
  REQUIRE_OK(xhal_memory_copy(stream, device, shared, kBytes));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-16", data, t.read<uint8_t>(device, kBytes));
  std::fill(shared.host().begin(), shared.host().end(), uint8_t{0});
  REQUIRE_OK(xhal_memory_copy(stream, shared, device, kBytes));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-16", data, std::vector<uint8_t>(shared.host().begin(), shared.host().end()));
}

XHAL_TEST(memory, pinned_seen_by_kernels, .clauses = {"XHAL-MEMORY-16"},
          .observes = "a kernel folds pinned cells at the host's address", .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr size_t kCells = 130;
  const auto before = t.random_u64(kCells);
  Stream stream(t);
  const Buffer cells = pinned_memory(t, kCells * sizeof(uint64_t));
  std::copy(before.begin(), before.end(), cells.host<uint64_t>().begin());
  REQUIRE_OK(fold(t, stream, cells, 99, kCells));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto after = cells.host<uint64_t>();
  EXPECT_DATA("XHAL-MEMORY-16", oracle::fold_u64(before, 99, kCells),
              std::vector<uint64_t>(after.begin(), after.end()));
}

XHAL_TEST(
    memory, copy_nothing, .clauses = {"XHAL-MEMORY-11"},
    .observes = "copies and fills of 0 bytes with null, wild and good pointers; the memory after them") {
  const auto data = t.random_bytes(64);
  Stream stream(t);
  const Buffer memory = device_memory(t, 64);
  t.write(memory, data);
  void* wild = reinterpret_cast<void*>(uintptr_t{0xDEAD0000});
  for (void* pointer : {static_cast<void*>(nullptr), wild, memory.get(), memory.at(64)}) {
    EXPECT_RESULT("XHAL-MEMORY-11", xhal_memory_copy(stream, pointer, memory, 0), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-MEMORY-11", xhal_memory_copy(stream, memory, pointer, 0), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-MEMORY-11", xhal_memory_fill(stream, pointer, 1, 1, 0), XHAL_SUCCESS);
  }
  EXPECT_RESULT("XHAL-MEMORY-11", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-MEMORY-11", data, t.read<uint8_t>(memory, 64));
}

XHAL_TEST(memory, out_of_range, .clauses = {"XHAL-MEMORY-12"},
          .observes =
              "copies and fills that leave an allocation by a byte or by far, at source and destination: "
              "codes and contents") {
  constexpr uint64_t kBytes = 4096;
  const auto data = t.random_bytes(kBytes);
  Stream stream(t);
  for (const uint32_t kind : {uint32_t{XHAL_MEMORY_DEVICE}, uint32_t{XHAL_MEMORY_PINNED}}) {
    const Buffer tight(t, kind, kBytes);
    const Buffer wide = device_memory(t, 2 * kBytes);
    t.write(tight, data);
    for (const auto& [offset, size] : {std::pair{uint64_t{0}, kBytes + 1},
                                       {uint64_t{1}, kBytes},
                                       {kBytes - 1, uint64_t{2}},
                                       {uint64_t{0}, 2 * kBytes}}) {
      EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_copy(stream, tight.at(offset), wide, size),
                    XHAL_ERROR_OUT_OF_RANGE, "to {} + {}", offset, size);
      EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_copy(stream, wide, tight.at(offset), size),
                    XHAL_ERROR_OUT_OF_RANGE, "from {} + {}", offset, size);
      EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_fill(stream, tight.at(offset), 0, 1, size),
                    XHAL_ERROR_OUT_OF_RANGE, "fill {} + {}", offset, size);
    }
    for (const uint64_t size : {~uint64_t{0}, ~uint64_t{0} - 4095, uint64_t{1} << 63}) {
      EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_copy(stream, tight, wide, size), XHAL_ERROR_OUT_OF_RANGE,
                    "{} bytes", size);
    }
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_DATA("XHAL-MEMORY-12", data, t.read<uint8_t>(tight, kBytes), "a refused call wrote");
    REQUIRE_OK(xhal_memory_copy(stream, wide, tight, kBytes));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
}

XHAL_TEST(memory, null_pointers, .clauses = {"XHAL-MEMORY-12"},
          .observes = "copies and fills of null with a size: codes, contents") {
  const auto data = t.random_bytes(256);
  Stream stream(t);
  const Buffer memory = device_memory(t, 256);
  t.write(memory, data);
  EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_copy(stream, nullptr, memory, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_copy(stream, memory, nullptr, 256), XHAL_ERROR_INVALID_POINTER);
  EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_fill(stream, nullptr, 0, 1, 8), XHAL_ERROR_INVALID_POINTER);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-12", data, t.read<uint8_t>(memory, 256));
}

Cases overlaps() { return grid({{"kind", {"device", "pinned", "pageable"}}}); }

XHAL_TEST_P(
    memory, overlap, overlaps, .clauses = {"XHAL-MEMORY-13"},
    .observes =
        "copies onto themselves, by one byte and by half: refused, contents kept; adjacent ranges copied") {
  constexpr uint64_t kBytes = 1024;
  const auto data = t.random_bytes(2 * kBytes);
  Stream stream(t);
  Place memory(t, t.text("kind"), 2 * kBytes);
  memory.put(data);
  for (const uint64_t distance : {uint64_t{0}, uint64_t{1}, kBytes / 2, kBytes - 1}) {
    EXPECT_RESULT("XHAL-MEMORY-13", xhal_memory_copy(stream, memory.at(distance), memory.at(0), kBytes),
                  XHAL_ERROR_INVALID_ARGUMENT, "upwards by {}", distance);
    EXPECT_RESULT("XHAL-MEMORY-13", xhal_memory_copy(stream, memory.at(0), memory.at(distance), kBytes),
                  XHAL_ERROR_INVALID_ARGUMENT, "downwards by {}", distance);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-13", data, memory.get(), "a refused copy wrote");
  EXPECT_RESULT("XHAL-MEMORY-13", xhal_memory_copy(stream, memory.at(kBytes), memory.at(0), kBytes),
                XHAL_SUCCESS, "adjacent ranges");
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint8_t> expected(data.begin(), data.begin() + kBytes);
  expected.insert(expected.end(), data.begin(), data.begin() + kBytes);
  EXPECT_DATA("XHAL-MEMORY-13", expected, memory.get());
}

XHAL_TEST(memory, copy_between_devices, .clauses = {"XHAL-MEMORY-17"},
          .observes = "interior ranges of both devices, both ways, on a stream of either; bytes and guards",
          .devices = 2) {
  constexpr uint64_t kBytes = 40'000;
  const auto data = t.random_bytes(kBytes);
  for (const size_t runner : {size_t{0}, size_t{1}}) {
    for (const size_t from : {size_t{0}, size_t{1}}) {
      const size_t to = 1 - from;
      const Buffer source = device_memory(t, kBytes, from);
      const Buffer destination = device_memory(t, kBytes, to);
      t.write(source, data, from);
      std::vector<uint8_t> expected(kBytes, 0x77);
      t.write(destination, expected, to);
      Stream stream(t, runner);
      EXPECT_RESULT("XHAL-MEMORY-17", xhal_memory_copy(stream, destination.at(333), source.at(1001), 30'001),
                    XHAL_SUCCESS);
      EXPECT_RESULT("XHAL-MEMORY-17", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
      std::copy_n(data.begin() + 1001, 30'001, expected.begin() + 333);
      EXPECT_DATA("XHAL-MEMORY-17", expected, t.read<uint8_t>(destination, kBytes, to),
                  "device {} to {} on a stream of {}", from, to, runner);
    }
  }
}

}  // namespace
}  // namespace xhal::conformance
