// SPDX-License-Identifier: Apache-2.0
#include "work/queue.hpp"

#include <chrono>
#include <condition_variable>
#include <utility>

#include "device/device.hpp"
#include "device/quirks.hpp"
#include "graph/graph.hpp"
#include "kernels/kernel.hpp"
#include "kernels/launch.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::opencl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kLongWaitNs = 1'000'000'000;
// What clocks can add to a time of today; nobody waits as long.
constexpr uint64_t kLongestNs = uint64_t{1} << 62;

uint64_t now_ns() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count());
}

// Shared with a callback that may come when nobody waits any more.
struct Waiter {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
};

void CL_CALLBACK wake(cl_event, cl_int, void* user) {
  const std::unique_ptr<std::shared_ptr<Waiter>> waiter(static_cast<std::shared_ptr<Waiter>*>(user));
  {
    const std::lock_guard lock((*waiter)->mutex);
    (*waiter)->done = true;
  }
  (*waiter)->changed.notify_all();
}

xhal_result_t result_of(cl_int status) {
  return status < 0 ? XHAL_ERROR_LAUNCH_FAILED : status == CL_COMPLETE ? XHAL_SUCCESS : XHAL_NOT_READY;
}

// A host function from its submission on. Its stream goes on when `released` is set.
class HostCall final : public HostWork {
 public:
  HostCall(std::shared_ptr<Queue> queue, xhal_host_fn function, void* user, EventRef released)
      : queue_(std::move(queue)), function_(function), user_(user), released_(std::move(released)) {}

  void run() override {
    kit::run_host_function(function_, user_, status);
    queue_->device().instance->calls->clSetUserEventStatus(released_.get(), CL_COMPLETE);
  }
  [[nodiscard]] HostThreads& threads() const { return *queue_->device().instance->threads; }
  [[nodiscard]] cl_event released() const { return released_.get(); }

  xhal_result_t status = XHAL_SUCCESS;

 private:
  const std::shared_ptr<Queue> queue_;  // the last use of it may be this one
  xhal_host_fn function_;
  void* user_;
  EventRef released_;
};

void CL_CALLBACK pass_on(cl_event, cl_int, void* user) {
  const std::unique_ptr<std::pair<const Calls*, EventRef>> passed(
      static_cast<std::pair<const Calls*, EventRef>*>(user));
  passed->first->clSetUserEventStatus(passed->second.get(), CL_COMPLETE);
}

void CL_CALLBACK turn_has_come(cl_event, cl_int status, void* user) {
  std::unique_ptr<HostCall> call(static_cast<HostCall*>(user));
  call->status = status < 0 ? XHAL_ERROR_LAUNCH_FAILED : XHAL_SUCCESS;
  HostThreads& threads = call->threads();
  threads.run(std::move(call));
}

}  // namespace

// ---- Waiting -------------------------------------------------------------------------------------------------------------------

Deadline::Deadline(uint64_t timeout_ns) {
  end_ns_ = timeout_ns > kLongestNs ? XHAL_WAIT_FOREVER : now_ns() + timeout_ns;
}

uint64_t Deadline::left_ns() const {
  if (end_ns_ == XHAL_WAIT_FOREVER) return XHAL_WAIT_FOREVER;
  const uint64_t now = now_ns();
  return end_ns_ > now ? end_ns_ - now : 0;
}

cl_int EventRef::native_status() const {
  if (event_ == nullptr) return CL_COMPLETE;
  cl_int status = 0;
  const cl_int code =
      calls_->clGetEventInfo(event_, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, nullptr);
  return code == CL_SUCCESS ? status : code;
}

xhal_result_t EventRef::status() const { return result_of(native_status()); }

xhal_result_t EventRef::wait(uint64_t timeout_ns) const {
  if (timeout_ns > kLongestNs) timeout_ns = XHAL_WAIT_FOREVER;
  const xhal_result_t now = status();
  if (now != XHAL_NOT_READY) return now;
  if (timeout_ns == 0) return XHAL_TIMEOUT;
  if (timeout_ns == XHAL_WAIT_FOREVER) {
    calls_->clWaitForEvents(1, &event_);
    // Some drivers come back a moment before the event says that it is done.
    const xhal_result_t then = status();
    if (then != XHAL_NOT_READY) return then;
  }
  const auto waiter = std::make_shared<Waiter>();
  auto passed = std::make_unique<std::shared_ptr<Waiter>>(waiter);
  if (const cl_int code = calls_->clSetEventCallback(event_, CL_COMPLETE, wake, passed.get());
      code != CL_SUCCESS)
    return kit::fail_native(XHAL_ERROR_INTERNAL, code, "clSetEventCallback: %s", name_of_error(code).c_str());
  static_cast<void>(passed.release());
  std::unique_lock lock(waiter->mutex);
  const auto is_done = [&] { return waiter->done; };
  if (timeout_ns == XHAL_WAIT_FOREVER) {
    waiter->changed.wait(lock, is_done);
  } else if (!waiter->changed.wait_for(lock, std::chrono::nanoseconds(timeout_ns), is_done)) {
    return XHAL_TIMEOUT;
  }
  return status();
}

