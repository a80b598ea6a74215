// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "harness.hpp"
#include "xhal/ext/lose_device.h"

namespace xhal::sim_test {
namespace {

constexpr uint64_t kLong = 60'000'000'000;

class Failures : public testing::Test {
 protected:
  xhal_result_t trap(xhal_stream_t on, uint64_t correlation = 0, uint32_t groups = 1, uint64_t group = 0) {
    return run(on, get_kernel(module, "trap"), {value(group)}, groups, 1, correlation);
  }
  xhal_fault_t fault(uint32_t index = 0) {
    auto f = sized<xhal_fault_t>();
    EXPECT_EQ(call().device_get_fault(machine.device(index), &f), XHAL_SUCCESS);
    return f;
  }
  xhal_result_t fill(xhal_stream_t on, void* memory, unsigned char byte) {
    return call().memory_fill(on, memory, byte, 1, 64);
  }

  struct Told {
    std::atomic<int> calls{0};
    std::atomic<xhal_result_t> status{12345};
    static void note(void* user, xhal_result_t status) {
      auto& told = *static_cast<Told*>(user);
      told.status.store(status);
      told.calls.fetch_add(1);
    }
  };

  Machine machine;
  xhal_device_t device = machine.device();
  xhal_module_t module = load_test_image(device);
  xhal_stream_t stream = make_stream(device);
};

TEST_F(Failures, SurfaceAtEveryQueryAndWaitOfTheStreamUntilRecovery) {
  const xhal_event_t before = make_event(device);
  const xhal_event_t behind = make_event(device);
  const xhal_event_t timed = make_event(device, XHAL_EVENT_TIMING);
  {
    Gate gate(stream);
    ASSERT_EQ(call().event_record(before, stream, 0), XHAL_SUCCESS);
    ASSERT_EQ(trap(stream), XHAL_SUCCESS) << "the launch itself succeeds";
    ASSERT_EQ(call().event_record(behind, stream, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(timed, stream, 0), XHAL_SUCCESS);
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(call().stream_synchronize(stream, kLong), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_NE(last_text.find("trap"), std::string::npos) << last_text;
    EXPECT_EQ(call().stream_query(stream), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(call().device_synchronize(device, kLong), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(call().event_query(behind), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(call().event_synchronize(behind, kLong), XHAL_ERROR_LAUNCH_FAILED);
    int64_t elapsed = 0;
    EXPECT_EQ(call().event_get_elapsed(timed, timed, &elapsed), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(call().event_query(before), XHAL_SUCCESS) << "recorded before it";
  }
  void* memory = allocate(device, 64);
  EXPECT_EQ(fill(stream, memory, 1), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(call().event_record(before, stream, 0), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(call().stream_wait_event(stream, before, 0), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(call().stream_host_function(stream, &Told::note, nullptr), XHAL_ERROR_LAUNCH_FAILED);
  std::vector<char> host(64);
  EXPECT_EQ(call().memory_copy(stream, memory, host.data(), 64), XHAL_ERROR_LAUNCH_FAILED);
}

TEST_F(Failures, AreToldWithTheirCause) {
  EXPECT_EQ(fault().code, XHAL_SUCCESS);
  const xhal_stream_t second = make_stream(device);
  ASSERT_EQ(trap(stream, 4711, 5, 3), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(stream, kLong), XHAL_ERROR_LAUNCH_FAILED);
  ASSERT_EQ(trap(second, 9), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(second, kLong), XHAL_ERROR_LAUNCH_FAILED);
  auto info = sized<xhal_stream_info_t>();
  ASSERT_EQ(call().stream_get_info(stream, &info), XHAL_SUCCESS);
  for (int i = 0; i < 2; ++i) {
    const xhal_fault_t f = fault();
    EXPECT_EQ(f.code, XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(f.correlation_id, 4711u) << "the first one";
    EXPECT_EQ(f.stream_id, info.id);
    EXPECT_STREQ(f.entry, "xhal_kernel_launch");
    EXPECT_NE(std::string(f.text).find("(3, 0, 0)"), std::string::npos) << f.text;
    EXPECT_EQ(f.scope, static_cast<uint32_t>(XHAL_FAULT_SCOPE_STREAM));
    EXPECT_EQ(f.recovery, static_cast<uint32_t>(XHAL_RECOVERY_RESET));
  }
}

TEST(FailureCauses, AreNotToldWhereTheyAreNotClaimed) {
  const Machine machine("features=-error_cause");
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  ASSERT_EQ(run(stream, get_kernel(load_test_image(device), "trap"), {value(uint64_t{0})}, 1, 1, 4711),
            XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(stream, kLong), XHAL_ERROR_LAUNCH_FAILED);
  auto f = sized<xhal_fault_t>();
  ASSERT_EQ(call().device_get_fault(device, &f), XHAL_SUCCESS);
  EXPECT_EQ(f.code, XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(f.correlation_id, 0u);
  EXPECT_EQ(f.stream_id, 0u);
  EXPECT_STREQ(f.entry, "");
  EXPECT_STRNE(f.text, "");
}

TEST_F(Failures, StayInTheirStream) {
  const xhal_stream_t healthy = make_stream(device);
  xhal_stream_t default_stream = nullptr;
  ASSERT_EQ(call().device_get_default_stream(device, &default_stream), XHAL_SUCCESS);
  ASSERT_EQ(trap(stream), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(stream, kLong), XHAL_ERROR_LAUNCH_FAILED);
  void* memory = allocate(device, 64);
  for (const xhal_stream_t other : {healthy, default_stream, make_stream(device)}) {
    EXPECT_EQ(fill(other, memory, 3), XHAL_SUCCESS);
    EXPECT_EQ(read_back<unsigned char>(other, memory, 64), std::vector<unsigned char>(64, 3));
  }
  EXPECT_EQ(call().device_synchronize(machine.device(1), kLong), XHAL_SUCCESS);
  EXPECT_EQ(fault(1).code, XHAL_SUCCESS);
  EXPECT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
}

TEST_F(Failures, WorkBehindThemDoesNotRunHostFunctionsDo) {
  void* memory = allocate(device, 64);
  ASSERT_EQ(fill(stream, memory, 1), XHAL_SUCCESS);
  expect_synchronized(stream);
  Told told;
  {
    Gate gate(stream);
    ASSERT_EQ(trap(stream), XHAL_SUCCESS);
    ASSERT_EQ(fill(stream, memory, 2), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_host_function(stream, &Told::note, &told), XHAL_SUCCESS);
  }
  EXPECT_EQ(call().stream_synchronize(stream, kLong), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(told.calls.load(), 1);
  EXPECT_EQ(told.status.load(), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(read_back<unsigned char>(make_stream(device), memory, 64), std::vector<unsigned char>(64, 1));
}

// The clause's letter: whoever is told of the failure finds that the functions behind it have run.
TEST_F(Failures, AreNotToldBeforeTheHostFunctionsBehindThemRan) {
  for (int round = 0; round < 50; ++round) {
    const xhal_stream_t own = make_stream(device);
    const xhal_event_t event = make_event(device);
    Told first;
    Told second;
    ASSERT_EQ(trap(own), XHAL_SUCCESS);
    const xhal_result_t accepted = call().stream_host_function(own, &Told::note, &first);
    if (accepted == XHAL_SUCCESS) {
      const xhal_result_t recorded = call().event_record(event, own, 0);
      EXPECT_TRUE(recorded == XHAL_SUCCESS || recorded == XHAL_ERROR_LAUNCH_FAILED) << recorded;
      const bool queued = call().stream_host_function(own, &Told::note, &second) == XHAL_SUCCESS;
      xhal_result_t status = XHAL_NOT_READY;
      while ((status = call().stream_query(own)) == XHAL_NOT_READY) std::this_thread::yield();
      EXPECT_EQ(status, XHAL_ERROR_LAUNCH_FAILED);
      EXPECT_EQ(first.calls.load(), 1);
      EXPECT_EQ(second.calls.load(), queued ? 1 : 0);
    } else {
      EXPECT_EQ(accepted, XHAL_ERROR_LAUNCH_FAILED);
    }
    EXPECT_EQ(call().stream_synchronize(own, kLong), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(call().stream_destroy(own), XHAL_SUCCESS);
  }
}

TEST_F(Failures, PoisonWhoWaitsForThemOnOtherDevicesToo) {
  const xhal_stream_t waiting = make_stream(machine.device(1));
  const xhal_event_t event = make_event(device);
  void* memory = allocate(machine.device(1), 64);
  ASSERT_EQ(fill(waiting, memory, 1), XHAL_SUCCESS);
  expect_synchronized(waiting);
  Told told;
  {
    Gate gate(stream);
    ASSERT_EQ(trap(stream, 77), XHAL_SUCCESS);
    ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_wait_event(waiting, event, 0), XHAL_SUCCESS);
    ASSERT_EQ(fill(waiting, memory, 2), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_host_function(waiting, &Told::note, &told), XHAL_SUCCESS);
  }
  EXPECT_EQ(call().stream_synchronize(waiting, kLong), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(told.status.load(), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(told.calls.load(), 1);
  EXPECT_EQ(read_back<unsigned char>(make_stream(machine.device(1)), memory, 64),
            std::vector<unsigned char>(64, 1));
  EXPECT_EQ(fault(1).correlation_id, 77u);
  // Also when the failure is long over.
  const xhal_stream_t late = make_stream(device);
  ASSERT_EQ(call().stream_wait_event(late, event, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(late, kLong), XHAL_ERROR_LAUNCH_FAILED);
  // And when its stream is destroyed.
  ASSERT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_EQ(call().event_query(event), XHAL_ERROR_LAUNCH_FAILED);
}

TEST_F(Failures, OfTheDefaultStreamAreOverAfterAReset) {
  xhal_stream_t default_stream = nullptr;
  ASSERT_EQ(call().device_get_default_stream(device, &default_stream), XHAL_SUCCESS);
  ASSERT_EQ(trap(default_stream), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_synchronize(default_stream, kLong), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(call().device_reset(device), XHAL_SUCCESS);
  EXPECT_EQ(fault().code, XHAL_SUCCESS);
  EXPECT_EQ(call().stream_query(default_stream), XHAL_SUCCESS);
  xhal_stream_t same = nullptr;
  ASSERT_EQ(call().device_get_default_stream(device, &same), XHAL_SUCCESS);
  EXPECT_EQ(same, default_stream);
  const xhal_module_t fresh = load_test_image(device);
  void* memory = allocate(device, 400);
  const uint32_t number = 6;
  const uint64_t n = 100;
  ASSERT_EQ(run(default_stream, get_kernel(fresh, "fill"),
                {sim_test::memory(memory), value(number), value(n)}, 1, 100),
            XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint32_t>(default_stream, memory, 100), std::vector<uint32_t>(100, 6));
  EXPECT_EQ(call().device_synchronize(device, kLong), XHAL_SUCCESS);
}

TEST_F(Failures, AResetLeavesWhatWasMadeBeforeToBeDestroyedAlone) {
  const xhal_event_t event = make_event(device);
  const xhal_event_t timed = make_event(device, XHAL_EVENT_TIMING);
  const xhal_kernel_t kernel = get_kernel(module, "empty");
  void* memory = allocate(device, 64);
  const xhal_stream_t others = make_stream(machine.device(1));
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
  const xhal_stream_t fresh = make_stream(device);
  EXPECT_EQ(call().stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().stream_synchronize(stream, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().stream_host_function(stream, &Told::note, nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().event_query(event), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().event_synchronize(event, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().event_record(event, fresh, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().stream_wait_event(others, event, 0), XHAL_ERROR_INVALID_HANDLE);
  int64_t elapsed = 0;
  EXPECT_EQ(call().event_get_elapsed(timed, timed, &elapsed), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(run(fresh, kernel, {}), XHAL_ERROR_INVALID_HANDLE);
  xhal_kernel_t other_kernel = nullptr;
  EXPECT_EQ(call().module_get_kernel(module, "fill", &other_kernel), XHAL_ERROR_INVALID_HANDLE);
  void* global = nullptr;
  uint64_t global_size = 0;
  EXPECT_EQ(call().module_get_global(module, "fill", &global, &global_size), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(fill(fresh, memory, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(fill(others, memory, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_EQ(call().event_destroy(event), XHAL_SUCCESS);
  EXPECT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_query(others), XHAL_SUCCESS);
}

// A kernel that spins is told to return, what is queued is dropped, host functions run with CANCELLED, no wait hangs.
TEST_F(Failures, AResetDropsHeldWork) {
  auto* words = static_cast<uint32_t*>(allocate(device, 8, XHAL_MEMORY_PINNED));
  std::atomic_ref<uint32_t>(words[0]).store(0);
  std::atomic_ref<uint32_t>(words[1]).store(0);
  const uint32_t never = 1;
  const xhal_stream_t waiting = make_stream(machine.device(1));
  const xhal_event_t event = make_event(device);
  Told told;
  Told told_elsewhere;
  ASSERT_EQ(run(stream, get_kernel(module, "gate"), {memory(words), value(never), memory(words + 1)}),
            XHAL_SUCCESS);
  ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_host_function(stream, &Told::note, &told), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_wait_event(waiting, event, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_host_function(waiting, &Told::note, &told_elsewhere), XHAL_SUCCESS);
  std::thread waiter([&] { EXPECT_EQ(call().stream_synchronize(stream, kLong), XHAL_ERROR_CANCELLED); });
  while (std::atomic_ref<uint32_t>(words[1]).load() == 0) std::this_thread::yield();
  EXPECT_EQ(call().stream_synchronize(stream, 20'000'000), XHAL_TIMEOUT);
  EXPECT_EQ(call().device_reset(device), XHAL_SUCCESS);
  waiter.join();
  EXPECT_EQ(told.calls.load(), 1);
  EXPECT_EQ(told.status.load(), XHAL_ERROR_CANCELLED);
  EXPECT_EQ(call().stream_synchronize(waiting, kLong), XHAL_ERROR_CANCELLED)
      << "what it waited for never happened";
  EXPECT_EQ(told_elsewhere.status.load(), XHAL_ERROR_CANCELLED);
  EXPECT_EQ(fault().code, XHAL_SUCCESS);
}

TEST_F(Failures, AResetMayRaceWithWork) {
  xhal_stream_t default_stream = nullptr;
  ASSERT_EQ(call().device_get_default_stream(device, &default_stream), XHAL_SUCCESS);
  std::atomic<bool> stop{false};
  std::atomic<int> submitted{0};
  Told told;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop.load()) {
        if (call().stream_host_function(default_stream, &Told::note, &told) == XHAL_SUCCESS)
          submitted.fetch_add(1);
        static_cast<void>(call().stream_synchronize(default_stream, 1'000'000));
      }
    });
  }
  for (int i = 0; i < 100; ++i) ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
  stop.store(true);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(call().device_reset(device), XHAL_SUCCESS);
  EXPECT_EQ(told.calls.load(), submitted.load()) << "each exactly once";
}

// ---- A lost device -------------------------------------------------------------------------------------------------------------

class Losses : public Failures {
 protected:
  xhal_result_t lose(xhal_device_t which) { return table->lose(which); }
  static const xhal_lose_device_t* table_of(xhal_driver_t driver) {
    const void* out = nullptr;
    EXPECT_EQ(call().driver_get_extension(driver, XHAL_LOSE_DEVICE_NAME, XHAL_LOSE_DEVICE_VERSION, &out),
              XHAL_SUCCESS);
    return static_cast<const xhal_lose_device_t*>(out);
  }
  const xhal_lose_device_t* table = table_of(machine.handle);
};

TEST_F(Losses, AreAskedForByNameAndVersion) {
  EXPECT_EQ(table->struct_size, sizeof(xhal_lose_device_t));
  const void* none = this;
  EXPECT_EQ(call().driver_get_extension(machine.handle, XHAL_LOSE_DEVICE_NAME, 2, &none),
            XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(call().driver_get_extension(machine.handle, "xhal.lose_devic", 1, &none), XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(none, this);
}

// Whatever it is, it is not looked into, and nothing is lost.
TEST_F(Losses, AreRefusedForWhatIsNoLiveDeviceOfTheSimulator) {
  EXPECT_EQ(lose(nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(lose(reinterpret_cast<xhal_device_t>(stream)), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(lose(reinterpret_cast<xhal_device_t>(machine.handle)), XHAL_ERROR_INVALID_HANDLE);
  // A device of another driver: its object is none of the simulator's.
  std::vector<unsigned char> foreign_object(4096, 0xA5);
  xhal_handle_header_t foreign = {};
  foreign.table = host_services().dead_table;
  foreign.type = XHAL_TYPE_device;
  foreign.object = foreign_object.data();
  EXPECT_EQ(lose(reinterpret_cast<xhal_device_t>(&foreign)), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(foreign_object, std::vector<unsigned char>(4096, 0xA5));
  // Nor does the copy of a live header make a device.
  xhal_handle_header_t copy = *reinterpret_cast<const xhal_handle_header_t*>(device);
  EXPECT_EQ(lose(reinterpret_cast<xhal_device_t>(&copy)), XHAL_ERROR_INVALID_HANDLE);
  Machine gone;
  const xhal_device_t stale = gone.device();
  gone.close();
  EXPECT_EQ(lose(stale), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_NE(last_text.find("no live device"), std::string::npos) << last_text;
  for (uint32_t i = 0; i < 2; ++i) EXPECT_EQ(fault(i).code, XHAL_SUCCESS);
  expect_synchronized(stream);
  Machine second;
  EXPECT_EQ(lose(second.device(1)), XHAL_SUCCESS) << "any open instance's";
  EXPECT_EQ(call().device_synchronize(second.device(1), 0), XHAL_ERROR_DEVICE_LOST);
  EXPECT_EQ(call().device_synchronize(second.device(0), 0), XHAL_SUCCESS);
}

TEST_F(Losses, MayRaceWithInstancesThatComeAndGo) {
  std::atomic<bool> stop{false};
  std::atomic<xhal_device_t> candidate{device};
  std::thread loser([&] {
    while (!stop.load()) {
      const xhal_result_t result = lose(candidate.load());
      EXPECT_TRUE(result == XHAL_SUCCESS || result == XHAL_ERROR_INVALID_HANDLE) << result;
    }
  });
  for (int round = 0; round < 50; ++round) {
    const Machine passing;
    candidate.store(passing.device());
    xhal_stream_t on_it = nullptr;
    const xhal_result_t made = call().stream_create(passing.device(), nullptr, &on_it);
    EXPECT_TRUE(made == XHAL_SUCCESS || made == XHAL_ERROR_DEVICE_LOST) << made;
  }
  stop.store(true);
  loser.join();
}

TEST_F(Losses, NeverWaitAndDropWhatHasNotRun) {
  void* memory = allocate(device, 64);
  ASSERT_EQ(fill(stream, memory, 1), XHAL_SUCCESS);
  expect_synchronized(stream);
  Told told;
  {
    Gate gate(stream);  // runs, and goes on running
    ASSERT_EQ(fill(stream, memory, 2), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_host_function(stream, &Told::note, &told), XHAL_SUCCESS);
    EXPECT_EQ(lose(device), XHAL_SUCCESS);
    EXPECT_EQ(call().stream_query(stream), XHAL_ERROR_DEVICE_LOST);
  }
  EXPECT_EQ(call().device_reset(device), XHAL_SUCCESS);
  EXPECT_EQ(told.calls.load(), 1);
  EXPECT_EQ(told.status.load(), XHAL_ERROR_DEVICE_LOST);
}

TEST_F(Losses, EndAKernelThatSpinsAndEveryWait) {
  uint32_t words[2] = {};  // the flag stays 0
  const xhal_event_t behind = make_event(device);
  const xhal_stream_t elsewhere = make_stream(machine.device(1));
  ASSERT_EQ(
      run(stream, get_kernel(module, "gate"), {memory(&words[0]), value(uint32_t{1}), memory(&words[1])}),
      XHAL_SUCCESS);
  ASSERT_EQ(call().event_record(behind, stream, 0), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_wait_event(elsewhere, behind, 0), XHAL_SUCCESS);
  std::atomic<int> waiting{0};
  xhal_result_t answers[3] = {};
  std::thread waiters[] = {
      std::thread([&] { waiting.fetch_add(1), answers[0] = call().stream_synchronize(stream, kLong); }),
      std::thread([&] { waiting.fetch_add(1), answers[1] = call().event_synchronize(behind, kLong); }),
      std::thread([&] { waiting.fetch_add(1), answers[2] = call().device_synchronize(device, kLong); })};
  while (waiting.load() != 3) std::this_thread::yield();
  EXPECT_EQ(lose(device), XHAL_SUCCESS);
  for (std::thread& waiter : waiters) waiter.join();
  for (const xhal_result_t answer : answers) EXPECT_EQ(answer, XHAL_ERROR_DEVICE_LOST);
  EXPECT_EQ(call().stream_synchronize(elsewhere, kLong), XHAL_ERROR_DEVICE_LOST)
      << "it waits for what was lost";
  EXPECT_EQ(call().device_synchronize(machine.device(1), 0), XHAL_ERROR_DEVICE_LOST);
  const xhal_stream_t healthy = make_stream(machine.device(1));
  expect_synchronized(healthy);
}

TEST_F(Losses, RefuseAllButDestroysFreesAndQuestionsAboutWhatDoesNotChange) {
  const xhal_event_t event = make_event(device, XHAL_EVENT_TIMING);
  const xhal_kernel_t kernel = get_kernel(module, "trap");
  void* memory = allocate(device, 64);
  std::vector<char> host(4096);
  ASSERT_EQ(call().memory_register(device, host.data(), host.size(), 0), XHAL_SUCCESS);
  ASSERT_EQ(call().event_record(event, stream, 0), XHAL_SUCCESS);
  expect_synchronized(stream);
  ASSERT_EQ(lose(device), XHAL_SUCCESS);

  int64_t elapsed = 0;
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = XHAL_MEMORY_PINNED;
  desc.size = 64;
  void* none = nullptr;
  char more[64];
  xhal_module_t no_module = nullptr;
  xhal_stream_t default_stream = nullptr;
  ASSERT_EQ(call().device_get_default_stream(device, &default_stream), XHAL_SUCCESS);
  auto memory_info = sized<xhal_memory_info_t>();
  xhal_stream_t no_stream = nullptr;
  xhal_event_t no_event = nullptr;
  const xhal_result_t refusals[] = {call().device_get_memory_info(device, &memory_info),
                                    call().stream_create(device, nullptr, &no_stream),
                                    call().event_create(device, nullptr, &no_event),
                                    call().stream_query(stream),
                                    call().event_synchronize(event, 0),
                                    call().event_get_elapsed(event, event, &elapsed),
                                    call().event_record(event, stream, 0),
                                    call().event_query(event),
                                    call().stream_wait_event(stream, event, 0),
                                    call().stream_query(default_stream),
                                    call().stream_synchronize(default_stream, 0),
                                    call().device_synchronize(device, 0),
                                    fill(default_stream, memory, 1),
                                    call().memory_copy(stream, memory, host.data(), 64),
                                    call().memory_allocate(device, &desc, &none),
                                    call().memory_register(device, more, sizeof(more), 0),
                                    load(device, read_file(XHAL_TEST_IMAGE), "", no_module),
                                    trap(stream),
                                    call().stream_host_function(stream, &Told::note, nullptr)};
  for (size_t i = 0; i < std::size(refusals); ++i) EXPECT_EQ(refusals[i], XHAL_ERROR_DEVICE_LOST) << i;

  const xhal_fault_t f = fault();
  EXPECT_EQ(f.code, XHAL_ERROR_DEVICE_LOST);
  EXPECT_EQ(f.scope, static_cast<uint32_t>(XHAL_FAULT_SCOPE_DEVICE));
  auto properties = sized<xhal_device_properties_t>();
  EXPECT_EQ(call().device_get_properties(device, &properties), XHAL_SUCCESS);
  uint32_t answer = 0;
  EXPECT_EQ(call().device_has_feature(device, XHAL_FEATURE_CORE, &answer), XHAL_SUCCESS);
  EXPECT_EQ(answer, 1u);
  EXPECT_EQ(call().device_is_active(device, &answer), XHAL_SUCCESS);
  EXPECT_EQ(answer, 1u);
  EXPECT_EQ(call().device_get_image_formats(device, 0, 0, nullptr, &answer), XHAL_SUCCESS);
  EXPECT_NE(answer, 0u);
  auto link = sized<xhal_link_t>();
  EXPECT_EQ(call().device_get_link(device, machine.device(1), &link), XHAL_SUCCESS);
  auto stream_info = sized<xhal_stream_info_t>();
  EXPECT_EQ(call().stream_get_info(stream, &stream_info), XHAL_SUCCESS);
  xhal_device_t owner = nullptr;
  EXPECT_EQ(call().stream_get_device(stream, &owner), XHAL_SUCCESS);
  EXPECT_EQ(owner, device);
  auto attributes = sized<xhal_pointer_attributes_t>();
  EXPECT_EQ(call().driver_get_pointer_attributes(machine.handle, memory, &attributes), XHAL_SUCCESS);
  EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(get_kernel(module, "trap"), kernel);
  EXPECT_NE(get_kernel(module, "empty"), nullptr);
  uint64_t global_size = 0;
  EXPECT_EQ(call().module_get_global(module, "none", &none, &global_size), XHAL_ERROR_NOT_FOUND);
  auto kernel_info = sized<xhal_kernel_info_t>();
  EXPECT_EQ(call().kernel_get_info(kernel, &kernel_info), XHAL_SUCCESS);
  auto occupancy = sized<xhal_occupancy_t>();
  EXPECT_EQ(call().kernel_get_occupancy(kernel, 1, 0, &occupancy), XHAL_SUCCESS);
  EXPECT_EQ(call().event_destroy(event), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_unregister(device, host.data()), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_SUCCESS);
  EXPECT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  EXPECT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
}

TEST_F(Losses, AreUndoneByAReset) {
  xhal_stream_t default_stream = nullptr;
  ASSERT_EQ(call().device_get_default_stream(device, &default_stream), XHAL_SUCCESS);
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(lose(device), XHAL_SUCCESS);
    ASSERT_EQ(lose(device), XHAL_SUCCESS) << "again";
    ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
    EXPECT_EQ(fault().code, XHAL_SUCCESS);
    EXPECT_EQ(call().stream_query(stream), XHAL_ERROR_INVALID_HANDLE) << "made before";
    for (const xhal_stream_t works : {default_stream, make_stream(device)}) {
      void* memory = allocate(device, 64);
      EXPECT_EQ(fill(works, memory, 5), XHAL_SUCCESS);
      EXPECT_EQ(read_back<unsigned char>(works, memory, 64), std::vector<unsigned char>(64, 5));
    }
  }
}

}  // namespace
}  // namespace xhal::sim_test
