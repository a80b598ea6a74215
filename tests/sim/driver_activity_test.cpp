// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

constexpr uint32_t kEverything = (XHAL_ACTIVITY_ALLOCATION << 1) - 1;

struct Record : xhal_activity_record_t {
  std::string text;
};

// A subscription that gathers what it is given; ends with its scope.
class Watcher {
 public:
  Watcher(xhal_device_t device, uint32_t kinds, std::function<void()> during = {})
      : during_(std::move(during)) {
    auto desc = sized<xhal_activity_desc_t>();
    desc.kinds = kinds;
    desc.callback = &Watcher::gather;
    desc.user = this;
    EXPECT_EQ(call().activity_subscribe(device, &desc, &handle), XHAL_SUCCESS) << last_text;
  }
  ~Watcher() { end(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  void end() {
    if (handle == nullptr) return;
    EXPECT_EQ(call().activity_unsubscribe(std::exchange(handle, nullptr)), XHAL_SUCCESS) << last_text;
  }

  [[nodiscard]] std::vector<Record> records(uint32_t kinds = kEverything) const {
    const std::lock_guard lock(mutex_);
    std::vector<Record> found;
    std::ranges::copy_if(records_, std::back_inserter(found),
                         [&](const Record& record) { return (record.kind & kinds) != 0; });
    return found;
  }

  xhal_subscription_t handle = nullptr;

 private:
  static void gather(void* user, const xhal_activity_record_t* records, uint32_t count, uint32_t stride) {
    auto& self = *static_cast<Watcher*>(user);
    if (self.during_) self.during_();
    const std::lock_guard lock(self.mutex_);
    for (uint32_t i = 0; i < count; ++i) {
      const auto* record = reinterpret_cast<const xhal_activity_record_t*>(
          reinterpret_cast<const char*>(records) + size_t{stride} * i);
      EXPECT_EQ(record->struct_size, sizeof(*record));
      self.records_.push_back({*record, record->name});
    }
  }

  const std::function<void()> during_;
  mutable std::mutex mutex_;
  std::vector<Record> records_;
};

class Records : public testing::Test {
 protected:
  uint64_t id_of(xhal_stream_t on) {
    auto info = sized<xhal_stream_info_t>();
    EXPECT_EQ(call().stream_get_info(on, &info), XHAL_SUCCESS);
    return info.id;
  }
  void fill(xhal_stream_t on, int times = 1, size_t offset = 0) {
    for (int i = 0; i < times; ++i)
      ASSERT_EQ(call().memory_fill(on, static_cast<char*>(memory) + offset, 1, 1, 64), XHAL_SUCCESS)
          << last_text;
  }
  uint64_t exchange(xhal_driver_t driver, uint64_t id) {
    uint64_t former = 0;
    EXPECT_EQ(call().driver_exchange_correlation(driver, id, &former), XHAL_SUCCESS) << last_text;
    return former;
  }

  Machine machine;
  xhal_device_t device = machine.device();
  xhal_stream_t stream = make_stream(device);
  void* memory = allocate(device, 4096);
};

TEST_F(Records, AreDeliveredBeforeTheWorkCountsAsDone) {
  const Watcher watcher(device, XHAL_ACTIVITY_FILL);
  for (size_t round = 1; round <= 200; ++round) {
    fill(stream);
    expect_synchronized(stream);
    ASSERT_EQ(watcher.records().size(), round);
  }
}

TEST_F(Records, TellDirectionAndBytesOfEveryCopy) {
  const xhal_device_t other = machine.device(1);
  std::vector<char> pageable(4096);
  char* const pinned = static_cast<char*>(allocate(device, 4096, XHAL_MEMORY_PINNED));
  char* const second = static_cast<char*>(allocate(device, 4096));
  char* const far = static_cast<char*>(allocate(other, 4096));
  struct Way {
    void* to;
    const void* from;
    uint32_t direction;
  };
  const Way ways[] = {{memory, pageable.data(), XHAL_COPY_PAGEABLE_TO_DEVICE},
                      {pageable.data(), memory, XHAL_COPY_DEVICE_TO_PAGEABLE},
                      {memory, pinned, XHAL_COPY_PINNED_TO_DEVICE},
                      {pinned, memory, XHAL_COPY_DEVICE_TO_PINNED},
                      {second, memory, XHAL_COPY_DEVICE_TO_DEVICE},
                      {far, memory, XHAL_COPY_DEVICE_TO_PEER},
                      {pinned, pageable.data(), XHAL_COPY_HOST_TO_HOST}};
  const Watcher watcher(device, XHAL_ACTIVITY_COPY);
  uint64_t bytes = 100;
  for (const Way& way : ways) {
    ASSERT_EQ(call().memory_copy(stream, way.to, way.from, ++bytes), XHAL_SUCCESS) << last_text;
    auto region = sized<xhal_copy_region_t>();
    region.destination = way.to;
    region.source = way.from;
    region.destination_pitch = region.source_pitch = 64;
    region.extent[0] = 10;
    region.extent[1] = 3;
    region.extent[2] = 1;
    ASSERT_EQ(call().memory_copy_region(stream, &region), XHAL_SUCCESS) << last_text;
  }
  expect_synchronized(stream);
  const auto records = watcher.records();
  ASSERT_EQ(records.size(), 2 * std::size(ways));
  bytes = 100;
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].detail, ways[i / 2].direction) << i;
    EXPECT_EQ(records[i].bytes, i % 2 == 0 ? ++bytes : 30u) << i;
    EXPECT_EQ(records[i].stream_id, id_of(stream));
    EXPECT_EQ(records[i].text, "");
  }
}

