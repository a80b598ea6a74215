// SPDX-License-Identifier: Apache-2.0
// A stream: a queue of operations and the lane that executes them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "engine/op_queue.hpp"
#include "engine/scheduler.hpp"

namespace xhal::sim {

class Stream;

// What a stream needs of its device.
class StreamHost {
 public:
  virtual Scheduler& scheduler() = 0;
  virtual ProgressPool& progresses() = 0;
  virtual FaultLog& faults() = 0;
  // A failure that the stream is the first to see; not called for work that was merely dropped.
  virtual void failed(const Fault* fault) = 0;
  // Nothing is queued: frees that waited for the stream may go ahead.
  virtual void went_idle() = 0;
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
  Stream(StreamHost& host, uint64_t number, bool of_device);

  const uint64_t id;
  const bool is_default;

  // ---- Submission: SUCCESS, or why the stream takes nothing: the code of the failure that poisons it, INVALID_HANDLE when it is
  // ---- stale, OUT_OF_HOST_MEMORY when it can have no thread.

  // `fill(body)` makes the operation's body; what it throws is thrown on and nothing was submitted.
  template <class Fill>
  xhal_result_t submit(const char* entry, uint64_t correlation_id, Fill&& fill,
                       uint64_t* out_number = nullptr);

  // The position of everything submitted so far.
  xhal_result_t mark(Position& out_position);
  // Untimed and timed record of an event.
  xhal_result_t record(const std::shared_ptr<Event>& event);
  xhal_result_t wait(const Position& position);
  // Lets the calling thread do one operation itself, in the lane's place, when the stream is healthy and idle; false when it is not.
  // Between the two calls the operation counts as submitted and not done.
  struct Here {
    Progress* progress = nullptr;
    uint64_t number = 0;
    uint64_t pushed = 0;
  };
  [[nodiscard]] bool begin_here(Here& out);
  void end_here(const Here& here);

  // ---- Questions.

  [[nodiscard]] StreamHost& host() const { return host_; }
  [[nodiscard]] Progress& progress() const { return *progress_.load(std::memory_order_acquire); }
  // Whether it takes no work any more because its device was reset or its instance is being destroyed.
  [[nodiscard]] bool is_stale() const { return stale_.load(std::memory_order_acquire); }

  // ---- The end of it. Called under the lock that guards the device's list of streams.

  // No more handle: it finishes what it has. False when it has no thread and the caller deletes it.
  [[nodiscard]] bool leave();
  // Drops all that has not run: kernels that ask are told to return, host functions run with the reason's code.
  void drop_all(const Fault* reason);
  // The same, and takes no more work.
  void abandon(const Fault* reason);
  // After all of it was dropped: a healthy, empty stream again. For the default stream, whose handle stays.
  void revive();

 private:
  // Lane
  Step step() override;
  void finished() override;
  // Waiter: the position that the first operation waits for is done.
  void reached() override { host_.scheduler().wake(*this); }

  xhal_result_t refusal() const;
  bool start();
  void drop_all_locked(const Fault* reason);
  void push(uint64_t* out_number);
  // Null when done, the failure when it failed. Sets `pending` when it must be tried again.
  const Fault* execute(Op& op, bool& pending);
  const Fault* execute_launch(Op& op);
  const Fault* drop_reason() const;
  bool wait_is_over(const WaitOp& op);
  void skip(Op& op, const Fault* fault);

  StreamHost& host_;
  std::mutex submit_mutex_;
  std::atomic<Progress*> progress_;
  std::atomic<bool> stale_{false};
  std::atomic<bool> leaving_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> running_here_{false};  // a submitting thread executes in the lane's place
  bool started_ = false;
  const Fault* drop_reason_ = nullptr;  // valid once abandoned_ was seen

  OpQueue queue_;
  // The lane's own.
  const Progress* waits_for_ = nullptr;
  ImageScratch scratch_;
  AlignedBytes local_memory_;
};

template <class Fill>
xhal_result_t Stream::submit(const char* entry, uint64_t correlation_id, Fill&& fill, uint64_t* out_number) {
  {
    const std::lock_guard lock(submit_mutex_);
    if (const xhal_result_t result = refusal(); result < 0) return result;
    if (!start()) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
    Op& op = queue_.next_slot();
    op.entry = entry;
    op.correlation_id = correlation_id;
    try {
      std::forward<Fill>(fill)(op.body);
    } catch (...) {
      op.body.template emplace<std::monostate>();
      throw;
    }
    op.number = progress().submitted() + 1;
    push(out_number);
  }
  host_.scheduler().wake(*this);
  return XHAL_SUCCESS;
}

}  // namespace xhal::sim
