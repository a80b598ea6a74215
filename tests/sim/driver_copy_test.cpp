// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <numeric>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

enum class Place { kPageable, kPinned, kDevice, kOtherDevice };
constexpr Place kPlaces[] = {Place::kPageable, Place::kPinned, Place::kDevice, Place::kOtherDevice};

class Copies : public testing::Test {
 protected:
  static constexpr uint64_t kRoom = 1u << 20;

  unsigned char* make(Place place) {
    switch (place) {
      case Place::kPageable:
        return pageable_.emplace_back(std::make_unique<unsigned char[]>(kRoom)).get();
      case Place::kPinned:
        return static_cast<unsigned char*>(allocate(machine.device(), kRoom, XHAL_MEMORY_PINNED));
      case Place::kDevice:
        return static_cast<unsigned char*>(allocate(machine.device(), kRoom));
      default:
        return static_cast<unsigned char*>(allocate(machine.device(1), kRoom));
    }
  }
  void put(unsigned char* to, const std::vector<unsigned char>& bytes) {
    ASSERT_EQ(call().memory_copy(stream, to, bytes.data(), bytes.size()), XHAL_SUCCESS) << last_text;
  }
  xhal_result_t copy(void* to, const void* from, uint64_t size) {
    return call().memory_copy(stream, to, from, size);
  }

  Machine machine;
  xhal_stream_t stream = make_stream(machine.device());

 private:
  std::vector<std::unique_ptr<unsigned char[]>> pageable_;
};