// ---- Submitting ----------------------------------------------------------------------------------------------------------------

Queue::Queue(Device& device, cl_command_queue queue)
    : device_(device),
      calls_(*device.instance->calls),
      is_synchronous_(device.is_synchronous()),
      queue_(queue) {}

Queue::~Queue() {
  last_.reset();
  kernels_.clear();
  calls_.clReleaseCommandQueue(queue_);
  if (untimed_queue_ != nullptr) calls_.clReleaseCommandQueue(untimed_queue_);
}

xhal_result_t refused(const char* what, cl_int code) {
  const bool is_memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_RESOURCES;
  const xhal_result_t result = code == CL_OUT_OF_HOST_MEMORY ? XHAL_ERROR_OUT_OF_HOST_MEMORY
                               : is_memory                   ? XHAL_ERROR_OUT_OF_DEVICE_MEMORY
                                                             : XHAL_ERROR_INVALID_ARGUMENT;
  return kit::fail_native(result, code, "%s: %s", what, name_of_error(code).c_str());
}

xhal_result_t Queue::submitted(EventRef event) {
  if (is_synchronous_) {
    if (device_.has(kStartsUnasked)) return XHAL_SUCCESS;
    const cl_int code = calls_.clFinish(queue_);
    return code == CL_SUCCESS ? XHAL_SUCCESS : device_.failed(code);
  }
  if (!event) return XHAL_SUCCESS;
  last_ = std::move(event);
  idle_.store(false, std::memory_order_relaxed);
  if (!device_.has(kStartsUnasked)) calls_.clFlush(queue_);
  return XHAL_SUCCESS;
}

xhal_result_t Queue::status() {
  const xhal_result_t result = last_.status();
  if (result == XHAL_SUCCESS) {
    last_.reset();
    idle_.store(true, std::memory_order_release);
  }
  return result;
}

EventRef Queue::under_way() {
  const std::lock_guard lock(mutex_);
  return status() == XHAL_SUCCESS ? EventRef() : last_.another();
}

// What was submitted stays on the queue without times, and comes first.
xhal_result_t Queue::start_timing() {
  cl_int code = CL_SUCCESS;
  const cl_command_queue timed =
      calls_.clCreateCommandQueue(device_.platform->context, device_.id, CL_QUEUE_PROFILING_ENABLE, &code);
  if (code != CL_SUCCESS) return refused("clCreateCommandQueue", code);
  if (status() == XHAL_NOT_READY) {
    const cl_event former = last_.get();
    cl_event behind = nullptr;
    calls_.clFlush(queue_);
    code = calls_.clEnqueueBarrierWithWaitList(timed, 1, &former, &behind);
    if (code != CL_SUCCESS) {
      calls_.clReleaseCommandQueue(timed);
      return refused("clEnqueueBarrierWithWaitList", code);
    }
    last_ = EventRef(calls_, behind);
  }
  untimed_queue_ = std::exchange(queue_, timed);
  has_times_ = true;
  return XHAL_SUCCESS;
}

// An event with a time of its own.
xhal_result_t Queue::stamp(EventRef& out) {
  if (!has_times_) {
    if (const xhal_result_t result = start_timing(); result < 0) return result;
  }
  cl_event event = nullptr;
  if (const cl_int code = calls_.clEnqueueMarkerWithWaitList(queue_, 0, nullptr, &event); code != CL_SUCCESS)
    return refused("clEnqueueMarkerWithWaitList", code);
  out = EventRef(calls_, event);
  return submitted(is_synchronous_ ? EventRef() : out.another());
}

