// SPDX-License-Identifier: Apache-2.0
// What a forked child may do.
#include <atomic>
#include <thread>

#include "fixture.hpp"

namespace xhal::test {
namespace {

class ForkTest : public HalTest {
 protected:
  static void activate(xhal_instance_t instance) {
    void* pointer = nullptr;
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    ASSERT_EQ(xhal_memory_allocate(device(instance), &desc, &pointer), XHAL_SUCCESS);
  }
};

TEST_F(ForkTest, EveryCallOnAnActiveInstanceIsRefused) {
  XHAL_CLAUSE("XHAL-ABI-23");
  const xhal_instance_t instance = create("fake,other", "first");
  const xhal_driver_t driver = drivers(instance)[1];
  const xhal_device_t device = this->device(instance);
  const xhal_device_t of_other = this->device(instance, 2);
  const xhal_stream_t stream = this->stream(device);
  const xhal_event_t event = this->event(device);
  const fake_layer_state_t* layer = layer_state(instance, "first");
  activate(instance);
  in_child([&] {
    EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_FORKED);
    EXPECT_STREQ(last_error().entry, "xhal_stream_query");
    EXPECT_NE(last_text().find("create a new instance"), std::string::npos);
    EXPECT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_stream_destroy(stream), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_event_destroy(event), XHAL_ERROR_FORKED);
    xhal_stream_t made = nullptr;
    EXPECT_EQ(xhal_stream_create(device, nullptr, &made), XHAL_ERROR_FORKED);
    // One active driver takes the whole instance with it.
    EXPECT_EQ(xhal_stream_create(of_other, nullptr, &made), XHAL_ERROR_FORKED);
    uint32_t count = 7;
    EXPECT_EQ(xhal_driver_get_devices(driver, 0, nullptr, &count), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_instance_get_devices(instance, 0, nullptr, &count), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_instance_get_drivers(instance, 0, nullptr, &count), XHAL_ERROR_FORKED);
    EXPECT_EQ(count, 7u);
    xhal_pointer_attributes_t attributes{};
    attributes.struct_size = sizeof(attributes);
    EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, &count, &attributes, nullptr),
              XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_FORKED);
    EXPECT_EQ(layer->queries, 0u) << "a refused call must not reach a layer";
  });
  // The parent goes on.
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
}

TEST_F(ForkTest, ForkedWinsOverOtherRefusals) {
  XHAL_CLAUSE("XHAL-ABI-23");
  const xhal_instance_t active = create();
  const xhal_instance_t quiet = create();
  const xhal_stream_t stream = this->stream(device(active));
  const xhal_event_t event = this->event(device(active));
  const xhal_event_t quiet_event = this->event(device(quiet));
  const xhal_stream_t quiet_stream = this->stream(device(quiet));
  activate(active);
  in_child([&] {
    EXPECT_EQ(xhal_event_record(nullptr, stream, 0), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_event_record(event, nullptr, 0), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_event_record(quiet_event, stream, 0), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_event_record(event, quiet_stream, 0), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_event_record(reinterpret_cast<xhal_event_t>(stream), stream, 0), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_stream_query(reinterpret_cast<xhal_stream_t>(event)), XHAL_ERROR_FORKED);
    EXPECT_EQ(xhal_event_record(quiet_event, quiet_stream, 0), XHAL_SUCCESS);
  });
}

TEST_F(ForkTest, AnInstanceThatWasOnlyAskedWorksOn) {
  XHAL_CLAUSE("XHAL-ABI-24");
  const xhal_instance_t instance = create("fake", "first");
  ASSERT_EQ(devices(instance).size(), 2u);
  in_child([&] {
    EXPECT_EQ(devices(instance).size(), 2u);
    const xhal_stream_t stream = this->stream(device(instance));
    EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
    activate(instance);
    EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS) << "active in this process itself";
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
  });
  EXPECT_EQ(devices(instance).size(), 2u);
}