TEST_F(Copies, MoveExactlyTheirBytesInEveryDirection) {
  std::vector<unsigned char> data(kRoom);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<unsigned char>(i * 7 + i / 256);
  for (const Place from : kPlaces) {
    for (const Place to : kPlaces) {
      unsigned char* source = make(from);
      unsigned char* target = make(to);
      put(source, data);
      for (const uint64_t size : {1u, 2u, 63u, 64u, 65u, 4097u, 700'001u}) {
        put(target, std::vector<unsigned char>(kRoom, 0xee));
        ASSERT_EQ(copy(target + 33, source + 5, size), XHAL_SUCCESS) << last_text;
        const auto result = read_back<unsigned char>(stream, target, kRoom);
        for (size_t i = 0; i < 33; ++i) ASSERT_EQ(result[i], 0xee);
        ASSERT_TRUE(std::equal(result.begin() + 33, result.begin() + 33 + static_cast<std::ptrdiff_t>(size),
                               data.begin() + 5))
            << static_cast<int>(from) << " to " << static_cast<int>(to) << ", " << size;
        for (size_t i = 33 + size; i < 33 + size + 100; ++i) ASSERT_EQ(result[i], 0xee);
      }
    }
  }
}

// What copy_blocks does not declare returns before the release; a pageable source is the caller's again, a pinned one is read in
// stream order.
TEST_F(Copies, ReturnWhileTheStreamIsHeldAndReadWhenTheyShould) {
  for (const Place from : kPlaces) {
    for (const Place to : {Place::kPinned, Place::kDevice, Place::kOtherDevice}) {
      unsigned char* source = make(from);
      unsigned char* target = make(to);
      put(source, std::vector<unsigned char>(4096, 1));
      put(target, std::vector<unsigned char>(4096, 9));
      expect_synchronized(stream);
      {
        Gate gate(stream);
        ASSERT_EQ(copy(target, source, 4096), XHAL_SUCCESS) << last_text;
        EXPECT_EQ(call().stream_query(stream), XHAL_NOT_READY);
        if (from == Place::kPageable || from == Place::kPinned)
          std::fill_n(source, 4096, static_cast<unsigned char>(2));
        EXPECT_EQ(to == Place::kPinned ? target[4095] : 9, 9) << "written before its turn";
      }
      const unsigned char expected = from == Place::kPinned ? 2 : 1;
      EXPECT_EQ(read_back<unsigned char>(stream, target, 4096), std::vector<unsigned char>(4096, expected))
          << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}

TEST_F(Copies, ToPageableMemoryHaveArrivedWhenTheyReturn) {
  for (const Place from : kPlaces) {
    unsigned char* source = make(from);
    unsigned char* target = make(Place::kPageable);
    put(source, std::vector<unsigned char>(4096, 1));
    EXPECT_EQ(copy(target, source, 4096), XHAL_SUCCESS) << "idle";
    EXPECT_EQ(target[4095], 1);
    std::atomic<bool> returned{false};
    std::fill_n(target, 4096, static_cast<unsigned char>(9));
    Gate gate(stream);
    std::thread caller([&] {
      EXPECT_EQ(copy(target, source, 4096), XHAL_SUCCESS) << last_text;
      EXPECT_EQ(target[4095], 1);
      returned.store(true);
    });
    EXPECT_EQ(call().stream_synchronize(stream, 2'000'000), XHAL_TIMEOUT);
    EXPECT_FALSE(returned.load());
    gate.open();
    caller.join();
  }
}

// Each copy sees what the one before it wrote, pageable memory on the way or not, without a wait in between.
TEST_F(Copies, SeeEachOtherInOrderThroughEveryKindOfMemory) {
  for (int held = 0; held < 2; ++held) {
    std::vector<unsigned char*> way;
    void* busy = make(Place::kDevice);
    for (const Place first : kPlaces) {
      for (const Place second : kPlaces) {
        way.push_back(make(first));
        way.push_back(make(second));
      }
    }
    put(way[0], std::vector<unsigned char>(5000, static_cast<unsigned char>(7 + held)));
    for (size_t i = 1; i < way.size(); ++i) {
      // Keeps the stream busy, so that copies wait in it.
      if (held != 0) {
        ASSERT_EQ(call().memory_fill(stream, busy, 0, 1, kRoom), XHAL_SUCCESS);
      }
      ASSERT_EQ(copy(way[i], way[i - 1], 5000), XHAL_SUCCESS) << last_text;
    }
    EXPECT_EQ(read_back<unsigned char>(stream, way.back(), 5000),
              std::vector<unsigned char>(5000, static_cast<unsigned char>(7 + held)));
  }
}

TEST_F(Copies, ToPageableMemoryTellTheFailureThatDroppedThem) {
  const uint64_t group = 0;
  const xhal_kernel_t trap = get_kernel(load_test_image(machine.device()), "trap");
  std::vector<unsigned char> target(100, 9);
  void* memory = allocate(machine.device(), 100);
  {
    const xhal_stream_t failing = make_stream(machine.device());
    Gate gate(failing);
    ASSERT_EQ(run(failing, trap, {value(group)}), XHAL_SUCCESS);
    std::thread caller([&] {
      EXPECT_EQ(call().memory_copy(failing, target.data(), memory, 100), XHAL_ERROR_LAUNCH_FAILED);
      EXPECT_NE(last_text.find("trap"), std::string::npos) << last_text;
    });
    gate.open();
    caller.join();
  }
  EXPECT_EQ(target, std::vector<unsigned char>(100, 9));
}

TEST_F(Copies, OfNothingTouchNothing) {
  EXPECT_EQ(copy(nullptr, nullptr, 0), XHAL_SUCCESS);
  EXPECT_EQ(copy(reinterpret_cast<void*>(1), reinterpret_cast<void*>(UINT64_MAX), 0), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_fill(stream, nullptr, 1, 4, 0), XHAL_SUCCESS);
}

TEST_F(Copies, RefuseRangesThatAreNotAllThere) {
  std::vector<unsigned char> host(2 * kRoom);
  for (const Place place : {Place::kPinned, Place::kDevice, Place::kOtherDevice}) {
    unsigned char* memory = make(place);
    for (const auto& [begin, size] :
         {std::pair<unsigned char*, uint64_t>(memory, kRoom + 1), {memory + 1, kRoom}, {memory - 1, 2}}) {
      EXPECT_EQ(copy(begin, host.data(), size), XHAL_ERROR_OUT_OF_RANGE);
      EXPECT_EQ(copy(host.data(), begin, size), XHAL_ERROR_OUT_OF_RANGE);
      EXPECT_EQ(call().memory_fill(stream, begin, 0, 1, size), XHAL_ERROR_OUT_OF_RANGE);
    }
    EXPECT_EQ(copy(memory, nullptr, 1), XHAL_ERROR_INVALID_POINTER);
    EXPECT_EQ(copy(nullptr, memory, 1), XHAL_ERROR_INVALID_POINTER);
    EXPECT_EQ(copy(memory, host.data(), UINT64_MAX), XHAL_ERROR_OUT_OF_RANGE);
  }
  unsigned char* freed = make(Place::kDevice);
  ASSERT_EQ(call().memory_free(machine.device(), freed), XHAL_SUCCESS);
  EXPECT_EQ(copy(freed, host.data(), 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_fill(stream, nullptr, 0, 1, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_fill(stream, host.data(), 0, 1, 1), XHAL_ERROR_INVALID_POINTER) << "pageable";
  EXPECT_EQ(call().stream_query(stream), XHAL_SUCCESS) << "nothing was submitted";
}

TEST_F(Copies, RefuseOverlapAndTakeNeighbours) {
  unsigned char* memory = make(Place::kDevice);
  EXPECT_EQ(copy(memory + 9, memory, 10), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(memory, memory + 9, 10), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(memory, memory, 1), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(copy(memory + 10, memory, 10), XHAL_SUCCESS);
  EXPECT_EQ(copy(memory, memory + 10, 10), XHAL_SUCCESS);
  unsigned char* host = make(Place::kPageable);
  EXPECT_EQ(copy(host + 1, host, 2), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(Copies, FillsRepeatTheirPatternOverExactlyTheirBytes) {
  unsigned char* memory = make(Place::kDevice);
  const uint64_t pattern = 0x8877665544332211u;
  for (const uint32_t width : {1u, 2u, 4u, 8u}) {
    for (const uint64_t count : {1u, 3u, 1000u, 70'000u}) {
      ASSERT_EQ(call().memory_fill(stream, memory, 0xee, 1, kRoom), XHAL_SUCCESS);
      ASSERT_EQ(call().memory_fill(stream, memory + 8, pattern, width, width * count), XHAL_SUCCESS)
          << last_text;
      const auto bytes = read_back<unsigned char>(stream, memory, kRoom);
      for (size_t i = 0; i < 8; ++i) ASSERT_EQ(bytes[i], 0xee);
      for (size_t i = 0; i < width * count; ++i) ASSERT_EQ(bytes[8 + i], (pattern >> (i % width * 8)) & 0xff);
      for (size_t i = 0; i < 64; ++i) ASSERT_EQ(bytes[8 + width * count + i], 0xee);
    }
  }
  for (const uint32_t width : {0u, 3u, 5u, 16u}) {
    EXPECT_EQ(call().memory_fill(stream, memory, 0, width, 240), XHAL_ERROR_INVALID_ARGUMENT);
  }
  EXPECT_EQ(call().memory_fill(stream, memory, 0, 4, 6), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().memory_fill(stream, memory + 2, 0, 4, 8), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(Copies, StagingHasALimitAndSaysSo) {
  const Machine small("staging=64k");
  const xhal_stream_t held = make_stream(small.device());
  void* memory = allocate(small.device(), kRoom);
  std::vector<unsigned char> host(kRoom, 3);
  {
    Gate gate(held);
    EXPECT_EQ(call().memory_copy(held, memory, host.data(), 60'000), XHAL_SUCCESS);
    EXPECT_EQ(call().memory_copy(held, memory, host.data(), 60'000), XHAL_ERROR_OUT_OF_HOST_MEMORY);
    EXPECT_NE(last_text.find("pinned"), std::string::npos) << last_text;
  }
  expect_synchronized(held);
  EXPECT_EQ(call().memory_copy(held, memory, host.data(), kRoom), XHAL_SUCCESS)
      << "an idle stream stages nothing";
  EXPECT_EQ(read_back<unsigned char>(held, memory, kRoom), host);
}

}  // namespace
}  // namespace xhal::sim_test
