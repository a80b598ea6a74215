// SPDX-License-Identifier: Apache-2.0
// What the examples' driver does while another thread is inside it, and when memory runs out: the suite's tests are of one thread, and
// whoever starts a driver from the example inherits its answers.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <future>
#include <thread>
#include <vector>

#include "xhal/xhal.h"

extern "C" void* __libc_malloc(size_t size);  // NOLINT(readability-identifier-naming): glibc's name

namespace {
// How many allocations of this thread succeed before one fails; none fails below 0.
thread_local int allocations_left = -1;
}  // namespace

// In the program, so that every library's allocations come here.
extern "C" __attribute__((visibility("default"))) void* malloc(size_t size) {
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  return __libc_malloc(size);
}

namespace {

class MinimalDriver : public testing::Test {
 protected:
  MinimalDriver() {
    const char* path = XHAL_MINIMAL_MANIFEST;
    xhal_instance_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.driver_paths = &path;
    desc.driver_path_count = 1;
    desc.drivers = "";
    desc.layers = "";
    EXPECT_EQ(xhal_instance_create(&desc, &instance_), XHAL_SUCCESS);
    xhal_driver_t driver = nullptr;
    uint32_t count = 0;
    EXPECT_EQ(xhal_instance_get_drivers(instance_, 1, &driver, &count), XHAL_SUCCESS);
    EXPECT_EQ(xhal_driver_get_devices(driver, 1, &device_, &count), XHAL_SUCCESS);
  }
  ~MinimalDriver() override {
    if (instance_ != nullptr) xhal_instance_destroy(instance_);
  }

  [[nodiscard]] xhal_stream_t make_stream() const {
    xhal_stream_t stream = nullptr;
    EXPECT_EQ(xhal_stream_create(device_, nullptr, &stream), XHAL_SUCCESS);
    return stream;
  }
  [[nodiscard]] unsigned char* allocate(uint64_t size) const {
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_DEVICE;
    desc.size = size;
    void* pointer = nullptr;
    EXPECT_EQ(xhal_memory_allocate(device_, &desc, &pointer), XHAL_SUCCESS);
    return static_cast<unsigned char*>(pointer);
  }
  [[nodiscard]] uint64_t free_bytes() const {
    xhal_memory_info_t info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(xhal_device_get_memory_info(device_, &info), XHAL_SUCCESS);
    return info.free_bytes;
  }

