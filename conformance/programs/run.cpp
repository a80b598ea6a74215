// SPDX-License-Identifier: Apache-2.0
#include "programs/run.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "frame/trail.h"

namespace xhal::programs {

using conformance::note_call;
using conformance::result_name;

thread_local uint32_t Run::current_ = kNone;

namespace {

// Long enough for every call of a program to return and for a witness to pass, short enough for a driver that blocks behind a gate.
constexpr auto kGateLimit = std::chrono::seconds(2);

constexpr int kTurns = 4;

void host_fold(void* user, xhal_result_t) {
  const auto* work = static_cast<const HostWork*>(user);
  for (uint64_t i = 0; i < work->count; ++i) work->cells[i] = mix(work->cells[i], work->value);
}

void nothing(void*, xhal_result_t) {}

}  // namespace

void HostGate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

void HostGate::hold(void* self, xhal_result_t) {
  auto* const gate = static_cast<HostGate*>(self);
  std::unique_lock lock(gate->mutex_);
  gate->changed_.wait_for(lock, kGateLimit, [gate] { return gate->open_; });
}

bool Run::fail(const std::string& text) {
  const std::lock_guard lock(trouble_mutex_);
  if (!trouble_.empty()) return false;
  trouble_ = text;
  if (current_ != kNone) {
    trouble_ = "operation " + std::to_string(current_) + " (" +
               xhal::programs::text_of(program_, program_.ops[current_]) + "): " + text;
  }
  failed_.store(true);
  for (HostGate& gate : state_->gates) gate.open();
  return false;
}

bool Run::ok(xhal_result_t result, const char* call) {
  if (result == XHAL_SUCCESS) return true;
  std::string text = std::string(call) + ": " + result_name(result);
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  if (result < 0 && xhal_error_get_last(&error) == XHAL_SUCCESS && error.code == result)
    text += std::string(": ") + error.text;
  return fail(text);
}

bool Run::given(const void* memory, const char* call) {
  return memory != nullptr || fail(std::string(call) + ": succeeded and gave no memory");
}

void Run::perform() {
  if (failed_.load()) return;
  perform_threads();
  begun_.store(kNone);
  for (std::thread& opener : openers_) opener.join();
}

void Run::perform_threads() {
  if (program_.threads == 1) {
    for (uint32_t i = 0; i < program_.ops.size() && !failed_.load(std::memory_order_relaxed); ++i)
      perform_op(i);
    current_ = kNone;
    return;
  }
  std::vector<std::thread> others;
  for (uint32_t t = 1; t < program_.threads; ++t) others.emplace_back([this, t] { perform_thread(t); });
  perform_thread(0);
  for (std::thread& other : others) other.join();
}

void Run::perform_thread(uint32_t thread) {
  auto join = joins_.begin();
  for (uint32_t i = 0; i < program_.ops.size(); ++i) {
    if (program_.ops[i].thread != thread) continue;
    while (join != joins_.end() && join->op < i) ++join;
    for (; join != joins_.end() && join->op == i; ++join) {
      auto& other = returned_[program_.ops[join->target].thread];
      for (uint32_t seen = other.load(std::memory_order_acquire); seen <= join->target;
           seen = other.load(std::memory_order_acquire)) {
        if (failed_.load(std::memory_order_relaxed)) break;
        other.wait(seen, std::memory_order_acquire);
      }
    }
    if (failed_.load(std::memory_order_relaxed)) break;
    perform_op(i);
    returned_[thread].store(i + 1, std::memory_order_release);
    returned_[thread].notify_all();
  }
  current_ = kNone;
  // Whoever waits for this thread, which has nothing more to do or has given up, goes on.
  returned_[thread].store(kNone, std::memory_order_release);
  returned_[thread].notify_all();
}

void Run::perform_op(uint32_t index) {
  const Op& op = program_.ops[index];
  current_ = index;
  if (program_.gates > 0) {
    for (uint32_t seen = begun_.load(); seen < index && !begun_.compare_exchange_weak(seen, index);) {
    }
  }
  if (is_stream_op(op.kind)) {
    if (index != dropped_) perform_stream_op(op, streams_[op.stream]);
  } else {
    perform_host_op(op);
  }
}

bool Run::submit_work(const Op& op, xhal_stream_t stream) {
  switch (op.kind) {
    case Kind::kCopy:
      return XHAL_CALL(xhal_memory_copy, stream, at(op.destination, op.destination_offset),
                       at(op.source, op.source_offset), op.bytes);
    case Kind::kFill:
      return XHAL_CALL(xhal_memory_fill, stream, at(op.destination, op.destination_offset), op.value,
                       op.width, op.bytes);
    case Kind::kHostFold: {
      HostWork* work = nullptr;
      {
        const std::lock_guard lock(state_mutex_);
        work = &state_->work.emplace_back(HostWork{
            static_cast<uint64_t*>(at(op.destination, op.destination_offset)), op.bytes / 8, op.value});
      }
      return XHAL_CALL(xhal_stream_host_function, stream, host_fold, work);
    }
    default:
      return launch_kernel(op, stream);
  }
}

bool Run::launch_kernel(const Op& op, xhal_stream_t stream) {
  const uint32_t device_index = program_.memories[op.destination].device;
  const uint64_t count = op.bytes / 8;
  xhal_argument_t arguments[4];
  uint32_t used = 0;
  arguments[used++] = {XHAL_ARGUMENT_MEMORY,
                       op.kind == Kind::kCopyKernel ? XHAL_ACCESS_WRITE : XHAL_ACCESS_READ_WRITE, op.bytes,
                       at(op.destination, op.destination_offset)};
  if (op.source != kNone)
    arguments[used++] = {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ, op.bytes, at(op.source, op.source_offset)};
  if (op.kind != Kind::kCopyKernel) arguments[used++] = {XHAL_ARGUMENT_VALUE, 0, sizeof(op.value), &op.value};
  arguments[used++] = {XHAL_ARGUMENT_VALUE, 0, sizeof(count), &count};
  xhal_launch_t launch{};
  launch.struct_size = sizeof(launch);
  constexpr uint32_t kItems = 32;
  launch.group_count[0] = static_cast<uint32_t>((count + kItems - 1) / kItems);
  launch.group_count[1] = launch.group_count[2] = 1;
  launch.group_size[0] = kItems;
  launch.group_size[1] = launch.group_size[2] = 1;
  launch.arguments = arguments;
  launch.argument_count = used;
  const auto which = static_cast<size_t>(op.kind) - static_cast<size_t>(Kind::kFold);
  return XHAL_CALL(xhal_kernel_launch, stream, device(device_index).kernels[which], &launch);
}

bool Run::perform_stream_op(const Op& op, xhal_stream_t stream) {
  switch (op.kind) {
    case Kind::kRecord:
      return XHAL_CALL(xhal_event_record, events_[op.object], stream, 0);
    case Kind::kWait:
      return XHAL_CALL(xhal_stream_wait_event, stream, events_[op.object], 0);
    case Kind::kPoolAllocate:
      return XHAL_ALLOCATE(bases_[op.destination], xhal_pool_allocate,
                           device(program_.memories[op.destination].device).pool, stream,
                           program_.memories[op.destination].bytes);
    case Kind::kPoolFree:
      return XHAL_CALL(xhal_pool_free, device(program_.memories[op.destination].device).pool, stream,
                       bases_[op.destination]);
    case Kind::kLaunch:
      return XHAL_CALL(xhal_graph_exec_launch, graphs_[op.object], stream);
    case Kind::kGate:
      return XHAL_CALL(xhal_stream_host_function, stream, HostGate::hold, &state_->gates[op.object]);
    case Kind::kDestroyStream:
      streams_[op.stream] = nullptr;
      return XHAL_CALL(xhal_stream_destroy, stream);
    default:
      return submit_work(op, stream);
  }
}

bool Run::perform_host_op(const Op& op) {
  const uint64_t patience = executor_.patience_;
  switch (op.kind) {
    case Kind::kHostWrite:
      write_data(op.value, at(op.destination, op.destination_offset), op.bytes);
      return true;
    case Kind::kHostRead:
      std::memcpy(at(op.destination, op.destination_offset), at(op.source, op.source_offset), op.bytes);
      return true;
    case Kind::kAllocate:
      return allocate(op.destination);
    case Kind::kFree:
      return XHAL_CALL(xhal_memory_free, device(program_.memories[op.destination].device).handle,
                       bases_[op.destination]);
    case Kind::kQueryStream:
      note_call("xhal_stream_query");
      return expect_query(op, xhal_stream_query(streams_[op.stream]), "xhal_stream_query");
    case Kind::kQueryEvent:
      note_call("xhal_event_query");
      return expect_query(op, xhal_event_query(events_[op.object]), "xhal_event_query");
    case Kind::kSyncStream:
      return XHAL_CALL(xhal_stream_synchronize, streams_[op.stream], patience);
    case Kind::kSyncEvent:
      return XHAL_CALL(xhal_event_synchronize, events_[op.object], patience);
    case Kind::kSyncDevice:
      return XHAL_CALL(xhal_device_synchronize, device(op.object).handle, patience);
    case Kind::kPollEvent:
      return poll(op);
    case Kind::kRenewEvent: {
      const xhal_event_t old = events_[op.object];
      return XHAL_CALL(xhal_event_create, device(program_.events[op.object]).handle, nullptr,
                       &events_[op.object]) &&
             XHAL_CALL(xhal_event_destroy, old);
    }
    case Kind::kOpen:
      return open_gate(op);
    default:
      return fail("an operation that the executor does not know");
  }
}

bool Run::expect_query(const Op& op, xhal_result_t result, const char* call) {
  if (result == XHAL_NOT_READY && op.value == 0) return true;
  return ok(result, call);
}

bool Run::poll(const Op& op) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(executor_.patience_);
  for (uint32_t turn = 0;; ++turn) {
    const xhal_result_t result = xhal_event_query(events_[op.object]);
    if (result != XHAL_NOT_READY) return ok(result, "xhal_event_query");
    if (turn % 64 == 63) {
      if (std::chrono::steady_clock::now() > deadline)
        return fail("xhal_event_query: not ready for longer than any work takes");
      std::this_thread::yield();
    }
  }
}

