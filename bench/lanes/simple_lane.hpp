// SPDX-License-Identifier: Apache-2.0
// The scenarios as one writes them for the simple fake device: beside devices that are the same processors.
#pragma once

#include <cstring>
#include <memory>

#include "bench/lanes/simple_device.hpp"
#include "bench/runner/bench.hpp"

namespace xhal::bench {

class SimpleLane {
 public:
  static constexpr const char* kName = "simple_fake_device";
  explicit SimpleLane(Bench&) : event_(std::make_shared<SimpleEvent>()) {}
  static bool applies(const Bench& bench) { return bench.properties().kind == XHAL_DEVICE_KIND_CPU; }

  // A kernel is a function that has its arguments with it.
  void prepare_launch(Bench&, int) {}
  void launch() {
    struct Arguments {
      void* out;
      const void* in;
      uint64_t count;
    };
    const Arguments arguments{out_, in_, 0};
    stream_.submit([arguments] {
      auto* const out = static_cast<uint64_t*>(arguments.out);
      const auto* const in = static_cast<const uint64_t*>(arguments.in);
      for (uint64_t i = 0; i < arguments.count; ++i) out[i] = in[i];
    });
  }
  void synchronize() { stream_.synchronize(); }
  void synchronize_second() { second_.synchronize(); }
  void record() { stream_.record(event_); }
  bool query_event() { return event_->is_set(); }
  bool query_stream() { return stream_.is_idle(); }
  void synchronize_event() { event_->wait(); }
  void wait_event() { second_.wait(event_); }
  void host_function(xhal_host_fn function, void* user) {
    stream_.submit([function, user] { function(user, XHAL_SUCCESS); });
  }
  void copy(void* to, const void* from, uint64_t size) {
    stream_.submit([to, from, size] { std::memcpy(to, from, size); });
  }

 private:
  SimpleStream stream_;
  SimpleStream second_;
  std::shared_ptr<SimpleEvent> event_;
  void* out_ = nullptr;
  const void* in_ = nullptr;
};

}  // namespace xhal::bench
