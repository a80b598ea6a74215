// SPDX-License-Identifier: Apache-2.0
#include "engine/stream.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/move_bytes.hpp"
#include "graph/capture.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::sim {

namespace {

uint32_t urgency_of(int32_t priority) {
  return static_cast<uint32_t>(std::clamp(-priority, 0, static_cast<int32_t>(kUrgencies) - 1));
}

// The word is written by the host, by other devices' workers and by kernels.
template <class Word>
bool compares(const std::byte* address, uint64_t wanted, uint32_t comparison) {
  const Word word = __atomic_load_n(reinterpret_cast<const Word*>(address), __ATOMIC_ACQUIRE);
  const Word value = static_cast<Word>(wanted);
  switch (comparison) {
    case XHAL_COMPARE_EQUAL:
      return word == value;
    case XHAL_COMPARE_GREATER_EQUAL:
      return word >= value;
    case XHAL_COMPARE_AND_NOT_ZERO:
      return (word & value) != 0;
    default:
      return static_cast<Word>(~(word | value)) != 0;
  }
}

bool value_has_come(const ValueWaitOp& op) {
  return op.width == sizeof(uint32_t) ? compares<uint32_t>(op.word, op.value, op.comparison)
                                      : compares<uint64_t>(op.word, op.value, op.comparison);
}

void write_value(const ValueWriteOp& op) {
  if (op.width == sizeof(uint32_t)) {
    __atomic_store_n(reinterpret_cast<uint32_t*>(op.word), static_cast<uint32_t>(op.value), __ATOMIC_RELEASE);
  } else {
    __atomic_store_n(reinterpret_cast<uint64_t*>(op.word), op.value, __ATOMIC_RELEASE);
  }
}

}  // namespace

Stream::Stream(StreamHost& host, uint64_t number, const Kind& kind)
    : Lane(urgency_of(kind.priority)),
      id(number),
      is_default(kind.is_default),
      priority(kind.priority),
      host_(host),
      slow_(host.scheduler().odd.slow),
      may_work_here_(slow_ == 0 && !host.scheduler().odd.has(Oddity::kLazy)),
      activity_(host.activity()),
      progress_(host.progresses().take()) {}

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
  started_ = host_.scheduler().start();
  return started_;
}

xhal_result_t Stream::mark(Position& out_position) {
  const std::lock_guard lock(submit_lock_);
  if (const xhal_result_t result = refusal(); result < 0) return result;
  out_position = {&progress(), progress().submitted()};
  return XHAL_SUCCESS;
}

xhal_result_t Stream::record(Event& event, bool external) {
  const auto in_capture = [&] { return record_in_capture(event, external); };
  if (event.needs_stamp()) {
    const auto fill = [&](Op& op) -> xhal_result_t {
      const uint64_t generation = event.publish({&progress(), op.number}, true);
      if (generation == 0) return XHAL_ERROR_LIMIT_EXCEEDED;
      progress().name(op.number);
      op.make(StampOp{&event, generation});
      return XHAL_SUCCESS;
    };
    return submit_unless_captured(fill, in_capture);
  }
  const std::lock_guard lock(submit_lock_);
  if (const xhal_result_t result = refusal(); result < 0) return result;
  if (this->in_capture()) return in_capture();
  progress().name(progress().submitted());
  event.publish({&progress(), progress().submitted()});
  return XHAL_SUCCESS;
}

xhal_result_t Stream::record_in_capture(Event& event, bool external) {
  if (external && event.shared != nullptr) return XHAL_ERROR_CAPTURE_UNSUPPORTED;
  if (external) return add_to_capture({GraphNode::Kind::kRecord, nullptr, EventHold(event), {}});
  CaptureMark mark = {capture_, {}};
  if (const xhal_result_t result = capture_->front(this, mark.front); result < 0) return result;
  event.mark(std::move(mark));
  return XHAL_SUCCESS;
}

