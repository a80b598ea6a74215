// SPDX-License-Identifier: Apache-2.0
// A stream: a queue of operations and the lane that executes them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "activity/activity.hpp"
#include "engine/biased_lock.hpp"
#include "engine/op_queue.hpp"
#include "engine/scheduler.hpp"
#include "graph/graph.hpp"

namespace xhal::sim {

class Capture;
class Stream;

// What a stream needs of its device.
class StreamHost {
 public:
  virtual Scheduler& scheduler() = 0;
  virtual ProgressPool& progresses() = 0;
  virtual FaultLog& faults() = 0;
  virtual Activity& activity() = 0;
  // A failure that the stream is the first to see; not called for work that was merely dropped.
  virtual void failed(const Fault* fault) = 0;
  // Whether the failure is told by somebody else than streams, now and later.
  virtual bool keeps(const Fault* /*fault*/) const { return true; }
  // Nothing is queued: frees that waited for the stream may go ahead.
  virtual void went_idle() = 0;
  // The stream's operation at `later` waits for `earlier`, which was not done yet.
  virtual void follows(const Position& /*later*/, const Position& /*earlier*/) {}
  // The stream has left its thread: take it from all lists. Its memory goes right after.
  virtual void forget(Stream& stream) = 0;
  // Where device addresses lie; constant while a stream has work.
  struct Window {
    uint64_t base = 0, size = 0, distance = 0;
  };
  [[nodiscard]] virtual Window window() const = 0;

 protected:
  ~StreamHost() = default;
};

class Stream final : public Lane, private Waiter {
 public:
  struct Kind {
    bool is_default = false;
    int32_t priority = 0;  // lower is more urgent
  };
  Stream(StreamHost& host, uint64_t number, const Kind& kind);

  alignas(64) const uint64_t id;
  const bool is_default;
  const int32_t priority;
  xhal_stream_t handle = nullptr;  // the one that it was made with; set before anybody has it

  // ---- Submission: SUCCESS, or why the stream takes nothing: the code of the failure that poisons it, INVALID_HANDLE when it is
  // ---- stale, OUT_OF_HOST_MEMORY when it can have no thread.

  // `fill(op)` makes the operation's body and takes over its attachment, once nothing can fail any more;
  // when it throws, or returns an error, that is passed on and nothing was submitted.
  // op.number is set: the last of `numbers` that are the operation's. In a capture it becomes a node.
  template <class Fill>
  xhal_result_t submit(Fill&& fill, uint64_t* out_number = nullptr, uint64_t numbers = 1);

  // The position of everything submitted so far.
  xhal_result_t mark(Position& out_position);
  // Untimed and timed record of an event, and waiting for one. `external`: in a capture as a node of its own.
  xhal_result_t record(Event& event, bool external = false);
  xhal_result_t wait(const Event& event, bool external = false);
  xhal_result_t wait(const Position& position);
  // One operation for the whole of it.
  xhal_result_t launch_graph(GraphExec& exec);
  // Lets the calling thread do one operation itself, in the lane's place, when the stream is healthy and idle; false when it is not.
  // Between the two calls the operation counts as submitted and not done.
  struct Here {
    Progress* progress = nullptr;
    uint64_t number = 0;
  };
  [[nodiscard]] bool begin_here(Here& out);
  void end_here(const Here& here);
  // Healthy, and nothing is submitted that is not done.
  [[nodiscard]] bool is_idle() const {
    const Progress& progress = this->progress();
    return progress.fault() == nullptr && progress.reached(progress.submitted());
  }
  // True when it is idle; nothing can be submitted until end_idle(), which is owed either way.
  [[nodiscard]] bool begin_idle() {
    submit_lock_.lock();
    const Progress& now = progress();
    return now.reached(now.submitted());
  }
  void end_idle() { submit_lock_.unlock(); }

  // ---- Captures. They are left, without a graph, by drop_all(), abandon() and leave().

  xhal_result_t begin_capture(const std::shared_ptr<Capture>& capture);
  xhal_result_t end_capture(GraphNodes& out);
  // A node that no operation makes. CAPTURE_MISMATCH when it is in no capture.
  xhal_result_t capture_node(GraphNode node);
  // Null when it is in none.
  [[nodiscard]] std::shared_ptr<Capture> capture() const;
  // The same, cheaply; what it says may be over.
  [[nodiscard]] bool may_capture() const { return may_capture_.load(std::memory_order_acquire); }

  // ---- Questions.

  [[nodiscard]] StreamHost& host() const { return host_; }
  [[nodiscard]] Progress& progress() const { return *progress_.load(std::memory_order_acquire); }
  // Whether it takes no work any more because its device was reset or its instance is being destroyed.
  [[nodiscard]] bool is_stale() const { return stale_.load(std::memory_order_acquire); }

  // ---- The end of it. Called under the lock that guards the device's list of streams.

  // No more handle: it finishes what it has. False when nobody runs it any more and the caller deletes it.
  [[nodiscard]] bool leave();
  // Drops all that has not run: kernels that ask are told to return, host functions run with the reason's code.
  void drop_all(const Fault* reason);
  // The same, and takes no more work.
  void abandon(const Fault* reason);
  // After all of it was dropped: a healthy, empty stream again. For the default stream, whose handle stays.
  void revive();

