// SPDX-License-Identifier: Apache-2.0
#include "frame/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <thread>
#include <tuple>

#include "frame/check.h"
#include "frame/kernel_pack.h"
#include "frame/objects.h"

namespace xhal::conformance {

namespace {

// One thread a process, from the first gate on; never joined, because it must be able to open gates until the very end.
class Watchdog {
 public:
  static Watchdog& instance() {
    static auto* watchdog = new Watchdog;
    return *watchdog;
  }

  void watch(std::shared_ptr<GateState> gate, std::chrono::nanoseconds limit) {
    const std::lock_guard lock(mutex_);
    watched_.push_back({std::move(gate), std::chrono::steady_clock::now() + limit});
    if (!started_) {
      started_ = true;
      std::thread([this] { run(); }).detach();
    }
    changed_.notify_one();
  }

 private:
  struct Entry {
    std::shared_ptr<GateState> gate;
    std::chrono::steady_clock::time_point deadline;
  };

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      auto next = now + std::chrono::hours(1);
      watched_.remove_if([&](const Entry& entry) {
        if (entry.gate->opened.load()) return true;
        if (entry.deadline <= now) {
          entry.gate->force_open();
          return true;
        }
        next = std::min(next, entry.deadline);
        return false;
      });
      changed_.wait_until(lock, next);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Entry> watched_;
  bool started_ = false;
};

void host_gate(void* user, xhal_result_t) { static_cast<GateState*>(user)->block(); }

}  // namespace

void GateState::open() {
  const std::lock_guard lock(mutex_);
  if (opened.exchange(true)) return;
  if (flag != nullptr) store(flag, 1);
  if (release) release();
  changed_.notify_all();
}

void GateState::force_open() {
  {
    const std::lock_guard lock(mutex_);
    if (!opened.load()) forced.store(true);
  }
  open();
}

void GateState::block() {
  std::unique_lock lock(mutex_);
  entered.store(true);
  changed_.notify_all();
  changed_.wait(lock, [this] { return opened.load(); });
}

Gate::Gate(Context& t, xhal_stream_t stream, Kind kind, size_t device, Entry entry)
    : state_(std::make_shared<GateState>()), device_(device) {
  if (t.synchronous(device)) {
    t.note("the device declares itself synchronous: nothing can be held, results alone tell");
    state_->open();
    return;
  }
  t.prepare(device);
  kernel_ = kind == Kind::kKernel || (kind == Kind::kAutomatic && t.has_kernels(device) &&
                                      t.claims(XHAL_FEATURE_CROSS_STREAM_PROGRESS, device));
  t.keep(state_);
  // Half of patience: what blocks behind the gate gets on with the other half.
  Watchdog::instance().watch(state_, std::chrono::nanoseconds(t.patience() / 2));
  if (kernel_) {
    shut_with_kernel(t, stream);
  } else {
    shut_with_host_function(t, stream);
  }
  shut_ = true;
  if (entry == Entry::kLater) return;
  const bool began = t.eventually([&] {
    if (this->entered()) return true;
    // A stream that calls itself done here lost the gate: no use in waiting for it. Two calls must say so: one that lies is for the
    // test to find, by its clause.
    return xhal_stream_query(stream) != XHAL_NOT_READY &&
           xhal_stream_synchronize(stream, 0) != XHAL_TIMEOUT && !this->entered();
  });
  if (!this->entered()) {
    t.recorder().failed(
        "", XHAL_HERE, kernel_ ? "a gate kernel on an idle stream" : "a gate host function on an idle stream",
        fmt::format("it {}; the stream's query says {}", began ? "was lost" : "did not begin",
                    result_name(xhal_stream_query(stream))));
    throw StopTest();
  }
}

Gate::Gate(Context& t, std::function<void()> release, size_t device)
    : state_(std::make_shared<GateState>()), device_(device) {
  state_->release = std::move(release);
  if (t.synchronous(device)) {
    t.note("the device declares itself synchronous: nothing can be held, results alone tell");
    state_->open();
    return;
  }
  t.prepare(device);
  t.keep(state_);
  Watchdog::instance().watch(state_, std::chrono::nanoseconds(t.patience() / 2));
  shut_ = true;
}

void Gate::shut_with_kernel(Context& t, xhal_stream_t stream) {
  xhal_kernel_t kernel = t.kernel("xhal_gate_u32", device_);
  std::tie(state_->flag, state_->entered_word) = t.gate_words(device_);
  Launch launch(kernel);
  launch.updates(state_->flag, sizeof(uint32_t))
      .value(uint32_t{1})
      .writes(state_->entered_word, sizeof(uint32_t));
  REQUIRE_OK(launch.on(stream));
}

void Gate::shut_with_host_function(Context& t, xhal_stream_t stream) {
  // Kept for good, small as it is: a driver may run the function after all, much later.
  static auto* const kept = new std::vector<std::shared_ptr<GateState>>;
  kept->push_back(state_);
  REQUIRE_OK(xhal_stream_host_function(stream, host_gate, state_.get()));
}

bool Gate::entered() const {
  if (state_->release) return shut_;
  if (kernel_) return state_->entered_word != nullptr && load(state_->entered_word) != 0;
  return state_->entered.load();
}

Gate::Kind gate_kind(const std::string& word) {
  return word == "kernel" ? Gate::Kind::kKernel : Gate::Kind::kHostFunction;
}

Axis gate_axis() {
  return {
      "hold",
      {Value("kernel", {XHAL_FEATURE_KERNEL, XHAL_FEATURE_CROSS_STREAM_PROGRESS}), Value("host_function")}};
}

}  // namespace xhal::conformance