TEST(RecordsOfCopies, ChangeNothingWhereAPageableSourceHasNoRoomToBeStaged) {
  const Machine machine("staging=4096");
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  std::vector<unsigned char> source(1u << 20, 7);
  void* const target = allocate(device, source.size());
  const Watcher watcher(device, XHAL_ACTIVITY_COPY);
  ASSERT_EQ(call().memory_copy(stream, target, source.data(), source.size()), XHAL_SUCCESS) << last_text;
  std::ranges::fill(source, static_cast<unsigned char>(9));  // it was taken at the call
  EXPECT_EQ(read_back<unsigned char>(stream, target, source.size()),
            std::vector<unsigned char>(source.size(), 7));
  Gate gate(stream);
  EXPECT_EQ(call().memory_copy(stream, target, source.data(), source.size()), XHAL_ERROR_OUT_OF_HOST_MEMORY)
      << "a busy stream has never taken it";
}

TEST_F(Records, GoToEverySubscriptionOfTheirKindAlone) {
  Watcher fills(device, XHAL_ACTIVITY_FILL);
  const Watcher all(device, kEverything);
  const Watcher elsewhere(machine.device(1), kEverything);
  fill(stream, 3);
  ASSERT_EQ(call().stream_host_function(
                stream, [](void*, xhal_result_t) {}, nullptr),
            XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_EQ(fills.records().size(), 3u);
  EXPECT_EQ(all.records().size(), 4u);
  EXPECT_EQ(all.records(XHAL_ACTIVITY_HOST_FUNCTION).size(), 1u);
  EXPECT_EQ(elsewhere.records().size(), 0u);
  fills.end();
  fill(stream);
  expect_synchronized(stream);
  EXPECT_EQ(fills.records().size(), 3u) << "after its end";
  EXPECT_EQ(all.records().size(), 5u);
}

TEST_F(Records, AnEndWaitsForTheCallbackAndAFlushNoLongerThanItMay) {
  std::atomic<bool> entered{false};
  std::atomic<bool> go_on{false};
  std::atomic<bool> left{false};
  Watcher watcher(device, XHAL_ACTIVITY_FILL, [&] {
    entered = true;
    entered.notify_all();
    go_on.wait(false);
    left = true;
  });
  fill(stream);
  entered.wait(false);
  EXPECT_EQ(call().activity_flush(watcher.handle, 0), XHAL_TIMEOUT);
  EXPECT_EQ(call().activity_flush(watcher.handle, 1'000'000), XHAL_TIMEOUT);
  EXPECT_EQ(call().stream_query(stream), XHAL_NOT_READY) << "not done before its record is delivered";
  std::thread ending([&] {
    watcher.end();
    EXPECT_TRUE(left) << "the end overtook a callback";
  });
  go_on = true;
  go_on.notify_all();
  ending.join();
  expect_synchronized(stream);
}

TEST_F(Records, CallsOfOneSubscriptionTakeTurns) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const Watcher watcher(device, XHAL_ACTIVITY_FILL, [&] {
    const int now = ++inside;
    most = std::max(most.load(), now);
    std::this_thread::yield();
    --inside;
  });
  std::vector<xhal_stream_t> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(make_stream(device));
  for (int round = 0; round < 50; ++round) {
    for (size_t i = 0; i < streams.size(); ++i) fill(streams[i], 1, i * 64);
  }
  for (const xhal_stream_t one : streams) expect_synchronized(one);
  EXPECT_EQ(watcher.records().size(), 200u);
  EXPECT_EQ(most, 1);
}