// An event of another platform means nothing here: an event of ours takes its place and ends with it.
xhal_result_t Queue::bridged(EventRef event, EventRef& out) {
  cl_int code = CL_SUCCESS;
  EventRef ours(calls_, calls_.clCreateUserEvent(device_.platform->context, &code));
  if (code != CL_SUCCESS) return refused("clCreateUserEvent", code);
  auto passed = std::make_unique<std::pair<const Calls*, EventRef>>(&calls_, ours.another());
  code = calls_.clSetEventCallback(event.get(), CL_COMPLETE, pass_on, passed.get());
  if (code != CL_SUCCESS) return refused("clSetEventCallback", code);
  static_cast<void>(passed.release());
  out = std::move(ours);
  return XHAL_SUCCESS;
}

xhal_result_t Queue::add_wait(EventRef event, const Platform* from) {
  if (event.status() == XHAL_SUCCESS) return XHAL_SUCCESS;
  // A device that runs commands in the calling thread must not be given one that has to wait.
  if (is_synchronous_) {
    const xhal_result_t result = event.wait(XHAL_WAIT_FOREVER);
    return result < 0 ? device_.failed(event.native_status()) : result;
  }
  if (from != device_.platform) {
    EventRef ours;
    if (const xhal_result_t result = bridged(std::move(event), ours); result < 0) return result;
    event = std::move(ours);
  }
  const cl_event waited = event.get();
  return add("clEnqueueBarrierWithWaitList", [&](cl_command_queue queue, cl_event* passed) {
    return calls_.clEnqueueBarrierWithWaitList(queue, 1, &waited, passed);
  });
}

xhal_result_t Queue::wait_for(EventRef event, const Platform* from) {
  if (event.status() == XHAL_SUCCESS) return XHAL_SUCCESS;
  const std::lock_guard lock(mutex_);
  // The capture has begun since it was looked for.
  if (in_capture()) return kit::refuse_in_capture(XHAL_ERROR_CAPTURE_UNSUPPORTED);
  return add_wait(std::move(event), from);
}

xhal_result_t Queue::add_host_function(xhal_host_fn function, void* user) {
  if (is_synchronous_) {
    // What was submitted before is done, and the caller waits for whatever comes now.
    calls_back_.store(true, std::memory_order_release);
    kit::run_host_function(function, user, XHAL_SUCCESS);
    calls_back_.store(false, std::memory_order_release);
    return XHAL_SUCCESS;
  }
  device_.instance->threads->start();
  cl_int code = CL_SUCCESS;
  EventRef released(calls_, calls_.clCreateUserEvent(device_.platform->context, &code));
  if (code != CL_SUCCESS) return refused("clCreateUserEvent", code);
  auto call = std::make_unique<HostCall>(shared_from_this(), function, user, released.another());
  const EventRef turn = status() == XHAL_SUCCESS ? EventRef() : last_.another();
  const cl_event gate = released.get();
  const auto shut = [&](cl_command_queue queue, cl_event* event) {
    return calls_.clEnqueueBarrierWithWaitList(queue, 1, &gate, event);
  };
  const xhal_result_t result = add("clEnqueueBarrierWithWaitList", shut);
  if (result < 0) return result;
  if (!turn) {
    device_.instance->threads->run(std::move(call));
    return result;
  }
  code = calls_.clSetEventCallback(turn.get(), CL_COMPLETE, turn_has_come, call.get());
  if (code != CL_SUCCESS) {
    // The stream must not stay shut for a function that never runs.
    calls_.clSetUserEventStatus(gate, CL_COMPLETE);
    return refused("clSetEventCallback", code);
  }
  static_cast<void>(call.release());
  return result;
}

xhal_result_t Queue::host_function(xhal_host_fn function, void* user) {
  const std::lock_guard lock(mutex_);
  if (in_capture()) return capture_node({GraphNode::HostFunction{function, user}});
  return add_host_function(function, user);
}

// ---- Events --------------------------------------------------------------------------------------------------------------------

xhal_result_t Queue::add_record(Event& event) {
  EventRef current;
  if (event.timed) {
    if (const xhal_result_t result = stamp(current); result < 0) return result;
  } else if (status() != XHAL_SUCCESS) {
    current = last_.another();
  }
  const std::lock_guard lock(event.mutex);
  event.current = std::move(current);
  event.is_done = false;
  event.recorded = true;
  event.mark.reset();
  return XHAL_SUCCESS;
}

xhal_result_t Queue::record(Event& event, bool external) {
  const std::lock_guard lock(mutex_);
  if (!in_capture()) return add_record(event);
  return external ? capture_node({GraphNode::Record{event.shared_from_this()}}) : mark(event);
}

