// SPDX-License-Identifier: Apache-2.0
// Managed memory, and devices that reach each other's memory.
#include <algorithm>
#include <numeric>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

class Managed : public testing::Test {
 protected:
  const Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  const xhal_kernel_t fill = get_kernel(load_test_image(device), "fill");
};

TEST_F(Managed, HostAndDevicesReachItAtOneAddress) {
  auto* words = static_cast<uint32_t*>(allocate(device, 4000, XHAL_MEMORY_MANAGED));
  auto attributes = sized<xhal_pointer_attributes_t>();
  ASSERT_EQ(call().driver_get_pointer_attributes(machine.handle, words + 999, &attributes), XHAL_SUCCESS);
  EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_MANAGED));
  EXPECT_EQ(attributes.size, 4000u);
  EXPECT_EQ(attributes.base, words);
  EXPECT_EQ(attributes.host_accessible, 1u);
  EXPECT_EQ(attributes.host_pointer, words + 999);
  EXPECT_EQ(attributes.device_pointer, words + 999);
  for (uint32_t turn = 1; turn < 4; ++turn) {
    ASSERT_EQ(run(stream, fill, {memory(words), value(turn), value(uint64_t{1000})}, 4, 256), XHAL_SUCCESS);
    expect_synchronized(stream);
    EXPECT_EQ(std::accumulate(words, words + 1000, uint32_t{0}), 1000 * turn);
    std::fill_n(words, 1000, 7 * turn);
    EXPECT_EQ(read_back<uint32_t>(stream, words, 1000), std::vector<uint32_t>(1000, 7 * turn));
  }
  // Of another device, too.
  const xhal_stream_t there = make_stream(machine.device(1));
  const xhal_kernel_t fill_there = get_kernel(load_test_image(machine.device(1)), "fill");
  ASSERT_EQ(run(there, fill_there, {memory(words), value(uint32_t{9}), value(uint64_t{1})}), XHAL_SUCCESS);
  expect_synchronized(there);
  EXPECT_EQ(words[0], 9u);
  EXPECT_EQ(call().memory_free(device, words), XHAL_SUCCESS);
}

