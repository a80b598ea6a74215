// SPDX-License-Identifier: Apache-2.0
#include "engine/stream.hpp"

#include <algorithm>
#include <cstring>

#include "engine/move_bytes.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::sim {

Stream::Stream(StreamHost& host, uint64_t number, bool of_device)
    : id(number), is_default(of_device), host_(host), progress_(host.progresses().take()) {}

// ---- Submission ----------------------------------------------------------------------------------------------------------------

// A failure is told once everything behind it was dropped and its host functions ran; until then the stream takes work and drops it.
xhal_result_t Stream::refusal() const {
  if (is_stale()) return XHAL_ERROR_INVALID_HANDLE;
  const Progress& progress = this->progress();
  const Fault* fault = progress.fault();
  if (fault == nullptr || !progress.reached(progress.submitted())) return XHAL_SUCCESS;
  return fault->code;
}

bool Stream::start() {
  if (started_) return true;
  if (local_memory_ == nullptr) local_memory_ = allocate_aligned(kLocalBlockBytes, kLocalAlignment);
  started_ = host_.scheduler().start(*this);
  return started_;
}

void Stream::push(uint64_t* out_number) {
  const uint64_t number = progress().submitted() + 1;
  if (out_number != nullptr) *out_number = number;
  progress().submit(number);
  queue_.publish();
}

xhal_result_t Stream::mark(Position& out_position) {
  const std::lock_guard lock(submit_mutex_);
  if (const xhal_result_t result = refusal(); result < 0) return result;
  out_position = {&progress(), progress().submitted()};
  return XHAL_SUCCESS;
}

xhal_result_t Stream::record(const std::shared_ptr<Event>& event) {
  const std::lock_guard lock(event->record_mutex());
  Position position;
  if (event->timed) {
    const uint64_t generation = event->generation() + 1;
    const auto fill = [&](auto& body) {
      position.progress = &progress();
      body.template emplace<StampOp>(StampOp{event, generation});
    };
    if (const xhal_result_t result = submit("xhal_event_record", 0, fill, &position.number); result < 0)
      return result;
  } else if (const xhal_result_t result = mark(position); result < 0) {
    return result;
  }
  event->publish(position);
  return XHAL_SUCCESS;
}

xhal_result_t Stream::wait(const Position& position) {
  const bool nothing_to_wait_for = position.progress == nullptr || position.progress == &progress() ||
                                   position.progress->status(position.number) == XHAL_SUCCESS;
  if (nothing_to_wait_for) {
    const std::lock_guard lock(submit_mutex_);
    return refusal();
  }
  return submit("xhal_stream_wait_event", 0,
                [&](auto& body) { body.template emplace<WaitOp>(WaitOp{position}); });
}

bool Stream::begin_here(Here& out) {
  const std::lock_guard lock(submit_mutex_);
  Progress& progress = this->progress();
  const uint64_t submitted = progress.submitted();
  if (refusal() < 0 || progress.fault() != nullptr || !progress.reached(submitted)) return false;
  out = {&progress, submitted + 1, queue_.pushed()};
  running_here_.store(true,
                      std::memory_order_relaxed);  // the lane sees it with the next operation that is pushed
  progress.submit(submitted + 1);
  return true;
}

void Stream::end_here(const Here& here) {
  here.progress->retire(here.number);
  const std::lock_guard lock(submit_mutex_);
  running_here_.store(false, std::memory_order_release);
  if (queue_.pushed() != here.pushed) host_.scheduler().wake(*this);
}

// ---- Execution, by the lane's thread -------------------------------------------------------------------------------------------

Lane::Step Stream::step() {
  Op* op = queue_.front();
  if (op == nullptr) {
    const bool leaving = leaving_.load(std::memory_order_acquire);
    if (queue_.front() != nullptr) return Step::kRan;  // pushed before it was told to leave
    if (leaving) return Step::kFinished;
    host_.went_idle();
    return Step::kWaiting;
  }
  if (running_here_.load(std::memory_order_acquire)) return Step::kWaiting;

  Progress& progress = this->progress();
  const Fault* fault = progress.fault();
  if (fault == nullptr) {
    bool pending = false;
    fault = drop_reason();
    const bool dropped = fault != nullptr;
    if (!dropped) fault = execute(*op, pending);
    if (pending) return Step::kWaiting;
    if (fault != nullptr) {
      if (!dropped && fault != drop_reason()) host_.failed(fault);
      progress.fail(op->number, fault);
      skip(*op, fault);
    }
  } else {
    skip(*op, fault);
  }
  const uint64_t number = op->number;
  op->body.emplace<std::monostate>();
  queue_.pop();
  progress.retire(number);
  return Step::kRan;
}

