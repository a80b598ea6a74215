// SPDX-License-Identifier: Apache-2.0
// Closing, leaving the process and forking with work in flight.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "harness.hpp"
#include "xhal/ext/lose_device.h"

namespace xhal::sim_test {
namespace {

struct Told {
  std::atomic<int> cancelled{0};
  std::atomic<int> others{0};
  static void note(void* user, xhal_result_t status) {
    auto& told = *static_cast<Told*>(user);
    (status == XHAL_ERROR_CANCELLED ? told.cancelled : told.others).fetch_add(1);
  }
};

// Holds a stream with a kernel that spins for ever; only being told to return ends it.
void spin_for_ever(xhal_device_t device, xhal_stream_t stream) {
  auto* words = static_cast<uint32_t*>(allocate(device, 8, XHAL_MEMORY_PINNED));
  std::atomic_ref<uint32_t>(words[0]).store(0);
  std::atomic_ref<uint32_t>(words[1]).store(0);
  const uint32_t never = 1;
  EXPECT_EQ(run(stream, get_kernel(load_test_image(device), "gate"),
                {memory(words), value(never), memory(words + 1)}),
            XHAL_SUCCESS);
  while (std::atomic_ref<uint32_t>(words[1]).load() == 0) std::this_thread::yield();
}

TEST(SimLife, ClosingDropsWhatHasNotRunAndTellsEveryHostFunction) {
  Told told;
  Machine machine;
  for (uint32_t d = 0; d < 2; ++d) {
    const xhal_device_t device = machine.device(d);
    const xhal_stream_t stream = make_stream(device);
    const xhal_stream_t waiting = make_stream(device);
    const xhal_stream_t destroyed = make_stream(device);
    xhal_stream_t default_stream = nullptr;
    ASSERT_EQ(call().device_get_default_stream(device, &default_stream), XHAL_SUCCESS);
    spin_for_ever(device, stream);
    const xhal_event_t event = make_event(device);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    for (const xhal_stream_t other : {waiting, destroyed, default_stream}) {
      ASSERT_EQ(call().stream_wait_event(other, event, 0), XHAL_SUCCESS);
      ASSERT_EQ(call().stream_host_function(other, &Told::note, &told), XHAL_SUCCESS);
    }
    void* memory = allocate(device, 64);
    ASSERT_EQ(call().memory_fill(waiting, memory, 1, 1, 64), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_host_function(stream, &Told::note, &told), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_destroy(destroyed), XHAL_SUCCESS);
  }
  machine.close();
  EXPECT_EQ(told.cancelled.load(), 8);
  EXPECT_EQ(told.others.load(), 0);
}

TEST(SimLife, ClosingWaitsForAHostFunctionThatRuns) {
  Machine machine;
  struct Slow {
    std::atomic<bool> entered{false};
    std::atomic<bool> open{false};
    std::atomic<bool> left{false};
  } slow;
  const auto function = [](void* user, xhal_result_t) {
    auto& s = *static_cast<Slow*>(user);
    s.entered.store(true);
    s.open.wait(false);
    s.left.store(true);
  };
  ASSERT_EQ(call().stream_host_function(make_stream(machine.device()), function, &slow), XHAL_SUCCESS);
  while (!slow.entered.load()) std::this_thread::yield();
  std::thread closer([&] {
    machine.close();
    EXPECT_TRUE(slow.left.load()) << "closed while the application's function ran";
  });
  slow.open.store(true);
  slow.open.notify_all();
  closer.join();
}

TEST(SimLife, ANewInstanceGetsAllTheMemoryAndTheAddressesAgain) {
  for (int i = 0; i < 200; ++i) {
    Machine machine("memory=16g");  // four of these fill the process's range of addresses
    const xhal_device_t device = machine.device();
    void* all = nullptr;
    auto desc = sized<xhal_memory_desc_t>();
    desc.kind = XHAL_MEMORY_DEVICE;
    desc.size = uint64_t{16} << 30;
    ASSERT_EQ(call().memory_allocate(device, &desc, &all), XHAL_SUCCESS) << last_text;
    ASSERT_EQ(call().memory_fill(make_stream(device), all, 1, 1, 4096), XHAL_SUCCESS);
  }
}

// In a process of its own: what is used first makes the process's range of addresses.
TEST(SimLife, TheLargestDevicesAllHaveAddresses) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer leaves a process too few addresses";
#endif
  const auto use_all = [](const std::string& options, uint32_t devices) {
    const Machine machine(options);
    const Machine second(options);
    const Machine third(options);
    for (const Machine* const one : {&machine, &second, &third}) {
      for (uint32_t i = 0; i < devices; ++i) allocate(one->device(i), 4096);
      allocate(one->device(), 1 << 20, XHAL_MEMORY_PINNED);
      allocate(one->device(), 1 << 20, XHAL_MEMORY_MANAGED);
    }
    auto* const whole = static_cast<char*>(allocate(machine.device(1), uint64_t{30} << 30));
    const xhal_stream_t stream = make_stream(machine.device(1));
    char* const last = whole + (uint64_t{30} << 30) - 1;
    EXPECT_EQ(call().memory_fill(stream, last, 7, 1, 1), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(read_back<char>(stream, last, 1).front(), 7);
    void* reserved = nullptr;
    EXPECT_EQ(call().vmm_reserve(machine.device(), uint64_t{16} << 30, 0, nullptr, &reserved), XHAL_SUCCESS)
        << last_text;
    std::exit(testing::Test::HasFailure() ? 1 : 42);
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(use_all("memory=64g", 2), testing::ExitedWithCode(42), "");
  EXPECT_EXIT(use_all("memory=32g,devices=4", 4), testing::ExitedWithCode(42), "");
  EXPECT_EXIT(use_all("memory=64g,devices=64", 64), testing::ExitedWithCode(42), "");
}

TEST(SimLife, InstancesGoWithoutTouchingEachOther) {
  const Machine stays;
  const xhal_stream_t stream = make_stream(stays.device());
  void* memory = allocate(stays.device(), 64);
  {
    Machine goes;
    spin_for_ever(goes.device(), make_stream(goes.device()));
    ASSERT_EQ(call().memory_fill(stream, memory, 5, 1, 64), XHAL_SUCCESS);
  }
  EXPECT_EQ(read_back<unsigned char>(stream, memory, 64), std::vector<unsigned char>(64, 5));
}

uint64_t threads_of_process() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Threads:", 0) == 0) return std::stoull(line.substr(8));
  }
  return 0;
}

TEST(SimLife, NoThreadIsStartedBeforeTheFirstWorkAndNoneIsLeft) {
  std::thread([] {}).join();  // a sanitizer may start a thread of its own with the first
  const uint64_t before = threads_of_process();
  Machine machine;
  std::vector<xhal_stream_t> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(make_stream(machine.device()));
  allocate(machine.device(), 100);
  EXPECT_EQ(threads_of_process(), before);
  {
    // Each held stream has a worker to itself.
    std::vector<std::unique_ptr<Gate>> gates;
    for (const xhal_stream_t stream : streams) gates.push_back(std::make_unique<Gate>(stream));
    for (const auto& gate : gates) gate->wait_until_entered();
    EXPECT_GE(threads_of_process(), before + streams.size());
  }
  EXPECT_EQ(call().device_synchronize(machine.device(), XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  machine.close();
  EXPECT_EQ(threads_of_process(), before);
}

int exit_status_of_child(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    work();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

xhal_result_t lose(const Machine& machine) {
  const void* table = nullptr;
  EXPECT_EQ(
      call().driver_get_extension(machine.handle, XHAL_LOSE_DEVICE_NAME, XHAL_LOSE_DEVICE_VERSION, &table),
      XHAL_SUCCESS);
  return static_cast<const xhal_lose_device_t*>(table)->lose(machine.device());
}

TEST(SimLife, AChildMakesItsOwnInstanceWhileTheParentWorks) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer starts no thread in the child of a process with threads";
#elif defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer's allocator, unlike libc's, may be locked for ever in the child";
#endif
  const Machine parent;
  const xhal_device_t device = parent.device();
  const xhal_stream_t stream = make_stream(device);
  void* memory = allocate(device, 4096);
  ASSERT_EQ(call().memory_fill(stream, memory, 1, 1, 4096), XHAL_SUCCESS);
  std::atomic<bool> stop{false};
  // Keeps the process's locks busy so that some fork meets them taken.
  std::thread busy([&] {
    while (!stop.load()) {
      Machine short_lived;
      allocate(short_lived.device(), 100);
    }
  });
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(exit_status_of_child([&] {
                const Machine own;
                const xhal_stream_t own_stream = make_stream(own.device());
                void* own_memory = allocate(own.device(), 4096);
                EXPECT_NE(own_memory, memory);
                EXPECT_EQ(call().memory_fill(own_stream, own_memory, 2, 1, 4096), XHAL_SUCCESS);
                EXPECT_EQ(read_back<unsigned char>(own_stream, own_memory, 4096),
                          std::vector<unsigned char>(4096, 2));
                EXPECT_EQ(lose(parent), XHAL_ERROR_INVALID_HANDLE) << "it did not come along";
                EXPECT_EQ(lose(own), XHAL_SUCCESS);
              }),
              0);
  }
  stop.store(true);
  busy.join();
  EXPECT_EQ(read_back<unsigned char>(stream, memory, 4096), std::vector<unsigned char>(4096, 1));
}

// A file in memory lives as long as some process has it open.
TEST(SimLife, AChildHoldsNoneOfTheParentsFilesOpen) {
  const Machine parent;
  const xhal_device_t device = parent.device();
  for (const uint32_t kind : {XHAL_MEMORY_DEVICE, XHAL_MEMORY_PINNED, XHAL_MEMORY_MANAGED})
    allocate(device, 4096, kind);
  load_test_image(device);
  // Looks without allocating, which not every child may.
  const auto count = [] {
    int files = 0;
    for (int fd = 0; fd < 1024; ++fd) {
      char path[64];
      char target[256] = {};
      std::snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
      if (readlink(path, target, sizeof(target) - 1) > 0 && std::strstr(target, "xhal-sim") != nullptr)
        ++files;
    }
    return files;
  };
  EXPECT_EQ(count(), 3) << "a device's memory, pinned memory and an image";
  const pid_t child = fork();
  if (child == 0) _exit(count());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(count(), 3);
}

TEST(SimLife, AnInstanceThatOnlyLookedAroundWorksInTheChild) {
  const Machine machine;
  auto properties = sized<xhal_device_properties_t>();
  ASSERT_EQ(call().device_get_properties(machine.device(), &properties), XHAL_SUCCESS);
  EXPECT_EQ(exit_status_of_child([&] {
              const xhal_stream_t stream = make_stream(machine.device());
              void* memory = allocate(machine.device(), 64);
              EXPECT_EQ(call().memory_fill(stream, memory, 2, 1, 64), XHAL_SUCCESS);
              EXPECT_EQ(read_back<unsigned char>(stream, memory, 64), std::vector<unsigned char>(64, 2));
              EXPECT_EQ(lose(machine), XHAL_SUCCESS);
            }),
            0);
}

// exit() runs static destructors while kernels spin, host functions block and copies wait. It must neither hang nor crash.
TEST(SimLife, TheProcessMayEndWithWorkInFlight) {
  const auto leave = [] {
    alarm(60);
    auto* machine = new Machine;
    const xhal_device_t device = machine->device();
    spin_for_ever(device, make_stream(device));
    const xhal_stream_t busy = make_stream(device);
    void* memory = allocate(device, 64 << 20);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(call().memory_fill(busy, memory, 1, 1, 64 << 20), XHAL_SUCCESS);
    static std::atomic<bool> never{false};
    EXPECT_EQ(call().stream_host_function(
                  make_stream(machine->device(1)), [](void*, xhal_result_t) { never.wait(false); }, nullptr),
              XHAL_SUCCESS);
    std::exit(42);
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(leave(), testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace xhal::sim_test
