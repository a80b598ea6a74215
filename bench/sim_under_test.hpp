// SPDX-License-Identifier: Apache-2.0
// The simulator as an application meets it: through libxhal, with the kernel pack that it holds and the images of kernels/ beside.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>

#include "xhal/xhal.h"

namespace xhal::bench {

[[noreturn]] void fail(const char* what, xhal_result_t result);
// Ends the process with a line when a call failed.
inline void check(const char* what, xhal_result_t result) {
  if (result != XHAL_SUCCESS) [[unlikely]]
    fail(what, result);
}

inline void wait_for(xhal_stream_t stream) {
  check("synchronize", xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER));
}

// An instance with the simulator alone, and its first device.
class Simulator {
 public:
  Simulator();
  ~Simulator() { check("destroy", xhal_instance_destroy(instance_)); }
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  [[nodiscard]] xhal_driver_t driver() const { return driver_; }
  [[nodiscard]] xhal_device_t device() const { return device_; }
  // Of the kernel pack.
  [[nodiscard]] xhal_kernel_t pack_kernel(const char* name) const { return kernel(pack_, name); }
  // Of kernels/ in this folder.
  [[nodiscard]] xhal_kernel_t own_kernel(const char* name) const { return kernel(own_, name); }
  [[nodiscard]] xhal_stream_t make_stream() const;
  [[nodiscard]] xhal_event_t make_event(uint32_t flags = 0) const;
  // Never freed by itself, which the end of the instance does.
  [[nodiscard]] void* allocate(uint32_t kind, uint64_t size) const;

 private:
  static xhal_kernel_t kernel(xhal_module_t module, const char* name);
  void load_own();

  xhal_instance_t instance_ = nullptr;
  xhal_driver_t driver_ = nullptr;
  xhal_device_t device_ = nullptr;
  xhal_module_t pack_ = nullptr;
  xhal_module_t own_ = nullptr;
};

class SimMemory {
 public:
  SimMemory(const Simulator& simulator, uint32_t kind, uint64_t size)
      : device_(simulator.device()), pointer_(simulator.allocate(kind, size)) {}
  ~SimMemory() { check("free", xhal_memory_free(device_, pointer_)); }
  SimMemory(const SimMemory&) = delete;
  SimMemory& operator=(const SimMemory&) = delete;
  [[nodiscard]] void* get() const { return pointer_; }

 private:
  xhal_device_t device_;
  void* pointer_;
};

// A launch whose description is ready, so that only the call is measured.
class PreparedLaunch {
 public:
  explicit PreparedLaunch(xhal_kernel_t kernel, uint32_t groups = 1, uint32_t group_items = 1);
  PreparedLaunch(const PreparedLaunch&) = delete;
  PreparedLaunch& operator=(const PreparedLaunch&) = delete;

  PreparedLaunch& memory(void* pointer, uint32_t access);
  PreparedLaunch& u64(uint64_t value) { return value_of(value, sizeof(uint64_t)); }
  PreparedLaunch& u32(uint32_t value) { return value_of(value, sizeof(uint32_t)); }
  // The memory of the first argument.
  void point_to(void* pointer) { arguments_[0].data = pointer; }

  void on(xhal_stream_t stream) const { check("launch", xhal_kernel_launch(stream, kernel_, &launch_)); }

 private:
  static constexpr uint32_t kMostArguments = 8;
  PreparedLaunch& value_of(uint64_t value, uint64_t size);

  xhal_kernel_t kernel_;
  xhal_launch_t launch_{};
  std::array<xhal_argument_t, kMostArguments> arguments_{};
  std::array<uint64_t, kMostArguments> values_{};
};

// Kernels of one group of one item that do nothing, with as many arguments.
struct NothingLaunch {
  explicit NothingLaunch(const Simulator& simulator);
  PreparedLaunch with_3;
  PreparedLaunch with_8;
};

// Keeps a stream from going on, by a host function that sleeps, until let_go() or the end of its life, which wait until the function has returned.
class HeldStream {
 public:
  explicit HeldStream(xhal_stream_t stream);
  ~HeldStream() { let_go(); }
  HeldStream(const HeldStream&) = delete;
  HeldStream& operator=(const HeldStream&) = delete;
  void let_go();

 private:
  static void hold(void* self, xhal_result_t status);

  std::atomic<bool> entered_{false};
  std::atomic<bool> open_{false};
  std::atomic<bool> left_{false};
};

// What most rows use: opened at the first call, kept until the end of the process.
class SimUnderTest : public Simulator {
 public:
  static SimUnderTest& get();

  NothingLaunch nothing;

  xhal_stream_t stream;
  xhal_stream_t second_stream;
  xhal_event_t event;
  xhal_event_t timed_event;

  void synchronize() const { wait_for(stream); }

 private:
  SimUnderTest();
};

}  // namespace xhal::bench
