// SPDX-License-Identifier: Apache-2.0
// Several threads at once: in one instance, and in creating and destroying.
#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>

#include "fixture.hpp"

namespace xhal::test {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 300;

class ThreadTest : public HalTest {
 protected:
  // Runs `body(number)` on several threads that start together.
  template <class Body>
  static void on_threads(Body body) {
    std::latch start(kThreads);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        body(i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
};

TEST_F(ThreadTest, OneHandleIsStampedAndUsedByAll) {
  XHAL_CLAUSE("XHAL-ABI-15");
  const xhal_instance_t instance = create();
  const xhal_device_t device = this->device(instance);
  const xhal_driver_t driver = drivers(instance)[0];
  const uint32_t before = state(instance)->calls;
  on_threads([&](int) {
    for (int i = 0; i < kRounds; ++i) {
      uint32_t count = 0;
      xhal_device_t listed[2] = {};
      ASSERT_EQ(xhal_driver_get_devices(driver, 2, listed, &count), XHAL_SUCCESS);
      xhal_stream_t stream = nullptr;
      ASSERT_EQ(xhal_device_get_default_stream(listed[0], &stream), XHAL_SUCCESS);
      ASSERT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
      xhal_device_t same = nullptr;
      ASSERT_EQ(xhal_stream_get_device(stream, &same), XHAL_SUCCESS);
      ASSERT_EQ(same, device);
    }
  });
  // The last one is the question itself.
  EXPECT_EQ(state(instance)->calls - before, static_cast<uint32_t>(kThreads * kRounds * 4 + 1));
}

TEST_F(ThreadTest, ObjectsAreMadeUsedAndDestroyedByAll) {
  XHAL_CLAUSE("XHAL-ABI-15");
  const xhal_instance_t instance = create("fake", "first");
  const xhal_device_t device = this->device(instance);
  on_threads([&](int) {
    for (int i = 0; i < kRounds; ++i) {
      const xhal_stream_t stream = this->stream(device);
      const xhal_event_t event = this->event(device);
      ASSERT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
      ASSERT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
      ASSERT_EQ(xhal_event_record(event, stream, 0), XHAL_ERROR_INVALID_HANDLE);
      ASSERT_STREQ(last_error().entry, "xhal_event_record");
      ASSERT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
    }
  });
}

TEST_F(ThreadTest, InstancesAreCreatedAndDestroyedByAll) {
  XHAL_CLAUSE("XHAL-INSTANCE-7");
  on_threads([&](int number) {
    for (int i = 0; i < 20; ++i) {
      Description description(number % 2 == 0 ? "fake" : "other,fake", "first,second");
      xhal_instance_t instance = nullptr;
      ASSERT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_SUCCESS) << last_text();
      ASSERT_EQ(state(instance)->negotiations, 1u);
      ASSERT_EQ(xhal_stream_query(stream(device(instance))), XHAL_SUCCESS);
      ASSERT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    }
  });
}

TEST_F(ThreadTest, OfSeveralDestroysOneSucceeds) {
  XHAL_CLAUSE("XHAL-ABI-22");
  for (int round = 0; round < 20; ++round) {
    Description description;
    xhal_instance_t instance = nullptr;
    ASSERT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_SUCCESS);
    std::atomic<int> successes{0};
    std::atomic<int> refusals{0};
    on_threads([&](int) {
      const xhal_result_t result = xhal_instance_destroy(instance);
      (result == XHAL_SUCCESS ? successes : refusals).fetch_add(1);
      EXPECT_TRUE(result == XHAL_SUCCESS || result == XHAL_ERROR_INVALID_HANDLE);
    });
    EXPECT_EQ(successes.load(), 1);
    EXPECT_EQ(refusals.load(), kThreads - 1);
  }
}

TEST_F(ThreadTest, IdsAreNeverTheSame) {
  const xhal_instance_t instance = create();
  const xhal_host_services_t* services = state(instance)->services;
  std::vector<std::vector<uint64_t>> ids(kThreads);
  on_threads([&](int number) {
    for (int i = 0; i < kRounds; ++i) ids[static_cast<size_t>(number)].push_back(services->next_id());
  });
  std::vector<uint64_t> all;
  for (const auto& some : ids) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  EXPECT_NE(all.front(), 0u);
}

}  // namespace
}  // namespace xhal::test
