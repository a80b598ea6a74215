// SPDX-License-Identifier: Apache-2.0
// One thread's random work and what it must come to.
#pragma once

#include <xhal/xhal.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace xhal::soak {

// Ends the program with the call, its result and where the thread was.
struct Trouble {
  std::string text;
};

void check(const char* call, xhal_result_t result, xhal_result_t expected = XHAL_SUCCESS);
void* allocate(xhal_device_t device, uint32_t kind, uint64_t size);
#define SOAK_OK(call) ::xhal::soak::check(#call, (call))

// What all threads share on one device.
struct SharedDevice {
  xhal_device_t device = nullptr;
  xhal_driver_t driver = nullptr;
  xhal_module_t module = nullptr;
  xhal_kernel_t fold = nullptr;
  xhal_kernel_t fold2 = nullptr;
  xhal_kernel_t trap = nullptr;  // null: a failure would touch more than its stream
  std::vector<xhal_stream_t> streams;
  xhal_pool_t pool = nullptr;  // null: not claimed
  uint64_t page = 0;           // of virtual memory; 0: not claimed
  bool has_graph = false;
  bool has_value_wait = false;
  bool has_managed = false;
  bool has_register = false;
  bool has_activity = false;
  bool has_timing = false;
  bool has_regions = false;
};

// Until all work of the device is done. Streams that failed on purpose are among what it waits for until they are gone.
void synchronize(const SharedDevice& shared);

class ThreadSoak {
 public:
  ThreadSoak(const SharedDevice& shared, uint64_t seed);
  ThreadSoak(const ThreadSoak&) = delete;
  ThreadSoak& operator=(const ThreadSoak&) = delete;
  ~ThreadSoak();

  // One random operation.
  void step();
  // Waits for all and compares every cell.
  void verify();
  [[nodiscard]] uint64_t operations() const { return operations_; }

 private:
  static constexpr size_t kCells = 16;
  static constexpr uint64_t kStepsBetweenWaits = 512;
  static constexpr size_t kHostPage = 4096;
  struct Cell {
    uint64_t expected = 0;
    xhal_event_t event = nullptr;    // behind the latest work on it
    xhal_stream_t stream = nullptr;  // where that was
  };

  uint64_t random(uint64_t bound);
  xhal_stream_t any_stream();
  uint64_t* place(size_t cell) const { return cells_memory_ + cell; }
  // The stream is behind all work on the cell.
  void order(size_t cell, xhal_stream_t stream);
  void worked(size_t cell, xhal_stream_t stream);
  void launch(xhal_kernel_t kernel, size_t cell, uint64_t op, xhal_stream_t stream);
  void launch_fold(size_t cell, xhal_stream_t stream);
  // The number that the next kernel folds in.
  [[nodiscard]] uint64_t next_op() const { return operations_ * 2 + 1; }

  // Fills memory on the stream and takes its last word to a cell.
  void use(void* memory, uint64_t size, xhal_stream_t stream);
  // A graph that folds `op` into the cell.
  xhal_graph_t capture_fold(size_t cell, uint64_t op);

  void fold();
  void fold_two();
  void read_back();
  void write_anew();
  void copy_region();
  void host_function();
  void ask();
  void pool();
  void pool_across_streams();
  void word();

  // What is made and goes with its work under way: short_lived.cpp.
  void short_lived_memory();
  void short_lived_event();
  void short_lived_stream();
  void short_lived_graph();
  void short_lived_pool();
  void short_lived_module();
  void short_lived_mapping();
  void short_lived_registration();
  void short_lived_subscription();
  void short_lived_failure();

  const SharedDevice& shared_;
  uint64_t state_;
  uint64_t steps_ = 0;
  uint64_t operations_ = 0;  // kernels and steps
  uint64_t* cells_memory_ = nullptr;
  uint64_t* pinned_ = nullptr;  // the first word: values; the second: read back
  uint64_t word_ = 0;
  std::array<Cell, kCells> cells_;
  void* host_page_ = nullptr;  // for registrations
  std::atomic<uint64_t> records_{0};
  std::atomic<uint64_t> host_calls_{0};
  uint64_t expected_host_calls_ = 0;
};

}  // namespace xhal::soak