TEST_F(Managed, CountsAsMemoryOfItsDevice) {
  const Machine small("memory=4m");
  auto info = sized<xhal_memory_info_t>();
  void* pointer = allocate(small.device(), 3u << 20, XHAL_MEMORY_MANAGED);
  ASSERT_EQ(call().device_get_memory_info(small.device(), &info), XHAL_SUCCESS);
  EXPECT_EQ(info.free_bytes, 1u << 20);
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = XHAL_MEMORY_MANAGED;
  desc.size = 2u << 20;
  void* more = nullptr;
  EXPECT_EQ(call().memory_allocate(small.device(), &desc, &more), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  ASSERT_EQ(call().memory_free(small.device(), pointer), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_allocate(small.device(), &desc, &more), XHAL_SUCCESS);
}

TEST_F(Managed, PrefetchAndAdviceChangeNoByte) {
  auto* bytes = static_cast<char*>(allocate(device, 10'000, XHAL_MEMORY_MANAGED));
  std::fill_n(bytes, 10'000, 'x');
  for (const uint32_t to_host : {0u, 1u})
    EXPECT_EQ(call().memory_prefetch(stream, bytes + 5, 9'000, to_host), XHAL_SUCCESS) << last_text;
  for (uint32_t advice = XHAL_ADVICE_READ_MOSTLY; advice <= XHAL_ADVICE_UNSET_ACCESSED_BY; ++advice)
    EXPECT_EQ(call().memory_advise(device, bytes, 10'000, advice), XHAL_SUCCESS) << last_text;
  expect_synchronized(stream);
  EXPECT_EQ(std::count(bytes, bytes + 10'000, 'x'), 10'000);

  EXPECT_EQ(call().memory_advise(device, bytes, 10'000, 0), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().memory_advise(device, bytes, 10'000, 8), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().memory_prefetch(stream, bytes, 10'000, 2), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().memory_prefetch(stream, bytes, 10'001, 0), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(call().memory_advise(device, bytes + 1, 10'000, 1), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(call().memory_prefetch(stream, &bytes, 8, 0), XHAL_ERROR_INVALID_POINTER) << "the stack's";
  EXPECT_EQ(call().memory_prefetch(stream, nullptr, 8, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_advise(device, allocate(device, 100), 100, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_prefetch(stream, nullptr, 0, 0), XHAL_SUCCESS);
}

class Peers : public testing::Test {
 protected:
  const Machine machine{"devices=3"};
  const xhal_device_t device = machine.device(0);
  const xhal_device_t peer = machine.device(1);
};

TEST_F(Peers, KernelsReachMemoryOfThoseThatWereEnabled) {
  const xhal_stream_t stream = make_stream(device);
  const xhal_kernel_t fill = get_kernel(load_test_image(device), "fill");
  void* theirs = allocate(peer, 4000);
  const auto launch = [&](void* target, uint64_t size = 0) {
    return run(stream, fill,
               {memory(target, XHAL_ACCESS_WRITE, size), value(uint32_t{5}), value(uint64_t{1000})}, 4, 256);
  };
  EXPECT_EQ(launch(theirs), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(launch(theirs, 4000), XHAL_ERROR_INVALID_POINTER);
  ASSERT_EQ(call().device_enable_peer(device, peer), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(launch(theirs), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(launch(theirs, 4000), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(launch(allocate(machine.device(2), 4000)), XHAL_ERROR_INVALID_POINTER) << "another pair's";
  expect_synchronized(stream);
  EXPECT_EQ(read_back<uint32_t>(make_stream(peer), theirs, 1000), std::vector<uint32_t>(1000, 5));
  ASSERT_EQ(call().device_disable_peer(device, peer), XHAL_SUCCESS);
  EXPECT_EQ(launch(theirs), XHAL_ERROR_INVALID_POINTER);
  // One direction says nothing of the other.
  ASSERT_EQ(call().device_enable_peer(device, peer), XHAL_SUCCESS);
  const xhal_stream_t back = make_stream(peer);
  const xhal_kernel_t fill_back = get_kernel(load_test_image(peer), "fill");
  EXPECT_EQ(run(back, fill_back, {memory(allocate(device, 4)), value(uint32_t{5}), value(uint64_t{1})}),
            XHAL_ERROR_INVALID_POINTER);
}

TEST_F(Peers, StatesAreTold) {
  EXPECT_EQ(call().device_disable_peer(device, peer), XHAL_ERROR_ALREADY_DONE);
  EXPECT_EQ(call().device_enable_peer(device, peer), XHAL_SUCCESS);
  EXPECT_EQ(call().device_enable_peer(device, peer), XHAL_ERROR_ALREADY_DONE);
  EXPECT_EQ(call().device_disable_peer(peer, device), XHAL_ERROR_ALREADY_DONE) << "the other direction";
  EXPECT_EQ(call().device_disable_peer(device, peer), XHAL_SUCCESS);
  EXPECT_EQ(call().device_disable_peer(device, peer), XHAL_ERROR_ALREADY_DONE);
  EXPECT_EQ(call().device_enable_peer(device, device), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(call().device_disable_peer(device, device), XHAL_ERROR_UNSUPPORTED);
}

TEST_F(Peers, CopiesNeedNoAccess) {
  const xhal_stream_t stream = make_stream(device);
  void* mine = allocate(device, 4000);
  void* theirs = allocate(peer, 4000);
  for (const bool enabled : {false, true}) {
    if (enabled) {
      ASSERT_EQ(call().device_enable_peer(device, peer), XHAL_SUCCESS);
    }
    ASSERT_EQ(call().memory_fill(stream, mine, enabled ? 1 : 2, 4, 4000), XHAL_SUCCESS);
    ASSERT_EQ(call().memory_copy(stream, static_cast<char*>(theirs) + 4, mine, 3996), XHAL_SUCCESS);
    ASSERT_EQ(call().memory_copy(stream, mine, theirs, 4), XHAL_SUCCESS);
    EXPECT_EQ(read_back<uint32_t>(stream, theirs, 1000)[999], enabled ? 1u : 2u);
  }
}

}  // namespace
}  // namespace xhal::sim_test