// What is left of an operation that is not executed: host functions run all the same, and a wait is given up.
void Stream::skip(Op& op, const Fault* fault) {
  if (auto* call = std::get_if<HostFunctionOp>(&op.body))
    kit::run_host_function(call->function, call->user, fault->code);
  if (waits_for_ != nullptr) std::exchange(waits_for_, nullptr)->remove(*this);
}

const Fault* Stream::execute(Op& op, bool& pending) {
  if (auto* copy = std::get_if<CopyOp>(&op.body)) {
    return move_bytes(copy->destination, copy->source, copy->size, abandoned_) ? nullptr : drop_reason();
  }
  if (auto* region = std::get_if<RegionOp>(&op.body))
    return move_region(region->copy->region, abandoned_) ? nullptr : drop_reason();
  if (auto* fill = std::get_if<FillOp>(&op.body)) {
    return fill_bytes(fill->destination, fill->pattern, fill->pattern_size, fill->size, abandoned_)
               ? nullptr
               : drop_reason();
  }
  if (std::holds_alternative<LaunchOp>(op.body)) return execute_launch(op);
  if (auto* call = std::get_if<HostFunctionOp>(&op.body)) {
    kit::run_host_function(call->function, call->user, XHAL_SUCCESS);
    return nullptr;
  }
  if (auto* stamp = std::get_if<StampOp>(&op.body)) {
    stamp->event->stamp(stamp->generation, host_.scheduler().now_ns());
    return nullptr;
  }
  if (auto* wait = std::get_if<WaitOp>(&op.body)) {
    pending = !wait_is_over(*wait);
    if (pending || wait->position.progress->status(wait->position.number) >= 0) return nullptr;
    return wait->position.progress->fault();
  }
  return nullptr;
}

const Fault* Stream::drop_reason() const {
  return abandoned_.load(std::memory_order_acquire) ? drop_reason_ : nullptr;
}

bool Stream::wait_is_over(const WaitOp& op) {
  const Progress& progress = *op.position.progress;
  if (waits_for_ == nullptr) {
    if (!progress.add(*this, op.position.number)) return true;
    waits_for_ = &progress;
    return false;
  }
  if (!progress.reached(op.position.number)) return false;
  // Whoever woke this lane may still be in reached().
  progress.remove(*this);
  waits_for_ = nullptr;
  return true;
}

const Fault* Stream::execute_launch(Op& op) {
  Launch& launch = std::get<LaunchOp>(op.body).launch;
  const StreamHost::Window window = host_.window();
  const LaunchOutcome outcome =
      run_launch(launch, {host_.scheduler(), abandoned_, scratch_, local_memory_.get(), window.base,
                          window.size, window.distance});
  if (outcome.end == LaunchEnd::kDone) return nullptr;
  if (outcome.end == LaunchEnd::kAbandoned) return drop_reason();
  const auto& group = outcome.group;
  return host_.faults().add(
      {XHAL_ERROR_LAUNCH_FAILED, op.entry, op.correlation_id, id,
       "kernel '" + launch.kernel->name + "' raised a trap in group (" + std::to_string(group[0]) + ", " +
           std::to_string(group[1]) + ", " + std::to_string(group[2]) +
           "); its stream takes no more work: reset the device, or use another stream"});
}

// ---- The end -------------------------------------------------------------------------------------------------------------------

bool Stream::leave() {
  const std::lock_guard lock(submit_mutex_);
  leaving_.store(true, std::memory_order_release);
  if (!started_) {
    host_.progresses().give_back(&progress());
    return false;
  }
  host_.scheduler().wake(*this);
  return true;
}

// The first reason stays: the lane may have told it already.
void Stream::drop_all_locked(const Fault* reason) {
  if (abandoned_.load(std::memory_order_relaxed)) return;
  drop_reason_ = reason;
  abandoned_.store(true, std::memory_order_release);
  if (started_) host_.scheduler().wake(*this);
}

void Stream::drop_all(const Fault* reason) {
  const std::lock_guard lock(submit_mutex_);
  drop_all_locked(reason);
}

void Stream::abandon(const Fault* reason) {
  const std::lock_guard lock(submit_mutex_);
  stale_.store(true, std::memory_order_release);
  drop_all_locked(reason);
}

void Stream::revive() {
  const std::lock_guard lock(submit_mutex_);
  Progress* former = &progress();
  // Positions of the former one go on telling what happened to them.
  progress_.store(host_.progresses().take(), std::memory_order_release);
  host_.progresses().give_back(former);
  abandoned_.store(false, std::memory_order_release);
  drop_reason_ = nullptr;
  stale_.store(false, std::memory_order_release);
}

void Stream::finished() {
  scratch_.reset();
  host_.forget(*this);
  // Whoever told it to leave, or told it that its wait is over, may still be in Scheduler::wake.
  { const std::lock_guard lock(submit_mutex_); }
  host_.progresses().give_back(&progress());
  delete this;
}

}  // namespace xhal::sim
