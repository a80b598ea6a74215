// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <random>
#include <thread>
#include <tuple>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

struct Side {
  uint64_t offset, pitch, slice_pitch;
};

class Regions : public testing::Test {
 protected:
  xhal_result_t copy(void* destination, const Side& to, const void* source, const Side& from, uint64_t width,
                     uint64_t rows, uint64_t slices) {
    auto region = sized<xhal_copy_region_t>();
    region.destination = static_cast<char*>(destination) + to.offset;
    region.source = static_cast<const char*>(source) + from.offset;
    region.destination_pitch = to.pitch;
    region.destination_slice_pitch = to.slice_pitch;
    region.source_pitch = from.pitch;
    region.source_slice_pitch = from.slice_pitch;
    region.extent[0] = width;
    region.extent[1] = rows;
    region.extent[2] = slices;
    return call().memory_copy_region(stream, &region);
  }

  const Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
};

// What the copy must have made of the destination, byte by byte.
std::vector<uint8_t> expected(std::vector<uint8_t> destination, const Side& to,
                              const std::vector<uint8_t>& source, const Side& from, uint64_t width,
                              uint64_t rows, uint64_t slices) {
  for (uint64_t z = 0; z < slices; ++z)
    for (uint64_t y = 0; y < rows; ++y)
      for (uint64_t x = 0; x < width; ++x)
        destination[to.offset + z * to.slice_pitch + y * to.pitch + x] =
            source[from.offset + z * from.slice_pitch + y * from.pitch + x];
  return destination;
}

enum class Where { kDevice, kPinned, kPageable };

class RegionDirections : public Regions, public testing::WithParamInterface<std::tuple<Where, Where, bool>> {
 protected:
  void* place(Where where, const std::vector<uint8_t>& bytes, std::vector<uint8_t>& pageable) {
    if (where == Where::kPageable) {
      pageable = bytes;
      return pageable.data();
    }
    void* memory =
        allocate(device, bytes.size(), where == Where::kDevice ? XHAL_MEMORY_DEVICE : XHAL_MEMORY_PINNED);
    EXPECT_EQ(call().memory_copy(stream, memory, bytes.data(), bytes.size()), XHAL_SUCCESS);
    expect_synchronized(stream);
    return memory;
  }
};

