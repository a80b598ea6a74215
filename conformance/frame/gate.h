// SPDX-License-Identifier: Apache-2.0
// Holding a stream shut.
//
// A gate is an operation that does not end before the test says so: a spinning kernel where the device has kernels and independent
// streams, else a blocked host function. While it is shut the test looks at what must not have happened; then it opens the gate and
// looks at what must. It opens at the end of its scope whatever happens, and a watchdog opens it when a call of the driver blocks behind it
// for good: the call then returns, and held() tells that it did so too late. So a driver that waits where it must not wait fails an
// assertion with a clause, instead of a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "frame/context.h"

namespace xhal::conformance {

// What the device's side uses: lives until the operation has ended, however the test ends.
class GateState {
 public:
  void open();
  void force_open();  // by the watchdog
  void block();       // in the host function

  std::atomic<bool> opened{false};
  std::atomic<bool> forced{false};
  std::atomic<bool> entered{false};  // host function
  uint32_t* flag = nullptr;          // kernel: pinned, two words a cache line apart
  uint32_t* entered_word = nullptr;
  std::function<void()> release;  // what the test holds by other means

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class Gate {
 public:
  enum class Kind { kAutomatic, kKernel, kHostFunction };
  enum class Entry { kWait, kLater };  // kLater: other work lies before it on the stream

  // On a synchronous device nothing can be held: the gate is open from the start and shut() is false.
  Gate(Context& t, xhal_stream_t stream, Kind kind = Kind::kAutomatic, size_t device = 0,
       Entry entry = Entry::kWait);
  // For a stream that the test holds by a wait of its own: opening calls `release`, which ends that wait, on whichever thread opens.
  Gate(Context& t, std::function<void()> release, size_t device = 0);
  ~Gate() { open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void open() { state_->open(); }
  // Whether it was shut and nobody but the test opens it.
  [[nodiscard]] bool shut() const { return shut_; }
  // Still shut: neither the test nor the watchdog has opened it.
  [[nodiscard]] bool held() const { return shut_ && !state_->opened.load(); }
  // The operation of the gate has begun.
  [[nodiscard]] bool entered() const;
  [[nodiscard]] bool is_kernel() const { return kernel_; }
  [[nodiscard]] bool is_host_function() const { return shut_ && !kernel_ && !state_->release; }
  [[nodiscard]] size_t device() const { return device_; }

 private:
  void shut_with_kernel(Context& t, xhal_stream_t stream);
  void shut_with_host_function(Context& t, xhal_stream_t stream);

  std::shared_ptr<GateState> state_;
  size_t device_;
  bool kernel_ = false;
  bool shut_ = false;
};

// From a test's parameter "hold": "kernel" or "host_function".
Gate::Kind gate_kind(const std::string& word);
// The axis for it; the kernel's value applies to devices with kernels and independent streams.
Axis gate_axis();

}  // namespace xhal::conformance