  xhal_instance_t instance_ = nullptr;
  xhal_device_t device_ = nullptr;
};

// Another thread inside a host function of a stream, until it is released.
class Holder {
 public:
  explicit Holder(xhal_stream_t stream)
      : thread_([this, stream] { result_ = xhal_stream_host_function(stream, hold, this); }) {
    inside_.get_future().wait();
  }
  ~Holder() { release(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  xhal_result_t release() {
    if (thread_.joinable()) {
      released_.set_value();
      thread_.join();
    }
    return result_;
  }

 private:
  static void hold(void* user, xhal_result_t) {
    auto* self = static_cast<Holder*>(user);
    self->inside_.set_value();
    self->released_.get_future().wait();
  }

  std::promise<void> inside_;
  std::promise<void> released_;
  xhal_result_t result_ = XHAL_ERROR_UNKNOWN;
  std::thread thread_;
};

TEST_F(MinimalDriver, ADeviceWideWaitKeepsNobodyElseWaiting) {
  xhal_stream_t held = make_stream();
  std::promise<void> about_to_wait;
  std::jthread waiter;  // before the holder: on every way out it is joined when that has let go
  Holder holder(held);
  waiter = std::jthread([&] {
    about_to_wait.set_value();
    EXPECT_EQ(xhal_device_synchronize(device_, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  });
  about_to_wait.get_future().wait();
  // Often enough for the waiter to have begun; a driver that waits with its lock held never comes back from one of these.
  for (int i = 0; i < 20'000; ++i) {
    xhal_stream_t stream = make_stream();
    xhal_event_t event = nullptr;
    ASSERT_EQ(xhal_event_create(device_, nullptr, &event), XHAL_SUCCESS);
    ASSERT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
    ASSERT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
    ASSERT_EQ(xhal_memory_free(device_, allocate(64)), XHAL_SUCCESS);
  }
  EXPECT_EQ(xhal_device_synchronize(device_, 0), XHAL_TIMEOUT);
  EXPECT_EQ(holder.release(), XHAL_SUCCESS);
  waiter.join();
}

// [XHAL-STREAM-6]
TEST_F(MinimalDriver, AStreamIsDestroyedUnderItsHostFunction) {
  xhal_stream_t held = make_stream();
  Holder holder(held);
  EXPECT_EQ(xhal_stream_query(held), XHAL_NOT_READY);
  EXPECT_EQ(xhal_stream_synchronize(held, 0), XHAL_TIMEOUT);
  EXPECT_EQ(xhal_stream_destroy(held), XHAL_SUCCESS);
  std::vector<xhal_stream_t> others;  // in the memory of the one that went, if it did
  for (int i = 0; i < 64; ++i) others.push_back(make_stream());
  // Its work still counts.
  EXPECT_EQ(xhal_device_synchronize(device_, 0), XHAL_TIMEOUT);
  for (xhal_stream_t other : others) EXPECT_EQ(xhal_stream_query(other), XHAL_SUCCESS);
  EXPECT_EQ(holder.release(), XHAL_SUCCESS);
  EXPECT_EQ(xhal_device_synchronize(device_, 0), XHAL_SUCCESS);
}

// [XHAL-MEMORY-6]
TEST_F(MinimalDriver, FreedMemoryIsKeptForWhatWasSubmittedBefore) {
  const uint64_t all = free_bytes();
  unsigned char* memory = allocate(1 << 20);
  xhal_stream_t held = make_stream();
  Holder holder(held);
  EXPECT_EQ(xhal_memory_free(device_, memory), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_free(device_, memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_LT(free_bytes(), all);
  EXPECT_EQ(holder.release(), XHAL_SUCCESS);
  EXPECT_EQ(free_bytes(), all);
}

// [XHAL-INSTANCE-8]
TEST_F(MinimalDriver, TheInstanceWaitsForWhoIsStillInside) {
  xhal_stream_t held = make_stream();
  Holder holder(held);
  std::atomic<bool> destroyed{false};
  std::thread destroyer([&] {
    EXPECT_EQ(xhal_instance_destroy(instance_), XHAL_SUCCESS);
    destroyed = true;
  });
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(destroyed);
    std::this_thread::yield();
  }
  EXPECT_EQ(holder.release(), XHAL_SUCCESS);
  destroyer.join();
  instance_ = nullptr;
}

struct Answers {
  xhal_device_t device;
  xhal_stream_t stream;
  xhal_event_t event;
  void* memory;
  std::vector<std::pair<const char*, xhal_result_t>> got;
};

// [XHAL-HOSTFN-5]
TEST_F(MinimalDriver, AHostFunctionMayOnlyAsk) {
  Answers answers{device_, make_stream(), nullptr, allocate(64), {}};
  ASSERT_EQ(xhal_event_create(device_, nullptr, &answers.event), XHAL_SUCCESS);
  const auto ask = [](void* user, xhal_result_t) {
    auto& a = *static_cast<Answers*>(user);
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_DEVICE;
    desc.size = 64;
    xhal_stream_t stream = nullptr;
    xhal_event_t event = nullptr;
    void* memory = nullptr;
    a.got = {{"stream_create", xhal_stream_create(a.device, nullptr, &stream)},
             {"stream_destroy", xhal_stream_destroy(a.stream)},
             {"event_create", xhal_event_create(a.device, nullptr, &event)},
             {"event_destroy", xhal_event_destroy(a.event)},
             {"event_record", xhal_event_record(a.event, a.stream, 0)},
             {"event_synchronize", xhal_event_synchronize(a.event, 0)},
             {"memory_allocate", xhal_memory_allocate(a.device, &desc, &memory)},
             {"memory_free", xhal_memory_free(a.device, a.memory)},
             {"memory_fill", xhal_memory_fill(a.stream, a.memory, 7, 1, 64)},
             {"memory_fill of nothing", xhal_memory_fill(a.stream, a.memory, 7, 1, 0)},
             {"memory_copy", xhal_memory_copy(a.stream, a.memory, a.memory, 0)},
             {"stream_synchronize", xhal_stream_synchronize(a.stream, 0)},
             {"stream_wait_event", xhal_stream_wait_event(a.stream, a.event, 0)},
             {"device_synchronize", xhal_device_synchronize(a.device, 0)},
             {"device_reset", xhal_device_reset(a.device)}};
    EXPECT_EQ(stream, nullptr);
    EXPECT_EQ(event, nullptr);
    EXPECT_EQ(memory, nullptr);
  };
  const uint64_t before = free_bytes();
  ASSERT_EQ(xhal_stream_host_function(answers.stream, ask, &answers), XHAL_SUCCESS);
  EXPECT_EQ(answers.got.size(), 15U);
  for (const auto& [call, result] : answers.got) EXPECT_EQ(result, XHAL_ERROR_CALL_FORBIDDEN) << call;
  EXPECT_EQ(free_bytes(), before);
  EXPECT_EQ(xhal_event_query(answers.event), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(answers.stream), XHAL_SUCCESS);
}

// Each allocation on the way fails once. [XHAL-ERROR-1]
TEST_F(MinimalDriver, MemoryThatRunsOutIsAnAnswer) {
  xhal_stream_t stream = make_stream();
  unsigned char* memory = allocate(64);
  const uint64_t before = free_bytes();
  int refused = 0;
  for (int left = 0; left < 16; ++left) {
    xhal_stream_t new_stream = nullptr;
    xhal_event_t new_event = nullptr;
    void* new_memory = nullptr;
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_DEVICE;
    desc.size = 64;
    const auto starved = [left](auto call) {
      allocations_left = left;
      const xhal_result_t result = call();
      allocations_left = -1;
      return result;
    };
    const std::array<xhal_result_t, 4> results = {
        starved([&] { return xhal_stream_create(device_, nullptr, &new_stream); }),
        starved([&] { return xhal_event_create(device_, nullptr, &new_event); }),
        starved([&] { return xhal_memory_allocate(device_, &desc, &new_memory); }),
        starved([&] { return xhal_memory_fill(stream, memory, 7, 1, 64); })};
    for (const xhal_result_t result : results) {
      EXPECT_TRUE(result == XHAL_SUCCESS || result == XHAL_ERROR_OUT_OF_HOST_MEMORY) << result;
      refused += result == XHAL_ERROR_OUT_OF_HOST_MEMORY ? 1 : 0;
    }
    EXPECT_EQ(new_stream != nullptr, results[0] == XHAL_SUCCESS);
    EXPECT_EQ(new_event != nullptr, results[1] == XHAL_SUCCESS);
    EXPECT_EQ(new_memory != nullptr, results[2] == XHAL_SUCCESS);
    if (new_stream != nullptr) {
      EXPECT_EQ(xhal_stream_destroy(new_stream), XHAL_SUCCESS);
    }
    if (new_event != nullptr) {
      EXPECT_EQ(xhal_event_destroy(new_event), XHAL_SUCCESS);
    }
    EXPECT_EQ(xhal_memory_free(device_, new_memory), XHAL_SUCCESS);
    EXPECT_EQ(free_bytes(), before);
  }
  EXPECT_GE(refused, 4);
  EXPECT_EQ(xhal_device_synchronize(device_, 0), XHAL_SUCCESS);
}

}  // namespace
