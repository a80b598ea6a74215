// SPDX-License-Identifier: Apache-2.0
// Stands between the suite and libxhal in the program fault_sweep: every call that the fault layer's sweep fails is judged and made again.
//
// All of it is made from entry_points.def, so a call that is added to the contract is swept on the day it is added.
#include <dlfcn.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "counters.hpp"
#include "xhal/driver.h"

namespace xhal::sweep {
namespace {

// More than any call meets: a layer above the fault layer asks questions of its own, which fail once each, too.
constexpr int kMostAttempts = 16;

template <class Function>
Function* libxhal(const char* name) {
  void* symbol = dlsym(RTLD_NEXT, name);
  if (symbol == nullptr) std::abort();
  return reinterpret_cast<Function*>(symbol);
}

// ---- The thread's last error ---------------------------------------------------------------------------------------------------------------

// A call that succeeds when it is made again has the last error of the attempt that failed. The suite must find what was there before:
// an error that it never saw is not its own.
struct Masked {
  bool on;
  xhal_error_t before;
};
thread_local Masked t_masked = {};

xhal_result_t real_get_last(xhal_error_t* out) {
  static auto* const function = libxhal<decltype(xhal_error_get_last)>("xhal_error_get_last");
  return function(out);
}

xhal_error_t last_error() {
  if (t_masked.on) return t_masked.before;
  xhal_error_t error = {};
  error.struct_size = sizeof(error);
  real_get_last(&error);
  return error;
}

// ---- Out-parameters: what a failed call must leave alone [XHAL-ABI-14] ------------------------------------------------------------------------

struct Snapshot {
  static constexpr size_t kMostBytes = 8192;
  size_t size = 0;
  unsigned char bytes[kMostBytes];

  void take(const void* from, size_t count) {
    if (from == nullptr || count == 0 || count > kMostBytes - size) return;
    std::memcpy(bytes + size, from, count);
    size += count;
  }
};

template <class T>
size_t bytes_written_to(const T* out) {
  if (out == nullptr) return 0;
  if constexpr (std::is_void_v<T>) {
    return 0;  // its size is told by another parameter; nobody but ipc has it
  } else if constexpr (requires { out->struct_size; }) {
    return out->struct_size < sizeof(T) ? sizeof(out->struct_size) : sizeof(T);
  } else {
    return sizeof(T);
  }
}

#define XHAL_SWEEP_TAKE_H(type, name)
#define XHAL_SWEEP_TAKE_V(ctype, name)
#define XHAL_SWEEP_TAKE_A(ctype, name)
#define XHAL_SWEEP_TAKE_IN(ctype, name)
#define XHAL_SWEEP_TAKE_INO(ctype, name)
#define XHAL_SWEEP_TAKE_OUT(ctype, name) snapshot.take(name, bytes_written_to(name));
#define XHAL_SWEEP_TAKE_OUTO(ctype, name) snapshot.take(name, bytes_written_to(name));
#define XHAL_SWEEP_TAKE_OUTH(type, name) snapshot.take(name, (name) != nullptr ? sizeof(*(name)) : 0);
#define XHAL_SWEEP_TAKE_OUTHA(type, name, capacity, count) \
  snapshot.take(name, (name) != nullptr ? size_t{capacity} * sizeof(*(name)) : 0);
#define XHAL_SWEEP_TAKE_(kind, ...) XHAL_SWEEP_TAKE_##kind(__VA_ARGS__)
#define XHAL_SWEEP_TAKE(tuple) XHAL_SWEEP_TAKE_ tuple

// ---- One call ------------------------------------------------------------------------------------------------------------------------------

enum Number : size_t {
#define XHAL_ENTRY(feature, since, name, ...) kNumber_##name,
#include "xhal/entry_points.def"
};

// Whether the fault layer, and nobody else, answered.
bool is_injected(xhal_result_t result, xhal_error_t& error) {
  if (result >= 0) return false;
  error = {};
  error.struct_size = sizeof(error);
  return real_get_last(&error) == XHAL_SUCCESS && error.code == result &&
         std::strcmp(error.driver, "fault") == 0;
}

bool gives_up() {
  static const bool given_up = std::getenv("FAULT_SWEEP_GIVE_UP") != nullptr;
  return given_up;
}

template <class Call, class Take>
xhal_result_t swept(Number number, const char* name, const Call& call, const Take& take) {
  Counters& counters = counters_of(number);
  if (gives_up()) {
    counters.calls.fetch_add(1, std::memory_order_relaxed);
    return call();
  }
  const xhal_error_t before = last_error();
  Snapshot untouched;
  take(untouched);
  xhal_result_t result = call();
  counters.calls.fetch_add(1, std::memory_order_relaxed);
  xhal_error_t error = {};
  int attempts = 1;
  bool failed = false;
  for (; is_injected(result, error); ++attempts) {
    failed = true;
    counters.failed.fetch_add(1, std::memory_order_relaxed);
    note_code(counters, result);
    if (std::strcmp(error.entry, name) != 0) counters.wrong_error.fetch_add(1, std::memory_order_relaxed);
    Snapshot now;
    take(now);
    if (now.size != untouched.size || std::memcmp(now.bytes, untouched.bytes, now.size) != 0)
      counters.wrote.fetch_add(1, std::memory_order_relaxed);
    if (attempts == kMostAttempts) {
      counters.stuck.fetch_add(1, std::memory_order_relaxed);
      break;
    }
    result = call();
  }
  if (result < 0) {
    t_masked.on = false;  // an error of the suite's own
  } else if (failed) {
    t_masked = {true, before};
  }
  return result;
}

}  // namespace
}  // namespace xhal::sweep

