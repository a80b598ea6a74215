// SPDX-License-Identifier: Apache-2.0
// What the tests of native handles, external memory and semaphores share.
//
// Most of them need somebody else's object: another user of the vendor's API. Where the driver offers xhal/ext/native_probe.h that is the vendor's
// own calls ("vendor"); everywhere else a second stream or instance of the same driver has to do ("driver"), whose native handle is
// as good as a stranger's.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "suite/free_work.h"
#include "suite/support.h"
#include "xhal/ext/native_probe.h"

namespace xhal::conformance {

// The driver's probe; null where it offers none.
const xhal_native_probe_t* probe_of(Context& t);
// The same for a test that cannot do without these calls: leaves it as not observable.
const xhal_native_probe_t& need_probe(Context& t);
template <class Function>
Function need_call(Function call, const char* name) {
  if (call == nullptr) Context::not_observable(fmt::format("the vendor's API has no calls for {}", name));
  return call;
}

inline xhal_native_t native_handle(const std::string& api, uint32_t kind, uint64_t value) {
  xhal_native_t native{};
  native.struct_size = sizeof(native);
  native.kind = kind;
  native.value = value;
  api.copy(native.api, sizeof(native.api) - 1);
  return native;
}
inline xhal_native_t empty_native() { return native_handle("", 77, 0); }

xhal_native_t native_of(Context& t, xhal_stream_t stream);
// The driver's native API, as its device names it.
std::string native_api(Context& t);

// A stream wrapped around a native one; goes with its scope.
class Wrapped {
 public:
  Wrapped(Context& t, const xhal_native_t& native);
  ~Wrapped() { reset(); }
  Wrapped(const Wrapped&) = delete;
  Wrapped& operator=(const Wrapped&) = delete;
  operator xhal_stream_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  xhal_stream_t release() { return std::exchange(handle_, nullptr); }
  void reset();

 private:
  xhal_stream_t handle_ = nullptr;
};

// Somebody else's stream, as the test's parameter "owner" says: "driver" or "vendor".
class ForeignStream {
 public:
  explicit ForeignStream(Context& t);
  ~ForeignStream();
  ForeignStream(const ForeignStream&) = delete;
  ForeignStream& operator=(const ForeignStream&) = delete;

  [[nodiscard]] const xhal_native_t& native() const { return native_; }
  // Words become value, submitted by the owner.
  void fill(void* destination, uint32_t value, uint64_t count);
  // The owner's stream does not go on before release(), or before half of patience has passed: then held() is false and a driver that waited
  // where it must not is found out.
  void hold();
  void release();
  [[nodiscard]] bool held() const;
  // On a synchronous device nothing is.
  [[nodiscard]] bool was_held() const { return was_held_; }
  // The owner's work has come to its end.
  void finish();
  // What has not happened now is held, not late.
  bool witness();

 private:
  struct VendorHold;

  Context& t_;
  const xhal_native_probe_t* probe_ = nullptr;  // null: the driver's own stream
  std::unique_ptr<Stream> own_;
  std::unique_ptr<Gate> gate_;
  std::shared_ptr<VendorHold> vendor_hold_;
  std::thread watchdog_;
  xhal_native_t native_{};
  bool was_held_ = false;
};

Axis owner_axis();

}  // namespace xhal::conformance
