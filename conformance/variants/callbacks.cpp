// SPDX-License-Identifier: Apache-2.0
// Drivers whose host functions come late, or one at a time.
#include <chrono>
#include <deque>
#include <thread>

#include "oddity.hpp"

namespace xhal::variants {
namespace {

struct Calls;

// A host function as the driver has it. A captured one runs once a launch, so they live as long as the instance.
struct CallOfHost {
  Calls* all;
  xhal_host_fn function;
  void* user;
  std::chrono::microseconds late;
};

struct Calls {
  std::mutex lock;
  std::deque<CallOfHost> calls;
  std::mutex one_at_a_time;

  CallOfHost* add(xhal_host_fn function, void* user, uint64_t late_us) {
    const std::lock_guard guard(lock);
    return &calls.emplace_back(CallOfHost{this, function, user, std::chrono::microseconds(late_us)});
  }
};

void run_late(void* user, xhal_result_t status) {
  const auto& call = *static_cast<const CallOfHost*>(user);
  std::this_thread::sleep_for(call.late);
  count(Id::k_late_callbacks);
  call.function(call.user, status);
}

void run_alone(void* user, xhal_result_t status) {
  const auto& call = *static_cast<const CallOfHost*>(user);
  std::unique_lock turn(call.all->one_at_a_time, std::try_to_lock);
  if (!turn.owns_lock()) {
    count(Id::k_serial_callbacks);
    turn.lock();
  }
  // The one thread that has them all to run is not there at once.
  std::this_thread::sleep_for(call.late);
  call.function(call.user, status);
}

template <Id id, xhal_host_fn run>
xhal_result_t submit(xhal_stream_t stream, xhal_host_fn function, void* user) {
  if (function == nullptr) return next<id>(stream).stream_host_function(stream, function, user);
  return next<id>(stream).stream_host_function(
      stream, run, own<id, Calls>(stream).add(function, user, parameter<id>(stream)));
}

constexpr Id kSerial = Id::k_serial_callbacks;

xhal_result_t serial_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kSerial>(device).device_get_properties(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, host_function_blocks))
    out->host_function_blocks = XHAL_BLOCKS_DRIVER;
  return result;
}

}  // namespace

std::shared_ptr<void> make_calls() { return std::make_shared<Calls>(); }

void install_late_callbacks(xhal_functions_t& to) {
  to.stream_host_function = submit<Id::k_late_callbacks, run_late>;
}
void install_serial_callbacks(xhal_functions_t& to) {
  to.stream_host_function = submit<kSerial, run_alone>;
  to.device_get_properties = serial_properties;
}

}  // namespace xhal::variants