xhal_result_t Stream::wait(const Event& event, bool external) {
  if (!event.may_be_marked() && !may_capture()) [[likely]]
    return wait(event.current());
  const auto mark = event.capture_mark();
  std::unique_lock lock(submit_lock_);
  if (const xhal_result_t result = refusal(); result < 0) return result;
  const bool capturing = in_capture();  // the stream's capture, too, may be over since
  if (mark == nullptr && !capturing) {
    lock.unlock();
    return wait(event.current());
  }
  if (external && capturing)
    return add_to_capture({GraphNode::Kind::kWait, nullptr, EventHold(const_cast<Event&>(event)), {}});
  if (mark == nullptr) {
    // It captures: whoever never recorded is waited for by nobody.
    return event.generation() == 0 ? XHAL_SUCCESS : XHAL_ERROR_CAPTURE_UNSUPPORTED;
  }
  if (capturing && capture_ != mark->capture) return XHAL_ERROR_CAPTURE_UNSUPPORTED;
  if (const xhal_result_t result = mark->capture->join(this, mark->front); result < 0) return result;
  capture_ = mark->capture;
  may_capture_.store(true, std::memory_order_release);
  return XHAL_SUCCESS;
}

xhal_result_t Stream::wait(const Position& position) {
  const bool nothing_to_wait_for = position.progress == nullptr || position.progress == &progress() ||
                                   position.progress->status(position.number) == XHAL_SUCCESS;
  if (nothing_to_wait_for) {
    const std::lock_guard lock(submit_lock_);
    return refusal();
  }
  const auto fill = [&](Op& op) {
    op.make(WaitOp{position});
    progress().name(op.number);  // what waited and was dropped is known to the order of streams
    host_.follows({&progress(), op.number}, position);
  };
  // A capture that has begun since it was looked for.
  return submit_unless_captured(fill, []() -> xhal_result_t { return XHAL_ERROR_CAPTURE_UNSUPPORTED; });
}

xhal_result_t Stream::launch_graph(GraphExec& exec) {
  const std::lock_guard turn(exec.mutex);
  const auto as_nodes = [&] { return capture_->add_all(this, *exec.nodes); };
  const auto in_capture_or = [&](xhal_result_t otherwise) {
    const std::lock_guard lock(submit_lock_);
    if (const xhal_result_t result = refusal(); result < 0) return result;
    return in_capture() ? as_nodes() : otherwise;
  };
  constexpr xhal_result_t kNotCaptured = XHAL_NOT_READY;
  if (may_capture()) {
    if (const xhal_result_t result = in_capture_or(kNotCaptured); result != kNotCaptured) return result;
  }
  auto run = std::make_unique<GraphRun>(exec.nodes);
  // Order is all that one launch owes the former: a failure of that one is not handed on once it is over.
  const Position& former = exec.last_launch;
  if (former.progress != nullptr && !former.progress->reached(former.number)) {
    // A capture that has begun meanwhile takes the launch, not the wait.
    if (const xhal_result_t result = wait(former); result < 0) return in_capture_or(result);
  }
  Position end = {&progress(), 0};
  const uint64_t numbers = run->generations.size() + 1;
  const auto fill = [&](Op& op) {
    end.progress = &progress();
    progress().name(op.number);
    uint64_t number = op.number - numbers;
    auto generation = run->generations.begin();
    for (const uint32_t index : run->nodes->events) {
      const GraphNode& node = (*run->nodes)[index];
      if (node.kind == GraphNode::Kind::kRecord)
        *generation++ = node.event.get()->publish({end.progress, ++number});
    }
    op.make(GraphOp{run.get()});
    op.attachment = std::move(run);
  };
  const xhal_result_t result = submit_unless_captured(fill, as_nodes, &end.number, numbers);
  if (result >= 0 && run == nullptr) exec.last_launch = end;
  return result;
}