bool Run::open_gate(const Op& op) {
  if (op.width == 0) return pass_witnesses(op) && (state_->gates[op.object].open(), true);
  // The next call of this thread may wait for the gate: another one opens it once that call has begun.
  openers_.emplace_back([this, &op, next = current_ + 1] {
    while (begun_.load(std::memory_order_acquire) < next && !failed_.load()) std::this_thread::yield();
    current_ = next - 1;
    pass_witnesses(op);
    state_->gates[op.object].open();
  });
  return true;
}

bool Run::pass(xhal_stream_t stream) {
  // Not by a synchronise, in which the calling thread may do the work itself: whoever works for streams is to come by.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(executor_.patience_);
  for (;;) {
    const xhal_result_t result = xhal_stream_query(stream);
    if (result != XHAL_NOT_READY) return ok(result, "xhal_stream_query");
    if (std::chrono::steady_clock::now() > deadline)
      return fail("a stream that nothing holds does not go on while another one is held");
    std::this_thread::yield();
  }
}

bool Run::pass_witnesses(const Op& op) {
  // Whoever is not held has had its time when work that was submitted later, on a stream of its own, is done. Several times: a witness may
  // have a worker to itself while the others are busy.
  for (int turn = 0; turn < kTurns; ++turn) {
    for (uint32_t d = 0; d < program_.devices; ++d) {
      const Executor::Device& one = device(d);
      if (!XHAL_CALL(xhal_stream_host_function, one.service, nothing, nullptr) ||
          !XHAL_CALL(xhal_memory_fill, one.service, one.witness, op.object, 4, 4096) || !pass(one.service))
        return false;
    }
    if (op.stream != kNone && xhal_stream_query(streams_[op.stream]) == XHAL_SUCCESS)
      break;  // it was not held: nothing to wait for
    std::this_thread::yield();
  }
  return true;
}

}  // namespace xhal::programs
