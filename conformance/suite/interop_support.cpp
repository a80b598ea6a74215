// SPDX-License-Identifier: Apache-2.0
#include "suite/interop_support.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace xhal::conformance {

const xhal_native_probe_t* probe_of(Context& t) {
  const void* table = nullptr;
  const xhal_result_t found = TRACED(
      xhal_driver_get_extension(t.driver(), XHAL_NATIVE_PROBE_NAME, XHAL_NATIVE_PROBE_VERSION, &table));
  return found == XHAL_SUCCESS ? static_cast<const xhal_native_probe_t*>(table) : nullptr;
}

const xhal_native_probe_t& need_probe(Context& t) {
  const xhal_native_probe_t* probe = probe_of(t);
  if (probe == nullptr)
    Context::not_observable(
        "the driver offers no way to the vendor's own calls (extension " XHAL_NATIVE_PROBE_NAME ")");
  return *probe;
}

xhal_native_t native_of(Context& t, xhal_stream_t stream) {
  xhal_native_t native = empty_native();
  REQUIRE_OK(xhal_stream_get_native(stream, &native));
  return native;
}

std::string native_api(Context& t) {
  xhal_native_t native = empty_native();
  REQUIRE_OK(xhal_device_get_native(t.device(), &native));
  return bounded_text(native.api);
}

Wrapped::Wrapped(Context& t, const xhal_native_t& native) {
  t.touch(t.session(), 0);
  REQUIRE_MEMORY(xhal_stream_import_native(t.device(), &native, &handle_), handle_);
}

void Wrapped::reset() {
  if (handle_ != nullptr) TRACED(xhal_stream_destroy(std::exchange(handle_, nullptr)));
}

// Released once, by the test or by the watchdog.
struct ForeignStream::VendorHold {
  std::mutex mutex;
  std::condition_variable changed;
  bool released = false;
  xhal_result_t (*call)(xhal_device_t, void*) = nullptr;
  xhal_device_t device = nullptr;
  void* hold = nullptr;

  void release() {
    const std::lock_guard lock(mutex);
    if (std::exchange(released, true)) return;
    TRACED(call(device, hold));
    changed.notify_all();
  }
  void release_after(std::chrono::nanoseconds limit) {
    std::unique_lock lock(mutex);
    if (changed.wait_for(lock, limit, [this] { return released; })) return;
    lock.unlock();
    release();
  }
};

ForeignStream::ForeignStream(Context& t) : t_(t) {
  if (t.text("owner") == "vendor") {
    probe_ = &need_probe(t);
    const auto create = need_call(probe_->stream_create, "streams");
    t.prepare(0);  // for witness()
    native_ = empty_native();
    REQUIRE_OK(create(t.device(), &native_));
  } else {
    own_ = std::make_unique<Stream>(t);
    native_ = native_of(t, *own_);
  }
}

ForeignStream::~ForeignStream() {
  release();
  if (watchdog_.joinable()) watchdog_.join();
  if (probe_ == nullptr) return;
  // The vendor's destroy comes when nothing runs on it.
  TRACED(xhal_device_synchronize(t_.device(), t_.patience()));
  TRACED(probe_->stream_destroy(t_.device(), &native_));
}

void ForeignStream::fill(void* destination, uint32_t value, uint64_t count) {
  Context& t = t_;
  if (probe_ == nullptr) {
    REQUIRE_OK(xhal_memory_fill(*own_, destination, value, sizeof(value), count * sizeof(value)));
  } else {
    REQUIRE_OK(need_call(probe_->stream_fill, "fills")(t.device(), &native_, destination, value, count));
  }
}

void ForeignStream::hold() {
  Context& t = t_;
  if (probe_ == nullptr) {
    gate_ = std::make_unique<Gate>(t, *own_);
    was_held_ = gate_->shut();
    return;
  }
  if (t.synchronous()) {
    t.note("the device declares itself synchronous: nothing can be held, results alone tell");
    return;
  }
  auto state = std::make_shared<VendorHold>();
  state->call = need_call(probe_->stream_release, "holding a stream");
  state->device = t.device();
  REQUIRE_OK(need_call(probe_->stream_hold, "holding a stream")(t.device(), &native_, &state->hold));
  vendor_hold_ = state;
  was_held_ = true;
  watchdog_ = std::thread(
      [state, limit = std::chrono::nanoseconds(t.patience() / 2)] { state->release_after(limit); });
}

void ForeignStream::release() {
  if (gate_ != nullptr) gate_->open();
  if (vendor_hold_ != nullptr) vendor_hold_->release();
}

bool ForeignStream::held() const {
  if (gate_ != nullptr) return gate_->held();
  if (vendor_hold_ == nullptr) return false;
  const std::lock_guard lock(vendor_hold_->mutex);
  return !vendor_hold_->released;
}

void ForeignStream::finish() {
  Context& t = t_;
  if (probe_ == nullptr) {
    REQUIRE_OK(xhal_stream_synchronize(*own_, t.patience()));
    return;
  }
  // The vendor's way to wait is not needed: the owner's last word tells.
  const Buffer word = pinned_memory(t, sizeof(uint32_t));
  store(word.as<uint32_t>(), 0);
  fill(word, 1, 1);
  if (!t.eventually([&] { return load(word.as<uint32_t>()) == 1; }))
    Context::inconclusive("the vendor's own work did not come to its end");
}

bool ForeignStream::witness() {
  if (gate_ != nullptr) return t_.witness(*gate_);
  if (!held() || !free_work_passes(t_)) return false;
  if (!held()) Context::inconclusive("the vendor's stream had gone on before anything was looked at");
  return true;
}

Axis owner_axis() { return {"owner", {"driver", "vendor"}}; }

}  // namespace xhal::conformance
