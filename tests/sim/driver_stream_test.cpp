// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

constexpr uint64_t kMoment = 2'000'000;  // how long a wait that must not succeed is given

TEST(SimStream, ANewOneIsEmptyAndTellsWhatItIs) {
  const Machine machine;
  const xhal_device_t device = machine.device(1);
  std::set<uint64_t> ids;
  for (int i = 0; i < 20; ++i) {
    const xhal_stream_t stream = make_stream(device);
    EXPECT_EQ(call().stream_query(stream), XHAL_SUCCESS);
    auto info = sized<xhal_stream_info_t>();
    ASSERT_EQ(call().stream_get_info(stream, &info), XHAL_SUCCESS);
    EXPECT_NE(info.id, 0u);
    EXPECT_TRUE(ids.insert(info.id).second);
    EXPECT_EQ(info.device_index, 1u);
    EXPECT_EQ(info.is_default, 0u);
    xhal_device_t owner = nullptr;
    EXPECT_EQ(call().stream_get_device(stream, &owner), XHAL_SUCCESS);
    EXPECT_EQ(owner, device);
    EXPECT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
  }
}

TEST(SimStream, DescriptionsThatItCannotKeepAreRefused) {
  const Machine machine;
  xhal_stream_t stream = nullptr;
  auto desc = sized<xhal_stream_desc_t>();
  for (const int32_t priority : {1, -3, INT32_MIN}) {
    desc.priority = priority;
    EXPECT_EQ(call().stream_create(machine.device(), &desc, &stream), XHAL_ERROR_INVALID_ARGUMENT);
  }
  desc = sized<xhal_stream_desc_t>();
  desc.flags = 1u << 31;
  EXPECT_EQ(call().stream_create(machine.device(), &desc, &stream), XHAL_ERROR_INVALID_ARGUMENT);
  desc.flags = 0;
  EXPECT_EQ(call().stream_create(machine.device(), &desc, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  desc.struct_size = 4;
  EXPECT_EQ(call().stream_create(machine.device(), &desc, &stream), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(stream, nullptr);
}

TEST(SimStream, TheDefaultOneIsAlwaysTheSameAndStays) {
  const Machine machine;
  xhal_stream_t first = nullptr;
  xhal_stream_t second = nullptr;
  ASSERT_EQ(call().device_get_default_stream(machine.device(), &first), XHAL_SUCCESS);
  ASSERT_EQ(call().device_get_default_stream(machine.device(), &second), XHAL_SUCCESS);
  EXPECT_EQ(first, second);
  EXPECT_EQ(call().stream_destroy(first), XHAL_ERROR_INVALID_ARGUMENT);
  auto info = sized<xhal_stream_info_t>();
  ASSERT_EQ(call().stream_get_info(first, &info), XHAL_SUCCESS);
  EXPECT_EQ(info.is_default, 1u);
  void* memory = allocate(machine.device(), 64);
  EXPECT_EQ(call().memory_fill(first, memory, 7, 1, 64), XHAL_SUCCESS);
  EXPECT_EQ(read_back<unsigned char>(first, memory, 64), std::vector<unsigned char>(64, 7));
}

TEST(SimStream, AHeldOneHoldsNobodyElse) {
  const Machine machine;
  const xhal_stream_t held = make_stream(machine.device());
  Gate gate(held);
  xhal_stream_t default_stream = nullptr;
  ASSERT_EQ(call().device_get_default_stream(machine.device(), &default_stream), XHAL_SUCCESS);
  for (const xhal_stream_t other :
       {make_stream(machine.device()), default_stream, make_stream(machine.device(1))}) {
    xhal_device_t device = nullptr;
    ASSERT_EQ(call().stream_get_device(other, &device), XHAL_SUCCESS);
    void* memory = allocate(device, 1000);
    EXPECT_EQ(call().memory_fill(other, memory, 5, 1, 1000), XHAL_SUCCESS);
    EXPECT_EQ(read_back<unsigned char>(other, memory, 1000), std::vector<unsigned char>(1000, 5));
  }
  EXPECT_EQ(call().stream_query(held), XHAL_NOT_READY);
  EXPECT_EQ(call().device_synchronize(machine.device(1), XHAL_WAIT_FOREVER), XHAL_SUCCESS);
}

TEST(SimStream, WaitsTimeOutAndChangeNothing) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  void* memory = allocate(machine.device(), 100);
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_fill(stream, memory, 3, 1, 100), XHAL_SUCCESS);
    for (const uint64_t timeout : {uint64_t{0}, uint64_t{1}, kMoment}) {
      EXPECT_EQ(call().stream_synchronize(stream, timeout), XHAL_TIMEOUT);
      EXPECT_EQ(call().device_synchronize(machine.device(), timeout), XHAL_TIMEOUT);
      EXPECT_EQ(call().stream_query(stream), XHAL_NOT_READY);
    }
  }
  EXPECT_EQ(call().stream_synchronize(stream, XHAL_WAIT_FOREVER - 1), XHAL_SUCCESS);
  EXPECT_EQ(call().device_synchronize(machine.device(), XHAL_WAIT_FOREVER - 7), XHAL_SUCCESS);
  EXPECT_EQ(read_back<unsigned char>(stream, memory, 100), std::vector<unsigned char>(100, 3));
}