bool Stream::begin_here(Here& out) {
  if (!may_work_here_) return false;
  const std::lock_guard lock(submit_lock_);
  Progress& progress = this->progress();
  const uint64_t submitted = progress.submitted();
  if (refusal() < 0 || in_capture() || progress.fault() != nullptr || !progress.reached(submitted) ||
      !try_take())
    return false;
  out = {&progress, submitted + 1};
  progress.submit(submitted + 1);
  return true;
}

void Stream::end_here(const Here& here) {
  here.progress->retire(here.number);
  give_back(host_.scheduler());
}

// ---- Captures ------------------------------------------------------------------------------------------------------------------

// A capture may have been ended by another of its streams.
bool Stream::in_capture() {
  if (capture_ == nullptr) return false;
  if (capture_->state() != XHAL_CAPTURE_STATE_NONE) return true;
  capture_.reset();
  may_capture_.store(false, std::memory_order_release);
  return false;
}

GraphNode Stream::work_node(Op op) {
  auto work = std::make_shared<GraphNode::Work>();
  if (const auto* launch = op.as<LaunchOp>()) work->keeps = launch->launch.kernel->image->keep();
  work->op = std::move(op);
  return {GraphNode::Kind::kWork, std::move(work), {}, {}};
}

xhal_result_t Stream::add_to_capture(GraphNode node) { return capture_->add(this, std::move(node)); }

xhal_result_t Stream::begin_capture(const std::shared_ptr<Capture>& capture) {
  const std::lock_guard lock(submit_lock_);
  if (const xhal_result_t result = refusal(); result < 0) return result;
  if (in_capture()) return XHAL_ERROR_CAPTURE_MISMATCH;
  capture_ = capture;
  may_capture_.store(true, std::memory_order_release);
  return XHAL_SUCCESS;
}

xhal_result_t Stream::end_capture(GraphNodes& out) {
  const std::lock_guard lock(submit_lock_);
  if (!in_capture()) return XHAL_ERROR_CAPTURE_MISMATCH;
  const xhal_result_t result = capture_->end(this, out);
  in_capture();
  return result;
}

xhal_result_t Stream::capture_node(GraphNode node) {
  const std::lock_guard lock(submit_lock_);
  return in_capture() ? add_to_capture(std::move(node)) : XHAL_ERROR_CAPTURE_MISMATCH;
}

std::shared_ptr<Capture> Stream::capture() const {
  if (!may_capture()) return nullptr;
  const std::lock_guard lock(submit_lock_);
  return capture_ != nullptr && capture_->state() != XHAL_CAPTURE_STATE_NONE ? capture_ : nullptr;
}

// ---- Records -------------------------------------------------------------------------------------------------------------------

Stream::Deed Stream::deed_of(const Op& op) {
  if (const auto* launch = op.as<LaunchOp>())
    return {XHAL_ACTIVITY_KERNEL, 0, 0, launch->launch.kernel->name.c_str(), launch->launch.correlation_id};
  if (const auto* copy = op.as<CopyOp>()) return {XHAL_ACTIVITY_COPY, copy->direction, copy->size};
  if (const auto* region = op.as<RegionOp>()) {
    const auto& extent = region->copy->region.extent;
    return {XHAL_ACTIVITY_COPY, region->copy->direction, extent[0] * extent[1] * extent[2]};
  }
  if (const auto* fill = op.as<FillOp>()) return {XHAL_ACTIVITY_FILL, 0, fill->size};
  if (op.kind == OpKind::kHostFunction) return {XHAL_ACTIVITY_HOST_FUNCTION};
  if (op.kind == OpKind::kWait || op.kind == OpKind::kValueWait) return {XHAL_ACTIVITY_WAIT};
  if (op.kind == OpKind::kGraph) return {XHAL_ACTIVITY_GRAPH};
  return {};
}

