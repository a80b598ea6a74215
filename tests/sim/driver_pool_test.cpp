// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class DevicePools : public testing::Test {
 protected:
  xhal_pool_t create(uint64_t threshold = 0, uint64_t most = 0) {
    auto desc = sized<xhal_pool_desc_t>();
    desc.release_threshold = threshold;
    desc.max_bytes = most;
    xhal_pool_t pool = nullptr;
    EXPECT_EQ(call().pool_create(device, &desc, &pool), XHAL_SUCCESS) << last_text;
    return pool;
  }
  static void* take(xhal_pool_t pool, xhal_stream_t from, uint64_t size) {
    void* pointer = nullptr;
    EXPECT_EQ(call().pool_allocate(pool, from, size, &pointer), XHAL_SUCCESS) << last_text;
    return pointer;
  }
  static xhal_pool_info_t info(xhal_pool_t pool) {
    auto value = sized<xhal_pool_info_t>();
    EXPECT_EQ(call().pool_get_info(pool, &value), XHAL_SUCCESS);
    return value;
  }
  [[nodiscard]] uint64_t free_bytes() const {
    auto value = sized<xhal_memory_info_t>();
    EXPECT_EQ(call().device_get_memory_info(device, &value), XHAL_SUCCESS);
    return value.free_bytes;
  }
  // What telemetry tells of the device's memory that this process holds.
  [[nodiscard]] uint64_t held() const {
    auto one = sized<xhal_metric_t>();
    one.metric = XHAL_METRIC_PROCESS_MEMORY;
    EXPECT_EQ(call().device_read_metrics(device, 1, sizeof(one), &one), XHAL_SUCCESS) << last_text;
    return static_cast<uint64_t>(one.value);
  }
  [[nodiscard]] xhal_pointer_attributes_t attributes(const void* pointer) const {
    auto a = sized<xhal_pointer_attributes_t>();
    EXPECT_EQ(call().driver_get_pointer_attributes(machine.handle, pointer, &a), XHAL_SUCCESS);
    return a;
  }

  const Machine machine{"memory=8m"};
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
};

TEST_F(DevicePools, MemoryIsUsedBehindItsAllocation) {
  const xhal_pool_t pool = create();
  const xhal_kernel_t fill = get_kernel(load_test_image(device), "fill");
  auto* out = static_cast<uint32_t*>(allocate(device, 4000, XHAL_MEMORY_PINNED));
  {
    Gate gate(stream);
    void* memory = take(pool, stream, 4000);
    ASSERT_EQ(
        run(stream, fill, {sim_test::memory(memory), value(uint32_t{8}), value(uint64_t{1000})}, 4, 256),
        XHAL_SUCCESS)
        << last_text;
    ASSERT_EQ(call().memory_copy(stream, out, memory, 4000), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, stream, memory), XHAL_SUCCESS) << last_text;
  }
  expect_synchronized(stream);
  EXPECT_EQ(std::count(out, out + 1000, 8u), 1000);
}