// A wait that is longer than any clock must wait, not return at once.
TEST(SimStream, EndlessWaitsWait) {
  const Machine machine;
  for (const uint64_t timeout : {XHAL_WAIT_FOREVER, XHAL_WAIT_FOREVER - 1, UINT64_MAX / 2}) {
    const xhal_stream_t stream = make_stream(machine.device());
    Gate gate(stream);
    std::atomic<bool> returned{false};
    std::thread waiter([&] {
      EXPECT_EQ(call().stream_synchronize(stream, timeout), XHAL_SUCCESS);
      returned.store(true);
    });
    EXPECT_EQ(call().stream_synchronize(stream, kMoment), XHAL_TIMEOUT);
    EXPECT_FALSE(returned.load());
    gate.open();
    waiter.join();
  }
}

TEST(SimStream, DestroyedWithWorkItStillFinishes) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  auto* pinned = static_cast<unsigned char*>(allocate(machine.device(), 100, XHAL_MEMORY_PINNED));
  pinned[99] = 1;
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_fill(stream, pinned, 8, 1, 100), XHAL_SUCCESS);
    EXPECT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
    EXPECT_EQ(call().device_synchronize(machine.device(), kMoment), XHAL_TIMEOUT) << "still counts";
    EXPECT_EQ(pinned[99], 1);
  }
  EXPECT_EQ(call().device_synchronize(machine.device(), XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  EXPECT_EQ(pinned[99], 8);
}

struct Order {
  std::vector<int> numbers;
  static void add(void* user, xhal_result_t status) {
    auto& order = *static_cast<Order*>(user);
    EXPECT_EQ(status, XHAL_SUCCESS);
    order.numbers.push_back(static_cast<int>(order.numbers.size()));
  }
};

TEST(SimHostFunction, RunsOnceInItsTurn) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  auto* word = static_cast<std::atomic<int>*>(
      allocate(machine.device(), sizeof(std::atomic<int>), XHAL_MEMORY_PINNED));
  new (word) std::atomic<int>(0);
  struct Seen {
    std::atomic<int>* word;
    int before = -1;
    int calls = 0;
  } seen = {word};
  ASSERT_EQ(call().memory_fill(stream, word, 5, 4, 4), XHAL_SUCCESS);
  const auto function = [](void* user, xhal_result_t status) {
    auto& s = *static_cast<Seen*>(user);
    EXPECT_EQ(status, XHAL_SUCCESS);
    s.before = s.word->load();
    s.word->store(6);
    ++s.calls;
  };
  ASSERT_EQ(call().stream_host_function(stream, function, &seen), XHAL_SUCCESS);
  void* copy = allocate(machine.device(), 4);
  ASSERT_EQ(call().memory_copy(stream, copy, word, 4), XHAL_SUCCESS);
  EXPECT_EQ(read_back<int>(stream, copy, 1)[0], 6);
  EXPECT_EQ(seen.before, 5);
  EXPECT_EQ(seen.calls, 1);
  EXPECT_EQ(call().stream_host_function(stream, nullptr, &seen), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(SimHostFunction, MayOnlyAskWhateverItsOtherArguments) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  struct Inside {
    xhal_device_t device;
    xhal_stream_t stream;
    xhal_event_t event;
    xhal_driver_t driver;
    void* memory;
    xhal_kernel_t kernel;
    char* registered;
  };
  std::vector<char> host(2 * 4096);
  ASSERT_EQ(call().memory_register(machine.device(), host.data(), 4096, 0), XHAL_SUCCESS);
  Inside inside = {machine.device(),
                   stream,
                   make_event(machine.device()),
                   machine.handle,
                   allocate(machine.device(), 8),
                   get_kernel(load_test_image(machine.device()), "empty"),
                   host.data()};
  const auto function = [](void* user, xhal_result_t) {
    const auto& i = *static_cast<Inside*>(user);
    EXPECT_EQ(call().stream_synchronize(i.stream, 0), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().device_synchronize(i.device, XHAL_WAIT_FOREVER), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().event_synchronize(i.event, XHAL_WAIT_FOREVER), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().event_record(i.event, i.stream, 0), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().stream_wait_event(i.stream, i.event, 0), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().memory_copy(i.stream, i.memory, &user, 8), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().memory_fill(i.stream, i.memory, 0, 1, 8), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().stream_host_function(
                  i.stream, [](void*, xhal_result_t) {}, nullptr),
              XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(run(i.stream, i.kernel, {}), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().device_reset(i.device), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(driver().close(i.driver), XHAL_ERROR_CALL_FORBIDDEN);
    // What is wrong beside the thread.
    EXPECT_EQ(call().memory_allocate(i.device, nullptr, nullptr), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().memory_free(i.device, &user), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().memory_register(i.device, nullptr, 0, 7), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().memory_register(i.device, i.registered + 4096, 4096, 0), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().memory_unregister(i.device, i.registered), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().event_create(i.device, nullptr, nullptr), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().stream_create(i.device, nullptr, nullptr), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().module_load(i.device, nullptr, nullptr), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(call().stream_query(i.stream), XHAL_NOT_READY);
  };
  ASSERT_EQ(call().stream_host_function(stream, function, &inside), XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_EQ(call().memory_unregister(inside.device, host.data()), XHAL_SUCCESS) << "still registered";
  EXPECT_EQ(call().memory_unregister(inside.device, host.data() + 4096), XHAL_ERROR_INVALID_POINTER);
}

// A call of a feature that is not claimed stays UNSUPPORTED. [XHAL-ABI-12]
TEST(SimHostFunction, IsToldOfUnclaimedFeaturesAsAnyCallerIs) {
  const Machine machine("features=-register-kernel");
  const xhal_stream_t stream = make_stream(machine.device());
  xhal_device_t device = machine.device();
  const auto function = [](void* user, xhal_result_t) {
    const xhal_device_t d = *static_cast<xhal_device_t*>(user);
    EXPECT_EQ(call().memory_register(d, nullptr, 0, 0), XHAL_ERROR_UNSUPPORTED);
    EXPECT_EQ(call().memory_unregister(d, nullptr), XHAL_ERROR_UNSUPPORTED);
    EXPECT_EQ(call().module_load(d, nullptr, nullptr), XHAL_ERROR_UNSUPPORTED);
  };
  ASSERT_EQ(call().stream_host_function(stream, function, &device), XHAL_SUCCESS);
  expect_synchronized(stream);
}

TEST(SimStream, ManyComeAndGoWithoutUsingUpThreads) {
  const Machine machine;
  Order order;
  for (int i = 0; i < 3000; ++i) {
    const xhal_stream_t stream = make_stream(machine.device());
    if (i % 10 == 0) {
      ASSERT_EQ(call().stream_host_function(stream, &Order::add, &order), XHAL_SUCCESS) << last_text;
      expect_synchronized(stream);
    }
    ASSERT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
  }
  EXPECT_EQ(order.numbers.size(), 300u);
}

}  // namespace
}  // namespace xhal::sim_test
