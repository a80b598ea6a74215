// SPDX-License-Identifier: Apache-2.0
// The lane of xhal itself, twice: through libxhal, which is what is judged, and through the driver's own table, which is the raw call of every
// driver.
#pragma once

#include <cstdint>

#include "bench/runner/bench.hpp"

namespace xhal::bench {

// The calls that lanes make, by the name of the table's entry.
#define XHAL_BENCH_CALLS(X)        \
  X(device_has_feature)            \
  X(driver_get_pointer_attributes) \
  X(event_create)                  \
  X(event_destroy)                 \
  X(event_query)                   \
  X(event_record)                  \
  X(event_synchronize)             \
  X(graph_exec_launch)             \
  X(ipc_close_memory)              \
  X(ipc_export_memory)             \
  X(ipc_import_memory)             \
  X(kernel_launch)                 \
  X(memory_allocate)               \
  X(memory_copy)                   \
  X(memory_fill)                   \
  X(memory_free)                   \
  X(memory_register)               \
  X(memory_unregister)             \
  X(module_destroy)                \
  X(module_get_kernel)             \
  X(module_load)                   \
  X(pool_allocate)                 \
  X(pool_free)                     \
  X(pool_trim)                     \
  X(stream_create)                 \
  X(stream_destroy)                \
  X(stream_get_device)             \
  X(stream_host_function)          \
  X(stream_query)                  \
  X(stream_synchronize)            \
  X(stream_wait_event)

struct ThroughLibxhal {
  static constexpr const char* kName = "xhal";
  explicit ThroughLibxhal(xhal_stream_t) {}
#define XHAL_BENCH_CALL(name)                        \
  template <class... Arguments>                      \
  xhal_result_t name(Arguments... arguments) const { \
    return xhal_##name(arguments...);                \
  }
  XHAL_BENCH_CALLS(XHAL_BENCH_CALL)
#undef XHAL_BENCH_CALL
};

// Past libxhal: the function that the driver gave it. Handles that come out of it are libxhal's to name, so it creates none that libxhal gets.
class DriverTable {
 public:
  static constexpr const char* kName = "driver_table";
  explicit DriverTable(xhal_stream_t stream)
      : functions_(reinterpret_cast<const xhal_handle_header_t*>(stream)->table->driver) {}
#define XHAL_BENCH_CALL(name)                        \
  template <class... Arguments>                      \
  xhal_result_t name(Arguments... arguments) const { \
    return functions_->name(arguments...);           \
  }
  XHAL_BENCH_CALLS(XHAL_BENCH_CALL)
#undef XHAL_BENCH_CALL

 private:
  const xhal_functions_t* functions_;
};

// A stream, a second one, an event, and an empty kernel: the words of scenarios.hpp.
template <class Calls>
class XhalLane {
 public:
  static constexpr const char* kName = Calls::kName;
  explicit XhalLane(Bench& bench)
      : device_(bench.device()),
        stream_(bench.make_stream()),
        second_(bench.make_stream()),
        event_(bench.make_event()),
        calls_(stream_) {}
  static bool applies(const Bench&) { return true; }

  // Before launches are made; throws NotHere.
  void prepare_launch(Bench& bench, int arguments) {
    launch_ = std::make_unique<NothingLaunch>(bench, arguments);
    for (xhal_stream_t on : {xhal_stream_t(stream_), xhal_stream_t(second_)}) {
      launch_->on(on);
      wait_for(on);
    }
  }

  // The event has a time from here on; throws NotHere.
  void prepare_timing(Bench& bench) {
    bench.need(XHAL_FEATURE_EVENT_TIMING, "event_timing");
    event_ = bench.make_event(XHAL_EVENT_TIMING);
  }

  void launch() {
    check("xhal_kernel_launch",
          calls_.kernel_launch(xhal_stream_t(stream_), launch_->launch().kernel(), launch_->launch().desc()));
  }
  // With other arguments than the last time, each of them.
  void launch_changed() {
    const PreparedLaunch& launch = launch_->changed();
    check("xhal_kernel_launch", calls_.kernel_launch(xhal_stream_t(stream_), launch.kernel(), launch.desc()));
  }
  void synchronize() {
    check("xhal_stream_synchronize", calls_.stream_synchronize(xhal_stream_t(stream_), XHAL_WAIT_FOREVER));
  }
  void synchronize_second() {
    check("xhal_stream_synchronize", calls_.stream_synchronize(xhal_stream_t(second_), XHAL_WAIT_FOREVER));
  }
  void record() {
    check("xhal_event_record", calls_.event_record(xhal_event_t(event_), xhal_stream_t(stream_), 0u));
  }
  bool query_event() {
    const xhal_result_t result = calls_.event_query(xhal_event_t(event_));
    if (result < 0) [[unlikely]]
      call_failed("xhal_event_query", result);
    return result == XHAL_SUCCESS;
  }
  bool query_stream() { return calls_.stream_query(xhal_stream_t(stream_)) == XHAL_SUCCESS; }
  void synchronize_event() {
    check("xhal_event_synchronize", calls_.event_synchronize(xhal_event_t(event_), XHAL_WAIT_FOREVER));
  }
  // The second stream waits for the event.
  void wait_event() {
    check("xhal_stream_wait_event",
          calls_.stream_wait_event(xhal_stream_t(second_), xhal_event_t(event_), 0u));
  }
  void host_function(xhal_host_fn function, void* user) {
    check("xhal_stream_host_function", calls_.stream_host_function(xhal_stream_t(stream_), function, user));
  }
  void copy(void* to, const void* from, uint64_t size) {
    check("xhal_memory_copy", calls_.memory_copy(xhal_stream_t(stream_), to, from, size));
  }
  void fill(void* to, uint64_t pattern, uint32_t width, uint64_t size) {
    check("xhal_memory_fill", calls_.memory_fill(xhal_stream_t(stream_), to, pattern, width, size));
  }

  [[nodiscard]] const Calls& calls() const { return calls_; }
  [[nodiscard]] xhal_device_t device() const { return device_; }
  [[nodiscard]] xhal_stream_t stream() const { return stream_; }
  [[nodiscard]] xhal_stream_t second_stream() const { return second_; }
  [[nodiscard]] xhal_event_t event() const { return event_; }
  // Whether a kernel of the stream was seen to run while others were submitted.
  [[nodiscard]] HeldStream hold(Bench& bench) { return HeldStream(bench, stream_); }

 private:
  xhal_device_t device_;
  Stream stream_;
  Stream second_;
  Event event_;
  Calls calls_;
  std::unique_ptr<NothingLaunch> launch_;
};
using HalLane = XhalLane<ThroughLibxhal>;
using TableLane = XhalLane<DriverTable>;

}  // namespace xhal::bench