TEST_F(DevicePools, WhoWaitsForAnEventBehindTheFreeHasTheMemoryAtOnce) {
  const xhal_pool_t pool = create(0, kMiB);
  const xhal_stream_t other = make_stream(device);
  const xhal_stream_t third = make_stream(device);
  const xhal_event_t event = make_event(device);
  auto* out = static_cast<uint8_t*>(allocate(device, 2 * kMiB, XHAL_MEMORY_PINNED));
  void* const first = take(pool, stream, kMiB);
  ASSERT_EQ(call().memory_fill(stream, first, 1, 1, kMiB), XHAL_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_copy(stream, out, first, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, stream, first), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_wait_event(other, event, 0), XHAL_SUCCESS);
    void* const second = take(pool, other, kMiB);
    EXPECT_EQ(second, first);
    ASSERT_EQ(call().memory_fill(other, second, 2, 1, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().memory_copy(other, out + kMiB, second, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, other, second), XHAL_SUCCESS);
    void* pointer = nullptr;
    EXPECT_EQ(call().pool_allocate(pool, third, kMiB, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
    EXPECT_EQ(call().pool_allocate(pool, stream, kMiB, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY)
        << "the first stream does not follow the second";
  }
  expect_synchronized(other);
  EXPECT_EQ(std::count(out, out + kMiB, 1), static_cast<std::ptrdiff_t>(kMiB)) << "written over too early";
  EXPECT_EQ(std::count(out + kMiB, out + 2 * kMiB, 2), static_cast<std::ptrdiff_t>(kMiB));
  EXPECT_NE(take(pool, third, kMiB), nullptr) << "everybody's by now";
}

// The follower's wait is dropped by its own failure; the memory that it was given for it is still the first stream's.
TEST_F(DevicePools, AFollowerThatFailsHandsNothingOnTooEarly) {
  const xhal_pool_t pool = create(0, kMiB);
  const xhal_module_t module = load_test_image(device);
  const xhal_stream_t follower = make_stream(device);
  const xhal_stream_t third = make_stream(device);
  const xhal_event_t event = make_event(device);
  void* const first = take(pool, stream, kMiB);
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_fill(stream, first, 1, 1, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, stream, first), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    {
      Gate behind(follower);
      ASSERT_EQ(run(follower, get_kernel(module, "trap"), {value(uint64_t{0})}), XHAL_SUCCESS) << last_text;
      ASSERT_EQ(call().stream_wait_event(follower, event, 0), XHAL_SUCCESS);
      ASSERT_EQ(take(pool, follower, kMiB), first);
    }
    EXPECT_EQ(call().stream_synchronize(follower, XHAL_WAIT_FOREVER), XHAL_ERROR_LAUNCH_FAILED);
    ASSERT_EQ(call().pool_free(pool, follower, first), XHAL_SUCCESS);
    void* pointer = nullptr;
    EXPECT_EQ(call().pool_allocate(pool, third, kMiB, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  }
  expect_synchronized(stream);
  EXPECT_EQ(take(pool, third, kMiB), first);
}

// A graph may be launched on any stream: what its capture's stream alone may have is not for it.
TEST_F(DevicePools, ACapturedAllocationGetsNothingThatItsStreamStillUses) {
  const xhal_pool_t pool = create(0, 2 * kMiB);
  void* const first = take(pool, stream, kMiB);
  Gate gate(stream);
  ASSERT_EQ(call().pool_free(pool, stream, first), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_begin_capture(stream, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS) << last_text;
  void* captured = nullptr;
  ASSERT_EQ(call().pool_allocate(pool, stream, kMiB, &captured), XHAL_SUCCESS) << last_text;
  EXPECT_NE(captured, first);
  xhal_graph_t graph = nullptr;
  ASSERT_EQ(call().stream_end_capture(stream, &graph), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(take(pool, stream, kMiB), first);
}

TEST_F(DevicePools, ACaptureThatEndsWithItsStreamGivesItsMemoryBack) {
  const uint64_t before = free_bytes();
  for (const bool pool_goes_first : {true, false}) {
    const xhal_pool_t pool = create(0, 2 * kMiB);
    const xhal_stream_t captures = make_stream(device);
    ASSERT_EQ(call().stream_begin_capture(captures, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS) << last_text;
    void* captured = nullptr;
    ASSERT_EQ(call().pool_allocate(pool, captures, kMiB, &captured), XHAL_SUCCESS) << last_text;
    if (pool_goes_first) {
      ASSERT_EQ(call().pool_destroy(pool), XHAL_SUCCESS) << last_text;
    }
    EXPECT_EQ(call().stream_destroy(captures), XHAL_SUCCESS) << last_text;
    if (!pool_goes_first) {
      ASSERT_EQ(call().pool_destroy(pool), XHAL_SUCCESS) << last_text;
    }
    EXPECT_EQ(free_bytes(), before);
  }
}

TEST_F(DevicePools, ASynchroniseAppliesTheThreshold) {
  const xhal_pool_t pool = create(kMiB);
  const xhal_event_t event = make_event(device);
  const uint64_t before = free_bytes();
  using Wait = std::function<void()>;
  const Wait waits[] = {
      [&] { EXPECT_EQ(call().stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS); },
      [&] { EXPECT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS); },
      [&] { EXPECT_EQ(call().device_synchronize(device, XHAL_WAIT_FOREVER), XHAL_SUCCESS); },
  };
  for (const Wait& wait : waits) {
    void* const memory = take(pool, stream, 3 * kMiB);
    ASSERT_EQ(call().memory_fill(stream, memory, 1, 1, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, stream, memory), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    wait();
    // Telemetry looks at no pool.
    EXPECT_EQ(held(), kMiB);
  }
  EXPECT_EQ(free_bytes(), before - kMiB);
}

TEST_F(DevicePools, FreedMemoryIsGivenToWhoComesBehindAlone) {
  const xhal_pool_t pool = create(0, kMiB);
  const xhal_stream_t other = make_stream(device);
  void* const first = take(pool, stream, kMiB);
  auto* out = static_cast<uint8_t*>(allocate(device, kMiB, XHAL_MEMORY_PINNED));
  ASSERT_EQ(call().memory_fill(stream, first, 1, 1, kMiB), XHAL_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_copy(stream, out, first, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, stream, first), XHAL_SUCCESS) << "does not wait";
    void* pointer = nullptr;
    EXPECT_EQ(call().pool_allocate(pool, other, kMiB, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
    EXPECT_EQ(pointer, nullptr);
    void* const second = take(pool, stream, kMiB);
    EXPECT_EQ(second, first) << "the same stream's";
    ASSERT_EQ(call().memory_fill(stream, second, 2, 1, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, stream, second), XHAL_SUCCESS);
  }
  expect_synchronized(stream);
  EXPECT_EQ(std::count(out, out + kMiB, 1), static_cast<std::ptrdiff_t>(kMiB));
  EXPECT_NE(take(pool, other, kMiB), nullptr) << "the host saw it done";
}

TEST_F(DevicePools, LimitsAreKeptAndPoisonNothing) {
  const xhal_pool_t small = create(0, kMiB);
  void* pointer = nullptr;
  EXPECT_EQ(call().pool_allocate(small, stream, kMiB + 1, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(call().pool_allocate(small, stream, UINT64_MAX, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  void* const memory = take(small, stream, kMiB);
  EXPECT_EQ(call().pool_allocate(small, stream, 1, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  ASSERT_EQ(call().pool_free(small, stream, memory), XHAL_SUCCESS);
  EXPECT_NE(take(small, stream, kMiB), nullptr);
  // Without a limit: the device's memory, and what other pools keep unused is theirs no longer.
  const xhal_pool_t hoarder = create(UINT64_MAX);
  ASSERT_EQ(call().pool_free(hoarder, stream, take(hoarder, stream, 6 * kMiB)), XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_EQ(info(hoarder).reserved_bytes, 6 * kMiB);
  const xhal_pool_t all = create();
  EXPECT_NE(take(all, stream, 7 * kMiB), nullptr);
  EXPECT_EQ(call().pool_allocate(all, stream, 1, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(pointer, nullptr);
}

TEST_F(DevicePools, FiguresAndTrim) {
  const xhal_pool_t pool = create(UINT64_MAX);
  const uint64_t before = free_bytes();
  void* const one = take(pool, stream, 1000);
  void* const two = take(pool, stream, kMiB);
  EXPECT_EQ(info(pool).used_bytes, 1000 + kMiB);
  EXPECT_GE(info(pool).reserved_bytes, info(pool).used_bytes);
  ASSERT_EQ(call().memory_fill(stream, one, 3, 1, 1000), XHAL_SUCCESS);
  ASSERT_EQ(call().pool_free(pool, stream, two), XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_EQ(info(pool).used_bytes, 1000u);
  EXPECT_GE(info(pool).reserved_bytes, kMiB) << "kept for reuse";
  EXPECT_EQ(free_bytes(), before - info(pool).reserved_bytes);
  ASSERT_EQ(call().pool_trim(pool, 512 * 1024), XHAL_SUCCESS);
  EXPECT_LE(info(pool).reserved_bytes, 512u * 1024);
  ASSERT_EQ(call().pool_trim(pool, 0), XHAL_SUCCESS);
  EXPECT_GE(info(pool).reserved_bytes, 1000u);
  EXPECT_LE(info(pool).reserved_bytes, 4096u);
  EXPECT_EQ(info(pool).peak_used_bytes, 1000 + kMiB);
  EXPECT_GE(info(pool).peak_reserved_bytes, 1000 + kMiB);
  EXPECT_EQ(read_back<uint8_t>(stream, one, 1000), std::vector<uint8_t>(1000, 3));
}

TEST_F(DevicePools, TheThresholdIsWhatStaysAfterASynchronise) {
  const xhal_pool_t pool = create(64 * 1024);
  ASSERT_EQ(call().pool_free(pool, stream, take(pool, stream, kMiB)), XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_LE(info(pool).reserved_bytes, 64u * 1024);
}

TEST_F(DevicePools, MemoryOutlivesItsPool) {
  const uint64_t before = free_bytes();
  const xhal_pool_t pool = create(UINT64_MAX);
  void* const memory = take(pool, stream, kMiB);
  void* const held = take(pool, stream, kMiB);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_ERROR_INVALID_POINTER) << "the pool lives";
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_fill(stream, held, 1, 1, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_free(pool, stream, held), XHAL_SUCCESS);
    ASSERT_EQ(call().pool_destroy(pool), XHAL_SUCCESS) << "never waits";
    EXPECT_EQ(free_bytes(), before - 2 * kMiB) << "held work keeps it";
  }
  expect_synchronized(stream);
  EXPECT_EQ(free_bytes(), before - kMiB);
  EXPECT_EQ(attributes(memory).size, kMiB);
  ASSERT_EQ(call().memory_fill(stream, memory, 5, 1, kMiB), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint8_t>(stream, memory, kMiB), std::vector<uint8_t>(kMiB, 5));
  EXPECT_EQ(call().memory_free(device, memory), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(free_bytes(), before);
}

TEST_F(DevicePools, FreeTakesLiveBasesOfThePoolAlone) {
  const xhal_pool_t pool = create();
  const xhal_pool_t other = create();
  void* const memory = take(pool, stream, 10'000);
  int on_stack = 0;
  for (void* const wrong : {static_cast<void*>(static_cast<char*>(memory) + 4096), allocate(device, 100),
                            static_cast<void*>(&on_stack), static_cast<void*>(nullptr)}) {
    EXPECT_EQ(call().pool_free(pool, stream, wrong), XHAL_ERROR_INVALID_POINTER);
  }
  EXPECT_EQ(call().pool_free(other, stream, memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(attributes(memory).size, 10'000u);
  EXPECT_EQ(call().pool_free(pool, stream, memory), XHAL_SUCCESS);
  EXPECT_EQ(call().pool_free(pool, stream, memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(attributes(memory).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
}

TEST_F(DevicePools, AttributesTellDeviceMemoryOfTheExactSize) {
  const xhal_pool_t pool = create();
  auto* const memory = static_cast<char*>(take(pool, stream, 1234));
  expect_synchronized(stream);
  const auto a = attributes(memory + 1233);
  EXPECT_EQ(a.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(a.base, memory);
  EXPECT_EQ(a.size, 1234u);
  EXPECT_EQ(a.host_accessible, 0u);
  EXPECT_EQ(attributes(memory + 1234).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
}

TEST_F(DevicePools, IllegalCallsAreRefused) {
  const xhal_pool_t pool = create();
  const xhal_stream_t elsewhere = make_stream(machine.device(1));
  void* pointer = nullptr;
  EXPECT_EQ(call().pool_allocate(pool, elsewhere, 100, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().pool_allocate(pool, stream, 0, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().pool_allocate(pool, stream, 100, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().pool_free(pool, elsewhere, take(pool, stream, 100)), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().pool_get_info(pool, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().pool_create(device, nullptr, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  auto desc = sized<xhal_pool_desc_t>();
  desc.flags = 1;
  xhal_pool_t made = nullptr;
  EXPECT_EQ(call().pool_create(device, &desc, &made), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().pool_create(device, nullptr, &made), XHAL_SUCCESS);
  EXPECT_EQ(pointer, nullptr);
}

TEST_F(DevicePools, AfterAResetTheyCanOnlyBeDestroyed) {
  const xhal_pool_t pool = create();
  void* const memory = take(pool, stream, 100);
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
  const xhal_stream_t fresh = make_stream(device);
  void* pointer = nullptr;
  EXPECT_EQ(call().pool_allocate(pool, fresh, 100, &pointer), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().pool_free(pool, fresh, memory), XHAL_SUCCESS);
  EXPECT_EQ(call().pool_destroy(pool), XHAL_SUCCESS);
}

TEST_F(DevicePools, ThreadsShareAPool) {
  const xhal_pool_t pool = create(kMiB);
  std::vector<std::thread> threads;
  for (uint64_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      const xhal_stream_t own = make_stream(device);
      for (uint64_t i = 0; i < 200; ++i) {
        const uint64_t size = 1 + (t * 7919 + i * 104'729) % 50'000;
        void* const memory = take(pool, own, size);
        ASSERT_EQ(call().memory_fill(own, memory, t, 1, size), XHAL_SUCCESS);
        if (i % 8 == 0) {
          const auto bytes = read_back<uint8_t>(own, memory, size);
          ASSERT_EQ(std::count(bytes.begin(), bytes.end(), t), static_cast<std::ptrdiff_t>(size));
        }
        ASSERT_EQ(call().pool_free(pool, own, memory), XHAL_SUCCESS);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(info(pool).used_bytes, 0u);
}

}  // namespace
}  // namespace xhal::sim_test