template <class Run>
void Stream::observe(const Deed& deed, const bool& pending, Run&& run) {
  uint64_t& begin = deed.kind == XHAL_ACTIVITY_GRAPH ? watch_.graph_begin_ns : watch_.begin_ns;
  if ((activity_.wanted() & deed.kind) == 0) {
    run();
    if (!pending) begin = 0;
    return;
  }
  watch_.in_use = true;
  if (begin == 0) begin = host_.scheduler().now_ns();
  run();
  if (pending) return;
  // Nodes of a graph belong to the submission that launched it.
  if (watch_.correlation_id == 0) watch_.correlation_id = kit::services().next_id();
  const uint64_t external = queue_.front().external_correlation;
  xhal_activity_record_t record = {};
  record.kind = deed.kind;
  record.detail = deed.detail;
  record.stream_id = id;
  record.correlation_id = watch_.correlation_id;
  record.external_correlation = external != 0 ? external : deed.launch_correlation;
  record.begin_ns = std::exchange(begin, 0);
  record.end_ns = host_.scheduler().now_ns();
  record.bytes = deed.bytes;
  record.name = deed.name;
  activity_.deliver(record);
}

// ---- Execution, by the lane's thread -------------------------------------------------------------------------------------------

Lane::End Stream::run(Place& place) {
  uint64_t available = queue_.taken();
  for (uint64_t done = 0;; ++done) {
    if (available == queue_.taken()) {
      const bool leaving = leaving_.load(std::memory_order_acquire);
      available = pushed();
      if (available == queue_.taken()) {
        if (leaving) return End::kFinished;
        host_.went_idle();
        return End::kEmpty;
      }
      if (done != 0) note_arrival();
    }
    Scheduler& scheduler = host_.scheduler();
    if (done != 0) {
      if (scheduler.should_yield(urgency(), done)) return End::kYielded;
      if (place.owes_wake) scheduler.settle(place);
    }
    if (!run_one(queue_.front(), place)) return End::kStalled;
  }
}

bool Stream::run_one(Op& op, Place& place) {
  Progress& progress = this->progress();
  const Fault* fault = progress.fault();
  if (fault == nullptr) [[likely]] {
    bool pending = false;
    fault = drop_reason();
    const bool dropped = fault != nullptr;
    if (!dropped) fault = execute(op, place, pending);
    if (pending) return false;
    if (fault != nullptr) {
      if (!dropped && fault != drop_reason()) host_.failed(fault);
      progress.fail(std::min(op.number, progress.done() + 1), fault);
      skip(op, place, fault);
    }
  } else {
    skip(op, place, fault);
  }
  if (watch_.in_use) [[unlikely]]
    watch_ = {};
  const uint64_t number = op.number;
  op.release();
  queue_.pop();
  place.beat();
  progress.retire(number);
  return true;
}

// What is left of an operation that is not executed: host functions run all the same, and a wait is given up.
void Stream::skip(const Op& op, Place& place, const Fault* fault) {
  if (const auto* function = op.as<HostFunctionOp>()) {
    const bool pending = false;
    observe(deed_of(op), pending, [&] { call(*function, place, fault->code); });
  }
  if (const auto* graph = op.as<GraphOp>()) {
    for (GraphRun& run = *graph->run; run.next < run.nodes->size(); ++run.next) {
      const GraphNode& node = (*run.nodes)[run.next];
      if (node.kind == GraphNode::Kind::kWork) skip(node.work->op, place, fault);
    }
  }
  if (const auto* stamp = op.as<StampOp>()) stamp->event->drop(stamp->generation, fault->code);
  if (waits_for_ != nullptr) std::exchange(waits_for_, nullptr)->remove(*this);
}

void Stream::call(const HostFunctionOp& op, Place& place, xhal_result_t status) {
  Scheduler& scheduler = host_.scheduler();
  scheduler.begin_blocking(place);
  if (scheduler.odd.has(Oddity::kForeignCallbacks)) [[unlikely]] {
    call_elsewhere([&] { kit::run_host_function(op.function, op.user, status); });
  } else {
    kit::run_host_function(op.function, op.user, status);
  }
  scheduler.end_blocking(place);
}

