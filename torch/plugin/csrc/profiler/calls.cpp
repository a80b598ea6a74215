// SPDX-License-Identifier: Apache-2.0
#include "torch_version.hpp"

#if TORCH_XHAL_HAS_PROFILER
#include <ThreadUtil.h>
#include <c10/macros/Macros.h>
#include <c10/util/ApproximateClock.h>

#include <atomic>
#include <mutex>
#include <type_traits>
#include <utility>

#include "profiler/calls.hpp"
#include "runtime/driver.hpp"
#include "xhal/xhal.h"

namespace torch_xhal {
namespace {

// Number of the recording that runs; 0 when none does, which is all that a call asks then.
std::atomic<uint64_t> recording{0};

struct Calls {
  std::mutex mutex;
  std::vector<Call> made;
  uint64_t recordings = 0;
  std::atomic<bool> are_correlated{false};
  std::atomic<uint64_t> last_id{0};
};
Calls& calls() {
  static auto* const value = new Calls();
  return *value;
}

struct Operators {
  uint64_t recording = 0;
  std::vector<uint64_t> open;
};
thread_local Operators operators;

// A recording may begin and end within an operator, of which the thread then hears one half.
std::vector<uint64_t>& operators_of(uint64_t current) {
  if (operators.recording != current) operators = {current, {}};
  return operators.open;
}

class Watched {
 public:
  Watched(const char* name, uint64_t current) : current_(current) {
    const auto& open = operators_of(current);
    call_ = {name, 0, 0, libkineto::systemThreadId(), ++calls().last_id, open.empty() ? 0 : open.back()};
    if (is_correlated_) xhal_driver_exchange_correlation(driver().handle, call_.id, &former_);
    call_.begin_ns = c10::getTime();
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() {
    call_.end_ns = c10::getTime();
    uint64_t own = 0;
    if (is_correlated_) xhal_driver_exchange_correlation(driver().handle, former_, &own);
    const std::lock_guard lock(calls().mutex);
    if (recording.load(std::memory_order_relaxed) == current_) calls().made.push_back(call_);
  }

 private:
  const uint64_t current_;
  const bool is_correlated_ = calls().are_correlated;
  Call call_{};
  uint64_t former_ = 0;
};

template <class Real, class... Arguments>
C10_ALWAYS_INLINE xhal_result_t watch(const char* name, Real real, Arguments... arguments) {
  const uint64_t current = recording.load(std::memory_order_relaxed);
  if (C10_LIKELY(current == 0)) return real(arguments...);
  const Watched watched(name, current);
  return real(arguments...);
}

}  // namespace

void start_recording_calls(bool are_correlated) {
  const std::lock_guard lock(calls().mutex);
  calls().are_correlated = are_correlated;
  calls().made.clear();
  recording.store(++calls().recordings, std::memory_order_relaxed);
}

std::vector<Call> stop_recording_calls() {
  const std::lock_guard lock(calls().mutex);
  recording.store(0, std::memory_order_relaxed);
  return std::exchange(calls().made, {});
}

void enter_operator(uint64_t id) {
  const uint64_t current = recording.load(std::memory_order_relaxed);
  if (current != 0) operators_of(current).push_back(id);
}

void leave_operator() {
  const uint64_t current = recording.load(std::memory_order_relaxed);
  if (current == 0) return;
  auto& open = operators_of(current);
  if (!open.empty()) open.pop_back();
}

}  // namespace torch_xhal

// The names are the linker's. The list is repeated in CMakeLists.txt.
#define TORCH_XHAL_WATCH(name, parameters, ...)                                                            \
  extern "C" {                                                                                             \
  xhal_result_t __real_##name parameters;                                                                  \
  static_assert(std::is_same_v<decltype(&name), decltype(&__real_##name)>);                                \
  xhal_result_t __wrap_##name parameters;                                                                  \
  xhal_result_t __wrap_##name parameters { return torch_xhal::watch(#name, &__real_##name, __VA_ARGS__); } \
  }

TORCH_XHAL_WATCH(xhal_kernel_launch,
                 (xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch), stream, kernel,
                 launch)
TORCH_XHAL_WATCH(xhal_graph_exec_launch, (xhal_graph_exec_t exec, xhal_stream_t stream), exec, stream)
TORCH_XHAL_WATCH(xhal_memory_copy, (xhal_stream_t stream, void* to, const void* from, uint64_t size), stream,
                 to, from, size)
TORCH_XHAL_WATCH(xhal_memory_copy_region, (xhal_stream_t stream, const xhal_copy_region_t* region), stream,
                 region)
TORCH_XHAL_WATCH(xhal_memory_fill,
                 (xhal_stream_t stream, void* to, uint64_t pattern, uint32_t pattern_size, uint64_t size),
                 stream, to, pattern, pattern_size, size)
TORCH_XHAL_WATCH(xhal_memory_allocate,
                 (xhal_device_t device, const xhal_memory_desc_t* desc, void** out_pointer), device, desc,
                 out_pointer)
TORCH_XHAL_WATCH(xhal_memory_free, (xhal_device_t device, void* pointer), device, pointer)
TORCH_XHAL_WATCH(xhal_event_record, (xhal_event_t event, xhal_stream_t stream, uint32_t flags), event, stream,
                 flags)
TORCH_XHAL_WATCH(xhal_stream_wait_event, (xhal_stream_t stream, xhal_event_t event, uint32_t flags), stream,
                 event, flags)
TORCH_XHAL_WATCH(xhal_stream_synchronize, (xhal_stream_t stream, uint64_t timeout_ns), stream, timeout_ns)
TORCH_XHAL_WATCH(xhal_event_synchronize, (xhal_event_t event, uint64_t timeout_ns), event, timeout_ns)
TORCH_XHAL_WATCH(xhal_device_synchronize, (xhal_device_t device, uint64_t timeout_ns), device, timeout_ns)
#endif