 private:
  // Lane
  End run(Place& place) override;
  uint64_t taken() const override { return queue_.taken(); }
  void finished() override;
  // Waiter: the position that the first operation waits for is done.
  void reached() override { signal(host_.scheduler()); }

  xhal_result_t refusal() const;
  bool start();
  void drop_all_locked(const Fault* reason);
  // False when the operation must be tried again.
  bool run_one(Op& op, Place& place);
  // Null when done, the failure when it failed. Sets `pending` when it must be tried again. Gives a record to who wants one.
  const Fault* execute(const Op& op, Place& place, bool& pending);
  const Fault* perform(const Op& op, Place& place, bool& pending);
  const Fault* execute_launch(const Op& op, Place& place);
  const Fault* execute_graph(const Op& op, Place& place, bool& pending);
  const Fault* wait_for(const Position& position, bool& pending);
  const Fault* wait_for_value(const ValueWaitOp& op, Place& place);
  void call(const HostFunctionOp& op, Place& place, xhal_result_t status);
  const Fault* drop_reason() const;
  void give_back_progress();
  bool wait_is_over(const Position& position);
  void skip(const Op& op, Place& place, const Fault* fault);

  // run(), between its times when somebody wants a record of it; delivers that unless `pending`, which run() may set.
  struct Deed {
    uint32_t kind = 0;  // 0: there are no records of it
    uint32_t detail = 0;
    uint64_t bytes = 0;
    const char* name = "";
    uint64_t launch_correlation = 0;
  };
  static Deed deed_of(const Op& op);
  template <class Run>
  void observe(const Deed& deed, const bool& pending, Run&& run);
  [[nodiscard]] bool is_observed() const { return activity_.wanted() != 0 || watch_.in_use; }

  template <class Fill>
  static xhal_result_t fill_with(Fill& fill, Op& op) {
    if constexpr (std::is_void_v<std::invoke_result_t<Fill&, Op&>>) {
      fill(op);
      return XHAL_SUCCESS;
    } else {
      return fill(op);
    }
  }

  // submit() with a way of its own where the stream captures, which in_capture() takes under submit_lock_.
  template <class Fill, class InCapture>
  xhal_result_t submit_unless_captured(Fill& fill, InCapture&& in_capture, uint64_t* out_number = nullptr,
                                       uint64_t numbers = 1);
  // Under submit_lock_. False when there is no capture, or no more.
  bool in_capture();
  xhal_result_t add_to_capture(GraphNode node);
  xhal_result_t record_in_capture(Event& event, bool external);
  static GraphNode work_node(Op op);

  // What several threads look at and hardly anybody changes.
  StreamHost& host_;
  const uint32_t slow_;  // Oddness::slow
  // Whether the calling thread may do an operation in the lane's place: not what is slow, or is not to start yet.
  const bool may_work_here_;
  Activity& activity_;
  std::atomic<Progress*> progress_;
  std::atomic<bool> stale_{false};
  std::atomic<bool> leaving_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> may_capture_{false};
  bool started_ = false;
  const Fault* drop_reason_ = nullptr;  // valid once abandoned_ was seen
  std::shared_ptr<Capture> capture_;

  // Of whoever submits.
  alignas(64) mutable BiasedLock submit_lock_;

  OpQueue queue_;
  // Of whoever runs the lane.
  alignas(64) const Progress* waits_for_ = nullptr;
  // What records say of the operation under way, which may be tried several times.
  struct {
    bool in_use = false;
    uint64_t begin_ns = 0;
    uint64_t graph_begin_ns = 0;
    uint64_t correlation_id = 0;
  } watch_;
};

template <class Fill, class InCapture>
xhal_result_t Stream::submit_unless_captured(Fill& fill, InCapture&& in_capture, uint64_t* out_number,
                                             uint64_t numbers) {
  {
    const std::lock_guard lock(submit_lock_);
    if (const xhal_result_t result = refusal(); result < 0) return result;
    if (capture_ != nullptr && this->in_capture()) [[unlikely]]
      return in_capture();
    if (!started_ && !start()) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
    Op& op = queue_.next_slot();
    op.external_correlation = activity_.external_correlation();
    Progress& progress = this->progress();
    op.number = progress.submitted() + numbers;
    if (const xhal_result_t result = fill_with(fill, op); result < 0) return result;
    if (out_number != nullptr) *out_number = op.number;
    progress.submit(op.number);
    queue_.commit(op);
    if (!push()) return XHAL_SUCCESS;
  }
  signal(host_.scheduler());
  return XHAL_SUCCESS;
}

template <class Fill>
xhal_result_t Stream::submit(Fill&& fill, uint64_t* out_number, uint64_t numbers) {
  const auto as_node = [&]() -> xhal_result_t {
    Op op{};
    if (const xhal_result_t result = fill_with(fill, op); result < 0) return result;
    return add_to_capture(work_node(std::move(op)));
  };
  return submit_unless_captured(fill, as_node, out_number, numbers);
}

}  // namespace xhal::sim