TEST_F(ForkTest, ADriverThatIsActiveFromItsOpenIsRefusedFromTheStart) {
  XHAL_CLAUSE("XHAL-ABI-23");
  const xhal_instance_t instance = create(Description().option("fake", "activate", "open"));
  const xhal_device_t device = this->device(instance);
  in_child([&] {
    xhal_stream_t stream = nullptr;
    EXPECT_EQ(xhal_stream_create(device, nullptr, &stream), XHAL_ERROR_FORKED);
  });
}

TEST_F(ForkTest, AChildMakesInstancesOfItsOwn) {
  XHAL_CLAUSE("XHAL-ABI-23");
  const xhal_instance_t instance = create();
  const xhal_stream_t stream = this->stream(device(instance));
  activate(instance);
  in_child([&] {
    const xhal_instance_t fresh = create("fake,other", "first");
    ASSERT_EQ(devices(fresh).size(), 4u);
    EXPECT_EQ(xhal_stream_query(this->stream(device(fresh))), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_FORKED);
    activate(fresh);
    const xhal_stream_t of_fresh = this->stream(device(fresh));
    in_child([&] {
      EXPECT_EQ(xhal_stream_query(of_fresh), XHAL_ERROR_FORKED);
      EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_FORKED);
    });
    EXPECT_EQ(xhal_instance_destroy(fresh), XHAL_SUCCESS);
  });
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
}

TEST_F(ForkTest, WhatWasDestroyedBeforeStaysInvalid) {
  const xhal_instance_t instance = create();
  const xhal_stream_t stream = this->stream(device(instance));
  activate(instance);
  ASSERT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  in_child([&] {
    EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_INVALID_HANDLE);
  });
}

// The locks of the sanitizers' own runtimes (gcc 12: ASan's allocator, TSan's thread registry) do not survive the fork of a process whose
// other threads allocate: there the child hangs in malloc, whatever libxhal does.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define HAL_TEST_FORK_NEEDS_ONE_THREAD
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define HAL_TEST_FORK_NEEDS_ONE_THREAD
#endif

#if !defined(HAL_TEST_FORK_NEEDS_ONE_THREAD)
// Another thread creates and destroys all the time: whenever the fork comes, the child's locks are free.
TEST_F(ForkTest, AForkAmidCreationsOfAnotherThreadLeavesTheChildUsable) {
  XHAL_CLAUSE("XHAL-ABI-23");
  create();  // the library is loaded: the dynamic linker's lock is not what this test is about
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop.load()) {
      Description description("fake", "");
      xhal_instance_t instance = nullptr;
      ASSERT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_SUCCESS);
      ASSERT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    }
  });
  for (int i = 0; i < 30; ++i) {
    in_child([&] {
      Description description("fake", "");
      xhal_instance_t instance = nullptr;
      EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_SUCCESS);
      EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    });
  }
  stop.store(true);
  other.join();
}

// The gated driver's negotiation waits for a byte. Meanwhile this thread forks: the child must not wait for a thread that it has not.
TEST_F(ForkTest, AForkAmidANegotiationLeavesTheChildUsable) {
  int gate[2] = {};
  int reached[2] = {};
  ASSERT_EQ(pipe(gate), 0);
  ASSERT_EQ(pipe(reached), 0);
  setenv("FAKE_REACHED", std::to_string(reached[1]).c_str(), 1);
  setenv("FAKE_GATE", std::to_string(gate[0]).c_str(), 1);
  setenv("XHAL_DRIVER_PATH", drivers_of("gated").c_str(), 1);
  const auto negotiate = [] {
    Description description("gated");
    xhal_instance_t instance = nullptr;
    EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_SUCCESS) << last_text();
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  };
  std::thread first(negotiate);
  std::thread second(negotiate);  // waits for the first one's negotiation, or is the one that negotiates
  char byte = 0;
  ASSERT_EQ(read(reached[0], &byte, 1), 1);
  in_child([&] {
    unsetenv("FAKE_GATE");
    negotiate();
  });
  ASSERT_EQ(write(gate[1], "x", 1), 1);
  first.join();
  second.join();
  for (const int end : {gate[0], gate[1], reached[0], reached[1]}) close(end);
}
#endif

}  // namespace
}  // namespace xhal::test