#define XHAL_ENTRY(feature, since, name, ...)                                                     \
  extern "C" xhal_result_t xhal_##name(XHAL_PARAMS(__VA_ARGS__)) {                                \
    using namespace xhal::sweep; /* NOLINT(google-build-using-namespace) */                       \
    static auto* const real = libxhal<decltype(xhal_##name)>("xhal_" #name);                      \
    return swept(                                                                                 \
        kNumber_##name, "xhal_" #name, [&] { return real(XHAL_ARGUMENTS(__VA_ARGS__)); },         \
        [&]([[maybe_unused]] Snapshot& snapshot) { XHAL_PP_EACH(XHAL_SWEEP_TAKE, __VA_ARGS__) }); \
  }
#include "xhal/entry_points.def"

extern "C" xhal_result_t xhal_error_get_last(xhal_error_t* out_error) {
  using namespace xhal::sweep;  // NOLINT(google-build-using-namespace)
  if (!t_masked.on || out_error == nullptr || out_error->struct_size < sizeof(xhal_error_t))
    return real_get_last(out_error);
  const uint32_t size = out_error->struct_size;
  const xhal_result_t result = real_get_last(out_error);  // zeroes what it does not know
  *out_error = t_masked.before;
  out_error->struct_size = size;
  return result;
}

extern "C" xhal_result_t xhal_error_clear(void) {
  using namespace xhal::sweep;  // NOLINT(google-build-using-namespace)
  static auto* const real = libxhal<decltype(xhal_error_clear)>("xhal_error_clear");
  t_masked.on = false;
  return real();
}

// Calls of libxhal itself: no layer sees them, so none is failed; an error of theirs is the suite's own, too.
#define XHAL_SWEEP_PASS(name, parameters, arguments)                       \
  extern "C" xhal_result_t name parameters {                               \
    static auto* const real = xhal::sweep::libxhal<decltype(name)>(#name); \
    const xhal_result_t result = real arguments;                           \
    if (result < 0) xhal::sweep::t_masked.on = false;                      \
    return result;                                                         \
  }
XHAL_SWEEP_PASS(xhal_instance_create, (const xhal_instance_desc_t* desc, xhal_instance_t* out_instance),
                (desc, out_instance))
XHAL_SWEEP_PASS(xhal_instance_destroy, (xhal_instance_t instance), (instance))
XHAL_SWEEP_PASS(xhal_instance_get_drivers,
                (xhal_instance_t instance, uint32_t capacity, xhal_driver_t* out_drivers,
                 uint32_t* out_count),
                (instance, capacity, out_drivers, out_count))
XHAL_SWEEP_PASS(xhal_instance_get_devices,
                (xhal_instance_t instance, uint32_t capacity, xhal_device_t* out_devices,
                 uint32_t* out_count),
                (instance, capacity, out_devices, out_count))
