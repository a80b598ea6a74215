// SPDX-License-Identifier: Apache-2.0
// What torch_xhal.check counts. A mode of Python's sees neither what autograd's threads run nor what an operator calls inside; a callback of
// RecordFunction sees both, with the threads' own stacks of what is within what.
#include "python/observe.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <pybind11/stl.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <string>

#include "ops/fallback.hpp"
#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/streams.hpp"

namespace py = pybind11;

namespace {

using Clock = std::chrono::steady_clock;

struct Seen {
  uint64_t calls = 0;
  uint64_t fallbacks = 0;  // of the calls
  uint64_t failures = 0;   // of the calls: it raised, not what it called
  bool has_kernel = false;
  double seconds = 0;  // without what other operators in this list took inside of it
};

struct State {
  std::mutex mutex;
  std::map<std::string, Seen> of;
  std::string last_failure;
};
State& state() {
  static auto* const value = new State();
  return *value;
}
std::atomic<bool> is_on = false;
std::atomic<bool> is_waiting = false;

// What an operator is on this device. A composed one is the others that it calls, which are seen themselves.
enum class Kind : uint8_t { kKernel, kComposed, kHost };

Kind kind_of(const c10::OperatorName& name) {
  const auto op = c10::Dispatcher::singleton().findOp(name);
  if (!op) return Kind::kComposed;
  if (op->hasKernelForDispatchKey(c10::DispatchKey::PrivateUse1)) return Kind::kKernel;
  for (const auto key :
       {c10::DispatchKey::CompositeImplicitAutograd, c10::DispatchKey::CompositeExplicitAutograd,
        c10::DispatchKey::CompositeExplicitAutogradNonFunctional})
    if (op->hasKernelForDispatchKey(key)) return Kind::kComposed;
  return Kind::kHost;
}

bool is_on_device(const c10::IValue& value) {
  if (value.isTensor()) {
    const auto& tensor = value.toTensor();
    return tensor.defined() && tensor.device().type() == torch_xhal::kDevice;
  }
  if (value.isDevice()) return value.toDevice().type() == torch_xhal::kDevice;
  if (!value.isList()) return false;
  for (const c10::IValue& one : value.toListRef())
    if (is_on_device(one)) return true;
  return false;
}

struct Frame : at::ObserverContext {
  Frame* outer = nullptr;
  std::string name;
  Kind kind = Kind::kComposed;
  bool is_listed = false;
  int exceptions = 0;
  uint64_t fallbacks_before = 0;
  uint64_t fallbacks_inside = 0;   // those of frames within
  double seconds_inside = 0;       // likewise, of listed ones
  bool has_failed_inside = false;  // the exception comes from within
  Clock::time_point start;
};
thread_local Frame* innermost = nullptr;

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  if (!is_on.load(std::memory_order_relaxed)) return nullptr;
  const auto name = function.operator_name();
  if (!name) return nullptr;
  auto frame = std::make_unique<Frame>();
  frame->outer = innermost;
  frame->name = c10::toString(*name);
  frame->kind = kind_of(*name);
  // What the host does for a fallback is the fallback's.
  const bool is_of_fallback = torch_xhal::is_in_fallback();
  if (frame->kind != Kind::kComposed && !is_of_fallback)
    for (const c10::IValue& input : function.inputs())
      if (is_on_device(input)) {
        frame->is_listed = true;
        break;
      }
  frame->exceptions = std::uncaught_exceptions();
  frame->fallbacks_before = torch_xhal::fallbacks_of_this_thread();
  innermost = frame.get();
  frame->start = Clock::now();
  return frame;
}

// With it an operator's time has the device's in it; an error of the device is told of where the program waits for it.
void wait_for_device() {
  const auto stream = torch_xhal::current_stream(-1);
  (void)xhal_stream_synchronize(torch_xhal::handle_of(stream), XHAL_WAIT_FOREVER);
}

void end(const at::RecordFunction&, at::ObserverContext* context) {
  if (context == nullptr) return;
  auto& frame = *static_cast<Frame*>(context);
  if (innermost != &frame) return;
  if (frame.is_listed && is_waiting.load(std::memory_order_relaxed)) wait_for_device();
  const double seconds = std::chrono::duration<double>(Clock::now() - frame.start).count();
  const uint64_t fallbacks = torch_xhal::fallbacks_of_this_thread() - frame.fallbacks_before;
  const bool has_failed = std::uncaught_exceptions() > frame.exceptions;
  const uint64_t own = fallbacks - frame.fallbacks_inside;
  const bool is_culprit = has_failed && !frame.has_failed_inside;
  const bool is_entered = frame.is_listed || own > 0;
  innermost = frame.outer;
  if (frame.outer != nullptr) {
    frame.outer->fallbacks_inside += fallbacks;
    frame.outer->seconds_inside += is_entered ? seconds : frame.seconds_inside;
    frame.outer->has_failed_inside |= has_failed && (is_entered || frame.has_failed_inside);
  }
  if (!is_entered) return;
  const std::lock_guard lock(state().mutex);
  Seen& seen = state().of[frame.name];
  ++seen.calls;
  seen.fallbacks += own > 0 ? 1 : 0;
  seen.failures += is_culprit ? 1 : 0;
  seen.has_kernel = frame.kind == Kind::kKernel;
  seen.seconds += seconds - frame.seconds_inside;
  if (is_culprit) state().last_failure = frame.name;
}

void start(bool waits) {
  // For good: a callback may only be taken away while nothing runs.
  static const auto handle = at::addGlobalCallback(
      at::RecordFunctionCallback(&begin, &end).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  (void)handle;
  is_waiting = waits;
  is_on = true;
}

py::dict seen() {
  const std::lock_guard lock(state().mutex);
  py::dict out;
  for (const auto& [name, one] : state().of) {
    py::dict fields;
    fields["calls"] = one.calls;
    fields["fallbacks"] = one.fallbacks;
    fields["failures"] = one.failures;
    fields["has_kernel"] = one.has_kernel;
    fields["seconds"] = one.seconds;
    out[py::str(name)] = fields;
  }
  return out;
}

}  // namespace

void bind_observer(py::module& m) {
  m.def("observe", &start, py::arg("waits") = false);
  m.def("stop_observing", [] { is_on = false; });
  m.def("forget_observed", [] {
    const std::lock_guard lock(state().mutex);
    state().of.clear();
    state().last_failure.clear();
  });
  m.def("observed", &seen);
  m.def("last_failed_operator", [] {
    const std::lock_guard lock(state().mutex);
    return state().last_failure;
  });
}