xhal_result_t Queue::wait(Event& event, bool external) {
  EventRef current;
  std::shared_ptr<const CaptureMark> mark;
  bool recorded = false;
  {
    const std::lock_guard lock(event.mutex);
    current = event.current.another();
    mark = event.live_mark();
    recorded = event.recorded;
  }
  const Platform* const from = event.device->platform;
  if (mark == nullptr && !may_capture_.load(std::memory_order_acquire))
    return wait_for(std::move(current), from);
  const std::lock_guard lock(mutex_);
  const bool captures = in_capture();  // it, too, may be over since
  if (mark == nullptr && !captures) return add_wait(std::move(current), from);
  if (external && captures) return capture_node({GraphNode::Wait{event.shared_from_this()}});
  // Whoever never recorded is waited for by nobody.
  if (mark == nullptr && !recorded) return XHAL_SUCCESS;
  // A graph runs on one device.
  const bool is_of_capture =
      mark != nullptr && event.device == &device_ && (!captures || capture_ == mark->capture);
  if (!is_of_capture) return kit::refuse_in_capture(XHAL_ERROR_CAPTURE_UNSUPPORTED);
  if (const xhal_result_t result = mark->capture->join(this, mark->front); result < 0)
    return kit::refuse_in_capture(result);
  capture_ = mark->capture;
  may_capture_.store(true, std::memory_order_release);
  return XHAL_SUCCESS;
}

// ---- Captures ------------------------------------------------------------------------------------------------------------------

bool Queue::still_captures() {
  if (capture_->state() != XHAL_CAPTURE_STATE_NONE) return true;
  capture_.reset();
  may_capture_.store(false, std::memory_order_release);
  return false;
}

xhal_result_t Queue::capture_node(GraphNode node) {
  const xhal_result_t result = capture_->add(this, std::move(node));
  return result < 0 ? kit::refuse_in_capture(result) : result;
}

xhal_result_t Queue::capture_commands(const char* what,
                                      std::function<cl_int(cl_command_queue, cl_event*)> enqueue) {
  return capture_node(
      {std::make_shared<const GraphNode::Commands>(GraphNode::Commands{what, std::move(enqueue)})});
}

xhal_result_t Queue::mark(Event& event) {
  auto mark = std::make_shared<CaptureMark>(CaptureMark{capture_, {}});
  if (const xhal_result_t result = capture_->front(this, mark->front); result < 0)
    return kit::refuse_in_capture(result);
  const std::lock_guard lock(event.mutex);
  event.mark = std::move(mark);
  return XHAL_SUCCESS;
}

xhal_result_t Queue::begin_capture(const std::shared_ptr<Capture>& capture) {
  const std::lock_guard lock(mutex_);
  if (in_capture()) return XHAL_ERROR_CAPTURE_MISMATCH;
  capture_ = capture;
  may_capture_.store(true, std::memory_order_release);
  return XHAL_SUCCESS;
}

xhal_result_t Queue::end_capture(std::vector<GraphNode>& out) {
  const std::lock_guard lock(mutex_);
  if (!in_capture()) return XHAL_ERROR_CAPTURE_MISMATCH;
  const xhal_result_t result = capture_->end(this, out);
  in_capture();
  return result;
}