TEST_P(RegionDirections, MoveTheirBytesAndLeaveTheRest) {
  const auto [from_where, to_where, held] = GetParam();
  constexpr uint64_t kBytes = 20'000;
  std::mt19937 random(1);
  const auto bytes = [&] {
    std::vector<uint8_t> made(kBytes);
    for (uint8_t& byte : made) byte = static_cast<uint8_t>(random());
    return made;
  };
  const struct {
    Side to, from;
    uint64_t width, rows, slices;
  } kCases[] = {
      {{3, 41, 0}, {7, 53, 0}, 37, 19, 1},
      {{0, 10, 120}, {1, 13, 200}, 10, 12, 7},
      {{5, 8, 64}, {9, 8, 64}, 8, 8, 5},     // no gaps on either side
      {{5, 8, 64}, {9, 8, 70}, 8, 8, 5},     // gaps between slices alone
      {{1, 1000, 0}, {2, 900, 0}, 1, 15, 1}  // one byte a row
  };
  for (const auto& one : kCases) {
    const auto source = bytes();
    const auto before = bytes();
    std::vector<uint8_t> pageable_source;
    std::vector<uint8_t> pageable_destination;
    void* const from = place(from_where, source, pageable_source);
    void* const to = place(to_where, before, pageable_destination);
    {
      // Copies to pageable memory wait for the stream, as declared.
      const auto gate = held && to_where != Where::kPageable ? std::make_unique<Gate>(stream) : nullptr;
      ASSERT_EQ(copy(to, one.to, from, one.from, one.width, one.rows, one.slices), XHAL_SUCCESS) << last_text;
      std::ranges::fill(pageable_source, uint8_t{0});  // consumed
      if (to_where == Where::kPageable) {
        EXPECT_NE(pageable_destination, before) << "has arrived";
      }
    }
    expect_synchronized(stream);
    EXPECT_EQ(read_back<uint8_t>(stream, to, kBytes),
              expected(before, one.to, source, one.from, one.width, one.rows, one.slices));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RegionDirections,
                         testing::Combine(testing::Values(Where::kDevice, Where::kPinned, Where::kPageable),
                                          testing::Values(Where::kDevice, Where::kPinned, Where::kPageable),
                                          testing::Bool()));

TEST_F(Regions, WhatDoesNotFitTogetherIsRefused) {
  void* to = allocate(device, 1000);
  void* from = allocate(device, 1000);
  EXPECT_EQ(copy(to, {0, 9, 0}, from, {0, 10, 0}, 10, 2, 1), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(to, {0, 10, 0}, from, {0, 9, 0}, 10, 2, 1), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(to, {0, 10, 19}, from, {0, 10, 20}, 10, 2, 2), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(to, {0, 10, 20}, from, {0, 10, 19}, 10, 2, 2), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(to, {0, 10, 0}, from, {0, 10, 1}, 10, 2, 1), XHAL_SUCCESS) << "one slice has no pitch";
  EXPECT_EQ(copy(to, {0, 100, 0}, from, {0, 10, 0}, 10, 10, 1), XHAL_SUCCESS);
  EXPECT_EQ(copy(to, {0, 100, 0}, from, {0, 10, 0}, 10, 11, 1), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(copy(to, {991, 10, 0}, from, {0, 10, 0}, 10, 1, 1), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(copy(to, {0, 10, 0}, from, {991, 10, 0}, 10, 1, 1), XHAL_ERROR_OUT_OF_RANGE);
  // Sums and products above 2^64.
  const uint64_t most = UINT64_MAX;
  EXPECT_EQ(copy(to, {0, most, 0}, from, {0, most, 0}, 10, 3, 1), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(copy(to, {0, most / 2, most}, from, {0, 10, 20}, 10, 2, 2), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(copy(to, {0, most / 2, most}, from, {0, 10, 30}, 10, 3, 2), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(to, {0, most, most}, from, {0, most, most}, most, most, most), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(nullptr, {0, 10, 0}, from, {0, 10, 0}, 10, 2, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_copy_region(stream, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  auto region = sized<xhal_copy_region_t>();
  region.flags = 1;
  EXPECT_EQ(call().memory_copy_region(stream, &region), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(Regions, WithoutAnExtentDoNothing) {
  for (int dimension = 0; dimension < 3; ++dimension) {
    uint64_t extent[3] = {10, 10, 10};
    extent[dimension] = 0;
    EXPECT_EQ(copy(nullptr, {0, 0, 0}, nullptr, {0, 0, 0}, extent[0], extent[1], extent[2]), XHAL_SUCCESS);
  }
}

TEST_F(Regions, OverlapIsAMatterOfBytesNotOfBounds) {
  void* matrix = allocate(device, 1000);
  // The left columns to the right ones.
  EXPECT_EQ(copy(matrix, {50, 100, 0}, matrix, {0, 100, 0}, 50, 9, 1), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(copy(matrix, {49, 100, 0}, matrix, {0, 100, 0}, 50, 9, 1), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(matrix, {0, 100, 0}, matrix, {49, 100, 0}, 50, 9, 1), XHAL_ERROR_INVALID_ARGUMENT);
  // Even rows to odd rows; and one that meets the other only in its last row.
  EXPECT_EQ(copy(matrix, {100, 200, 0}, matrix, {0, 200, 0}, 100, 4, 1), XHAL_SUCCESS);
  EXPECT_EQ(copy(matrix, {10, 200, 0}, matrix, {0, 199, 0}, 10, 5, 1), XHAL_SUCCESS);
  EXPECT_EQ(copy(matrix, {17, 199, 0}, matrix, {0, 203, 0}, 10, 4, 1), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(Regions, AreDroppedByAReset) {
  const Machine own;
  const xhal_stream_t doomed = make_stream(own.device());
  auto* memory = static_cast<char*>(allocate(own.device(), 4096, XHAL_MEMORY_PINNED));
  memory[0] = 1;
  {
    auto region = sized<xhal_copy_region_t>();
    region.destination = memory + 1024;
    region.source = memory;
    region.destination_pitch = region.source_pitch = 8;
    region.extent[0] = 8;
    region.extent[1] = 2;
    region.extent[2] = 1;
    Gate gate(doomed);
    ASSERT_EQ(call().memory_copy_region(doomed, &region), XHAL_SUCCESS);
    std::thread opens([&] { gate.open(); });
    EXPECT_EQ(call().device_reset(own.device()), XHAL_SUCCESS);
    opens.join();
  }
  const xhal_stream_t fresh = make_stream(own.device());
  void* const target = allocate(own.device(), 4);
  ASSERT_EQ(call().memory_fill(fresh, target, 6, 4, 4), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint32_t>(fresh, target, 1)[0], 6u);
}

}  // namespace
}  // namespace xhal::sim_test
