// SPDX-License-Identifier: Apache-2.0
// PyTorch's older way to time operators: an event before and behind each, on the current stream.
#include <c10/util/ApproximateClock.h>
#include <torch/csrc/profiler/stubs/base.h>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/events.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

using torch::profiler::impl::ProfilerVoidEventStub;

struct Stubs final : torch::profiler::impl::ProfilerStubs {
  bool enabled() const override { return device_count() != 0; }
  void record(c10::DeviceIndex* device, ProfilerVoidEventStub* event, int64_t* cpu_ns) const override {
    const c10::Stream stream = current_stream(-1);
    void* made = nullptr;
    record_event(&made, stream, stream.device_index(), c10::EventFlag::BACKEND_DEFAULT);
    *event = ProfilerVoidEventStub(made, [](void* of) { destroy_event(of); });
    if (device != nullptr) *device = stream.device_index();
    if (cpu_ns != nullptr) *cpu_ns = c10::getTime();
  }
  float elapsed(const ProfilerVoidEventStub* first, const ProfilerVoidEventStub* second) const override {
    synchronize_event(first->get());
    synchronize_event(second->get());
    return static_cast<float>(elapsed_milliseconds(first->get(), second->get()) * 1e3);
  }
  // What has not been used has nothing to wait for, and is not opened for it.
  void onEachDevice(std::function<void(int)> each) const override {
    const c10::DeviceIndex former = current_device();
    for (c10::DeviceIndex device = 0; device < device_count(); ++device) {
      if (!is_active(device)) continue;
      set_current_device(device);
      each(device);
    }
    set_current_device(former);
  }
  void synchronize() const override {
    XHAL_CHECK(xhal_device_synchronize(device_at(current_device()).handle, XHAL_WAIT_FOREVER));
  }
  // xhal has no call that names a range for a vendor's own tools.
  void mark(const char*) const override { refuse(); }
  void rangePush(const char*) const override { refuse(); }
  void rangePop() const override {}

 private:
  static void refuse() {
    TORCH_WARN_ONCE("ranges and marks do not reach the tools of ", device_title(),
                    "'s vendor: xhal has no call for them. torch.profiler shows them.");
  }
};

const bool is_registered = [] {
  torch::profiler::impl::registerPrivateUse1Methods(new Stubs());
  return true;
}();

}  // namespace
}  // namespace torch_xhal