std::shared_ptr<Capture> Queue::capture() {
  if (!may_capture_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(mutex_);
  return in_capture() ? capture_ : nullptr;
}

void Queue::leave() {
  const std::lock_guard lock(mutex_);
  if (in_capture()) capture_->abort();
}

// ---- Graphs --------------------------------------------------------------------------------------------------------------------

xhal_result_t Queue::add_node(GraphExec& exec, size_t index) {
  const GraphNode& node = (*exec.nodes)[index];
  if (const auto* commands = std::get_if<std::shared_ptr<const GraphNode::Commands>>(&node.work))
    return add((*commands)->what, (*commands)->enqueue);
  if (const auto* kept = std::get_if<std::shared_ptr<const KeptLaunch>>(&node.work)) {
    std::unique_ptr<LaunchKernel>& kernel = exec.kernels[index];
    cl_int code = CL_SUCCESS;
    if (kernel == nullptr) kernel = LaunchKernel::make((*kept)->kernel(), code);
    return kernel == nullptr ? refused("clCreateKernel", code) : add_launch(*kernel, (*kept)->launch());
  }
  if (const auto* call = std::get_if<GraphNode::HostFunction>(&node.work))
    return add_host_function(call->function, call->user);
  if (const auto* record = std::get_if<GraphNode::Record>(&node.work)) return add_record(*record->event);
  Event& event = *std::get<GraphNode::Wait>(node.work).event;
  EventRef current;
  {
    const std::lock_guard lock(event.mutex);
    current = event.current.another();
  }
  return add_wait(std::move(current), event.device->platform);
}

xhal_result_t Queue::launch_graph(GraphExec& exec) {
  const std::lock_guard turn(exec.mutex);
  const std::shared_ptr<Queue> last = exec.last_queue.lock();
  EventRef former;
  if (last != nullptr && last.get() != this) former = last->under_way();
  const std::lock_guard lock(mutex_);
  if (in_capture()) {
    const xhal_result_t result = capture_->add_all(this, *exec.nodes);
    return result < 0 ? kit::refuse_in_capture(result) : result;
  }
  if (former) {
    if (const xhal_result_t result = add_wait(std::move(former), device_.platform); result < 0) return result;
  }
  exec.last_queue = weak_from_this();
  for (size_t i = 0; i < exec.nodes->size(); ++i)
    if (const xhal_result_t result = add_node(exec, i); result < 0) return result;
  return XHAL_SUCCESS;
}

// ---- Asking --------------------------------------------------------------------------------------------------------------------

xhal_result_t Queue::query() {
  if (calls_back_.load(std::memory_order_acquire)) return XHAL_NOT_READY;
  if (is_idle()) return XHAL_SUCCESS;
  const EventRef pending = under_way();
  const xhal_result_t status = pending.status();
  return status < 0 ? device_.failed(pending.native_status()) : status;
}

bool Queue::waits_by_finish(uint64_t timeout_ns) const {
  const Waits waits = device_.instance->options.waits;
  if (waits == Waits::kByFinish) return timeout_ns >= kLongWaitNs;
  return waits == Waits::kByQuirk && timeout_ns == XHAL_WAIT_FOREVER && device_.has(kFinishRuns);
}

// Believes clFinish: whoever judges a vendor's driver wants to know what it is worth.
xhal_result_t Queue::finish() {
  cl_command_queue queue = nullptr;
  {
    const std::lock_guard lock(mutex_);
    queue = queue_;
  }
  if (const cl_int code = calls_.clFinish(queue); code != CL_SUCCESS) return device_.failed(code);
  // It does not tell whether commands failed; and another thread may have submitted more.
  const std::lock_guard lock(mutex_);
  const xhal_result_t result = status();
  return result < 0 ? device_.failed(last_.native_status()) : XHAL_SUCCESS;
}

xhal_result_t Queue::synchronize(uint64_t timeout_ns) {
  if (is_idle()) return XHAL_SUCCESS;
  if (waits_by_finish(timeout_ns)) return finish();
  const EventRef pending = under_way();
  const xhal_result_t status = pending.wait(timeout_ns);
  return status < 0 ? device_.failed(pending.native_status()) : status;
}

// ---- Launching -----------------------------------------------------------------------------------------------------------------

xhal_result_t Queue::prepare(Kernel& kernel) {
  auto& kept = kernels_[kernel.id];
  if (kept == nullptr) {
    cl_int code = CL_SUCCESS;
    kept = LaunchKernel::make(kernel, code);
    if (kept == nullptr) {
      kernels_.erase(kernel.id);
      return refused("clCreateKernel", code);
    }
  }
  last_kernel_ = kept.get();
  last_kernel_id_ = kernel.id;
  return XHAL_SUCCESS;
}

xhal_result_t Queue::add_launch(LaunchKernel& kernel, const xhal_launch_t& launch) {
  if (const xhal_result_t result = kernel.take(launch); result < 0) return result;
  return add("clEnqueueNDRangeKernel",
             [&](cl_command_queue queue, cl_event* event) { return kernel.enqueue(queue, launch, event); });
}

xhal_result_t Queue::launch(Kernel& kernel, const xhal_launch_t& launch) {
  const std::lock_guard lock(mutex_);
  const bool captures = in_capture();
  if (captures || last_kernel_id_ != kernel.id) [[unlikely]] {
    if (const xhal_result_t result = check_launch(kernel, device_, launch); result < 0) return result;
    if (captures) return capture_node({std::make_shared<const KeptLaunch>(kernel, launch)});
    if (const xhal_result_t result = prepare(kernel); result < 0) return result;
  }
  return add_launch(*last_kernel_, launch);
}

void Queue::forget(uint64_t kernel_id) {
  const std::lock_guard lock(mutex_);
  if (last_kernel_id_ == kernel_id) last_kernel_id_ = 0;
  kernels_.erase(kernel_id);
}

}  // namespace xhal::opencl