TEST_F(Records, ACallbackThatEndsItsSubscriptionIsRefused) {
  xhal_subscription_t mine = nullptr;
  std::atomic<xhal_result_t> ended{XHAL_SUCCESS};
  std::atomic<xhal_result_t> flushed{XHAL_SUCCESS};
  const Watcher watcher(device, XHAL_ACTIVITY_FILL, [&] {
    ended = call().activity_unsubscribe(mine);
    flushed = call().activity_flush(mine, XHAL_WAIT_FOREVER);
  });
  mine = watcher.handle;
  fill(stream);
  expect_synchronized(stream);
  EXPECT_EQ(ended, XHAL_ERROR_CALL_FORBIDDEN);
  EXPECT_EQ(flushed, XHAL_ERROR_CALL_FORBIDDEN);
  EXPECT_EQ(watcher.records().size(), 1u);
}

TEST_F(Records, NodesOfAGraphBelongToItsLaunch) {
  const xhal_kernel_t kernel = get_kernel(load_test_image(device), "empty");
  ASSERT_EQ(call().stream_begin_capture(stream, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS) << last_text;
  exchange(machine.handle, 1);  // of who captures: nobody asks for it
  fill(stream, 2);
  ASSERT_EQ(run(stream, kernel, {}, 1, 1, 55), XHAL_SUCCESS) << last_text;
  exchange(machine.handle, 0);
  xhal_graph_t graph = nullptr;
  ASSERT_EQ(call().stream_end_capture(stream, &graph), XHAL_SUCCESS) << last_text;
  xhal_graph_exec_t exec = nullptr;
  ASSERT_EQ(call().graph_instantiate(graph, 0, &exec), XHAL_SUCCESS) << last_text;
  const Watcher watcher(device, kEverything);
  exchange(machine.handle, 77);
  ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS) << last_text;
  exchange(machine.handle, 0);
  ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS) << last_text;
  expect_synchronized(stream);
  const auto graphs = watcher.records(XHAL_ACTIVITY_GRAPH);
  const auto fills = watcher.records(XHAL_ACTIVITY_FILL);
  const auto kernels = watcher.records(XHAL_ACTIVITY_KERNEL);
  ASSERT_EQ(graphs.size(), 2u);
  ASSERT_EQ(fills.size(), 4u);
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_NE(graphs[0].correlation_id, graphs[1].correlation_id);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(fills[i].correlation_id, graphs[i / 2].correlation_id);
    EXPECT_EQ(fills[i].external_correlation, i < 2 ? 77u : 0u);
    EXPECT_LE(graphs[i / 2].begin_ns, fills[i].begin_ns);
    EXPECT_LE(fills[i].end_ns, graphs[i / 2].end_ns);
  }
  EXPECT_EQ(kernels[0].external_correlation, 77u);
  EXPECT_EQ(kernels[1].external_correlation, 55u) << "the launch's own";
  EXPECT_EQ(kernels[0].text, "empty");
}

TEST_F(Records, ExternalCorrelationIsOfItsInstanceAndThread) {
  const Machine others[9];
  const xhal_stream_t foreign = make_stream(others[0].device());
  void* const there = allocate(others[0].device(), 64);
  const Watcher here(device, XHAL_ACTIVITY_FILL);
  const Watcher beside(others[0].device(), XHAL_ACTIVITY_FILL);
  EXPECT_EQ(exchange(machine.handle, 5), 0u);
  EXPECT_EQ(exchange(others[0].handle, 6), 0u);
  fill(stream);
  ASSERT_EQ(call().memory_fill(foreign, there, 1, 1, 64), XHAL_SUCCESS) << last_text;
  std::thread([&] {
    EXPECT_EQ(exchange(machine.handle, 0), 0u) << "another thread's";
    fill(stream);
  }).join();
  EXPECT_EQ(exchange(machine.handle, 0), 5u);
  EXPECT_EQ(exchange(others[0].handle, 0), 6u);
  fill(stream);
  expect_synchronized(stream);
  expect_synchronized(foreign);
  const auto records = here.records();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].external_correlation, 5u);
  EXPECT_EQ(records[1].external_correlation, 0u);
  EXPECT_EQ(records[2].external_correlation, 0u);
  ASSERT_EQ(beside.records().size(), 1u);
  EXPECT_EQ(beside.records()[0].external_correlation, 6u);

  uint64_t former = 0;
  for (size_t i = 0; i < 8; ++i) exchange(others[i].handle, i + 1);
  EXPECT_EQ(call().driver_exchange_correlation(others[8].handle, 9, &former), XHAL_ERROR_LIMIT_EXCEEDED);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(exchange(others[i].handle, 0), i + 1);
  EXPECT_EQ(exchange(others[8].handle, 9), 0u);
  EXPECT_EQ(exchange(others[8].handle, 0), 9u);
}