const Fault* Stream::execute(const Op& op, Place& place, bool& pending) {
  if (!is_observed()) [[likely]]
    return perform(op, place, pending);
  const Fault* fault = nullptr;
  observe(deed_of(op), pending, [&] { fault = perform(op, place, pending); });
  return fault;
}

const Fault* Stream::perform(const Op& op, Place& place, bool& pending) {
  if (slow_ != 0) [[unlikely]]
    dawdle(slow_, op, abandoned_);
  const auto unless_dropped = [&](bool done) { return done ? nullptr : drop_reason(); };
  switch (op.kind) {
    case OpKind::kLaunch:
      return execute_launch(op, place);
    case OpKind::kCopy: {
      const auto& copy = op.body<CopyOp>();
      return unless_dropped(move_bytes(copy.destination, copy.source, copy.size, abandoned_));
    }
    case OpKind::kFill: {
      const auto& fill = op.body<FillOp>();
      return unless_dropped(
          fill_bytes(fill.destination, fill.pattern, fill.pattern_size, fill.size, abandoned_));
    }
    case OpKind::kRegion:
      return unless_dropped(move_region(op.body<RegionOp>().copy->region, abandoned_));
    case OpKind::kHostFunction:
      call(op.body<HostFunctionOp>(), place, XHAL_SUCCESS);
      return nullptr;
    case OpKind::kStamp: {
      const auto& stamp = op.body<StampOp>();
      stamp.event->stamp(stamp.generation, host_.scheduler().now_ns());
      return nullptr;
    }
    case OpKind::kWait:
      return wait_for(op.body<WaitOp>().position, pending);
    case OpKind::kValueWait:
      return wait_for_value(op.body<ValueWaitOp>(), place);
    case OpKind::kValueWrite:
      write_value(op.body<ValueWriteOp>());
      return nullptr;
    case OpKind::kGraph:
      return execute_graph(op, place, pending);
    case OpKind::kEmpty:
    case OpKind::kNextSegment:
      break;
  }
  return nullptr;
}

const Fault* Stream::wait_for(const Position& position, bool& pending) {
  if (position.progress == nullptr || position.progress == &progress()) return nullptr;
  pending = !wait_is_over(position);
  if (pending || position.progress->status(position.number) >= 0) return nullptr;
  return position.progress->fault();
}

// Whoever writes the word tells nobody, so it is looked at again and again, less often as time passes.
const Fault* Stream::wait_for_value(const ValueWaitOp& op, Place& place) {
  if (value_has_come(op)) return nullptr;
  Scheduler& scheduler = host_.scheduler();
  scheduler.begin_blocking(place);
  const Fault* reason = nullptr;
  for (uint64_t turn = 0; reason == nullptr && !value_has_come(op); ++turn) {
    scheduler.relax(turn);
    reason = drop_reason();
  }
  scheduler.end_blocking(place);
  return reason;
}

// Goes on where it stalled. A host function that has run is not run again when what follows is skipped.
const Fault* Stream::execute_graph(const Op& op, Place& place, bool& pending) {
  GraphRun& run = *op.body<GraphOp>().run;
  const uint64_t first_number = op.number - run.generations.size();
  for (; run.next < run.nodes->size(); ++run.next) {
    if (const Fault* reason = drop_reason(); reason != nullptr) return reason;
    const GraphNode& node = (*run.nodes)[run.next];
    const Fault* fault = nullptr;
    switch (node.kind) {
      case GraphNode::Kind::kWork:
        fault = execute(node.work->op, place, pending);
        break;
      case GraphNode::Kind::kWait:
        observe({XHAL_ACTIVITY_WAIT}, pending, [&] { fault = wait_for(run.waits[run.next_wait], pending); });
        if (!pending) ++run.next_wait;
        break;
      case GraphNode::Kind::kRecord: {
        Event& event = *node.event.get();
        if (event.timed) event.stamp(run.generations[run.next_record], host_.scheduler().now_ns());
        progress().retire(first_number + run.next_record++);
        break;
      }
      case GraphNode::Kind::kAllocate:
      case GraphNode::Kind::kFree:
        break;
    }
    if (pending) return nullptr;
    if (fault != nullptr) {
      ++run.next;
      return fault;
    }
    place.beat();
  }
  return nullptr;
}

