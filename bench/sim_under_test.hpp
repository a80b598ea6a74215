// SPDX-License-Identifier: Apache-2.0
// The simulator as an application meets it: through libxhal, with the kernel pack of the build.
#pragma once

#include "xhal/xhal.h"

namespace xhal::bench {

// Ends the process with a line when a call failed.
void check(const char* what, xhal_result_t result);

inline void wait_for(xhal_stream_t stream) {
  check("synchronize", xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER));
}

class SimMemory {
 public:
  SimMemory(xhal_device_t device, uint32_t kind, uint64_t size);
  ~SimMemory();
  SimMemory(const SimMemory&) = delete;
  SimMemory& operator=(const SimMemory&) = delete;
  [[nodiscard]] void* get() const { return pointer_; }

 private:
  xhal_device_t device_;
  void* pointer_ = nullptr;
};

class SimUnderTest {
 public:
  // Opened at the first call, kept until the end of the process.
  static SimUnderTest& get();

  // A kernel of one group of one item that does nothing.
  void launch_nothing(xhal_stream_t on) const;
  void launch_nothing() const { launch_nothing(stream); }
  // A kernel that computes for some hundred microseconds, on memory of its own for each `place`, 0 or 1.
  void launch_work(xhal_stream_t on, int place) const;
  void synchronize() const { wait_for(stream); }

  xhal_device_t device = nullptr;
  xhal_stream_t stream = nullptr;
  xhal_stream_t second_stream = nullptr;
  xhal_event_t event = nullptr;
  xhal_event_t timed_event = nullptr;

 private:
  SimUnderTest();
  void launch(xhal_stream_t on, xhal_kernel_t kernel, void* memory, uint64_t cells, uint32_t groups,
              uint32_t items) const;

  xhal_instance_t instance_ = nullptr;
  xhal_module_t module_ = nullptr;
  xhal_kernel_t fold_ = nullptr;
  void* cells_[2] = {};
};

}  // namespace xhal::bench