TEST_F(Records, AreOfWhatRanAlone) {
  const xhal_kernel_t trap = get_kernel(load_test_image(device), "trap");
  const Watcher watcher(device, kEverything);
  ASSERT_EQ(call().stream_host_function(
                stream, [](void*, xhal_result_t) {}, nullptr),
            XHAL_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(run(stream, trap, {value(uint64_t{0})}), XHAL_SUCCESS) << last_text;
    fill(stream, 3);
    ASSERT_EQ(call().stream_host_function(
                  stream, [](void*, xhal_result_t) {}, nullptr),
              XHAL_SUCCESS);
  }
  EXPECT_EQ(call().stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(watcher.records(XHAL_ACTIVITY_KERNEL).size(), 1u);
  EXPECT_EQ(watcher.records(XHAL_ACTIVITY_FILL).size(), 0u) << "dropped behind the failure";
  EXPECT_EQ(watcher.records(XHAL_ACTIVITY_HOST_FUNCTION).size(), 3u) << "those ran";
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS) << last_text;
  const xhal_stream_t next = make_stream(device);
  memory = allocate(device, 64);
  fill(next);
  expect_synchronized(next);
  EXPECT_EQ(watcher.records(XHAL_ACTIVITY_FILL).size(), 1u) << "a subscription outlives a reset";
}

TEST_F(Records, AWaitLastsAsLongAsItHolds) {
  const xhal_event_t event = make_event(device);
  const xhal_stream_t waiting = make_stream(device);
  const Watcher watcher(device, XHAL_ACTIVITY_WAIT | XHAL_ACTIVITY_HOST_FUNCTION | XHAL_ACTIVITY_FILL);
  {
    Gate gate(stream);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_wait_event(waiting, event, 0), XHAL_SUCCESS);
    fill(waiting);
  }
  expect_synchronized(waiting);
  const auto waits = watcher.records(XHAL_ACTIVITY_WAIT);
  const auto gates = watcher.records(XHAL_ACTIVITY_HOST_FUNCTION);
  const auto fills = watcher.records(XHAL_ACTIVITY_FILL);
  ASSERT_EQ(waits.size(), 1u);
  ASSERT_EQ(gates.size(), 1u);
  ASSERT_EQ(fills.size(), 1u);
  EXPECT_EQ(waits[0].stream_id, id_of(waiting));
  EXPECT_GE(waits[0].end_ns, gates[0].end_ns);
  EXPECT_LE(waits[0].end_ns, fills[0].begin_ns);
  const std::set<uint64_t> ids = {waits[0].correlation_id, gates[0].correlation_id, fills[0].correlation_id};
  EXPECT_EQ(ids.size(), 3u);
}

// Whoever is handed a record may be leaving, and others come, while the list of all is gone through.
TEST_F(Records, SubscriptionsComeAndGoWhileRecordsAreHandedOut) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!stop.load()) Watcher(device, kEverything).end();
    });
  }
  for (int round = 0; round < 200; ++round) {
    fill(stream, 20);
    expect_synchronized(stream);
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  const Watcher last(device, kEverything);
  fill(stream);
  expect_synchronized(stream);
  EXPECT_EQ(last.records().size(), 1u);
}

TEST_F(Records, SubscriptionsThatAreLeftEndWithTheirInstance) {
  Machine closing;
  const xhal_device_t there = closing.device();
  const xhal_stream_t busy = make_stream(there);
  void* const target = allocate(there, 64);
  std::atomic<int> calls{0};
  auto desc = sized<xhal_activity_desc_t>();
  desc.kinds = kEverything;
  desc.callback = [](void* user, const xhal_activity_record_t*, uint32_t, uint32_t) {
    ++*static_cast<std::atomic<int>*>(user);
  };
  desc.user = &calls;
  xhal_subscription_t left = nullptr;
  ASSERT_EQ(call().activity_subscribe(there, &desc, &left), XHAL_SUCCESS) << last_text;
  for (int i = 0; i < 100; ++i) ASSERT_EQ(call().memory_fill(busy, target, 1, 1, 64), XHAL_SUCCESS);
  closing.close();
  EXPECT_LE(calls, 100);
  EXPECT_EQ(reinterpret_cast<const xhal_handle_header_t*>(left)->object, nullptr);
}

}  // namespace
}  // namespace xhal::sim_test