const Fault* Stream::drop_reason() const {
  return abandoned_.load(std::memory_order_acquire) ? drop_reason_ : nullptr;
}

bool Stream::wait_is_over(const Position& position) {
  const Progress& progress = *position.progress;
  if (waits_for_ == nullptr) {
    if (!progress.add(*this, position.number)) return true;
    waits_for_ = &progress;
    return false;
  }
  if (!progress.reached(position.number)) return false;
  // Whoever woke this lane may still be in reached().
  progress.remove(*this);
  waits_for_ = nullptr;
  return true;
}

const Fault* Stream::execute_launch(const Op& op, Place& place) {
  const Launch& launch = op.body<LaunchOp>().launch;
  const StreamHost::Window window = host_.window();
  const std::byte* const arguments = op.attachment == nullptr
                                         ? launch.arguments
                                         : static_cast<const LargeArguments&>(*op.attachment).bytes.get();
  const LaunchOutcome outcome =
      run_launch(launch, {place, abandoned_, window.base, window.size, window.distance, arguments});
  if (outcome.end == LaunchEnd::kDone) return nullptr;
  if (outcome.end == LaunchEnd::kAbandoned) return drop_reason();
  const auto& group = outcome.group;
  return host_.faults().add(
      {XHAL_ERROR_LAUNCH_FAILED, "xhal_kernel_launch", launch.correlation_id, id,
       "kernel '" + launch.kernel->name + "' raised a trap in group (" + std::to_string(group[0]) + ", " +
           std::to_string(group[1]) + ", " + std::to_string(group[2]) +
           "); its stream takes no more work: reset the device, or use another stream"});
}

// ---- The end -------------------------------------------------------------------------------------------------------------------

bool Stream::leave() {
  const std::lock_guard lock(submit_lock_);
  leaving_.store(true, std::memory_order_release);
  if (in_capture()) capture_->abort();
  if (try_retire()) {
    give_back_progress();
    return false;
  }
  signal(host_.scheduler());
  return true;
}

// The first reason stays: the lane may have told it already.
void Stream::drop_all_locked(const Fault* reason) {
  if (in_capture()) capture_->abort();
  if (abandoned_.load(std::memory_order_relaxed)) return;
  drop_reason_ = reason;
  abandoned_.store(true, std::memory_order_release);
  if (started_) signal(host_.scheduler());
}

void Stream::drop_all(const Fault* reason) {
  const std::lock_guard lock(submit_lock_);
  drop_all_locked(reason);
}

void Stream::abandon(const Fault* reason) {
  const std::lock_guard lock(submit_lock_);
  stale_.store(true, std::memory_order_release);
  drop_all_locked(reason);
}

void Stream::revive() {
  const std::lock_guard lock(submit_lock_);
  Progress* former = &progress();
  // Positions of the former one go on telling what happened to them.
  progress_.store(host_.progresses().take(), std::memory_order_release);
  host_.progresses().give_back(former);
  abandoned_.store(false, std::memory_order_release);
  drop_reason_ = nullptr;
  stale_.store(false, std::memory_order_release);
}

void Stream::finished() {
  host_.forget(*this);
  // Whoever told it to leave, or told it that its wait is over, may still hold the lock.
  { const std::lock_guard lock(submit_lock_); }
  give_back_progress();
  delete this;
}

// A failure that came here by a wait is the other stream's.
void Stream::give_back_progress() {
  const Fault* const fault = progress().fault();
  const bool is_own = fault != nullptr && fault->stream_id == id && !host_.keeps(fault);
  host_.progresses().give_back_of_gone_stream(&progress(), host_.faults(), is_own ? fault : nullptr);
}

}  // namespace xhal::sim
