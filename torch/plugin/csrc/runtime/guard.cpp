// SPDX-License-Identifier: Apache-2.0
// How PyTorch's core reaches devices, streams and events. The object is never destroyed: guards run until the process ends.
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "runtime/check.hpp"
#include "runtime/driver.hpp"
#include "runtime/dtypes.hpp"
#include "runtime/events.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"
#include "torch_version.hpp"

namespace torch_xhal {
namespace {

c10::Device numbered(c10::DeviceIndex index) { return c10::Device(kDevice, index); }

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kDevice; }

  c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device former = getDevice();
    setDevice(device);
    return former;
  }
  c10::Device getDevice() const override { return numbered(current_device()); }
  void setDevice(c10::Device device) const override {
    TORCH_CHECK(device.type() == kDevice, "expected a ", device_title(), " device, not ", device);
    if (device.has_index()) set_current_device(device.index());
  }
  void uncheckedSetDevice(c10::Device device) const noexcept override {
    set_current_device_unchecked(device.index());
  }
  c10::DeviceIndex deviceCount() const noexcept override { return device_count(); }
  c10::DeviceCapability getDeviceCapability(c10::Device device) const override {
    return capability_of(device_at(checked_index(device.index())));
  }

  c10::Stream getStream(c10::Device device) const override { return current_stream(device.index()); }
  c10::Stream getDefaultStream(c10::Device device) const override { return default_stream(device.index()); }
  c10::Stream getStreamFromGlobalPool(c10::Device device, bool is_high_priority) const override {
    return stream_from_pool(device.index(), is_high_priority ? priority_range(device.index()).greatest : 0);
  }
  c10::Stream getNewStream(c10::Device device, int priority) const override {
    return stream_from_pool(device.index(), priority);
  }
  c10::Stream exchangeStream(c10::Stream stream) const override {
    const c10::Stream former = current_stream(stream.device_index());
    set_current_stream(stream);
    return former;
  }
  void* getStreamNativeHandle(const c10::Stream stream) const override { return handle_of(stream); }
  bool queryStream(const c10::Stream& stream) const override {
    const xhal_result_t result = xhal_stream_query(handle_of(stream));
    if (result == XHAL_NOT_READY) return false;
    XHAL_CHECK(result);
    return true;
  }
  void synchronizeStream(const c10::Stream& stream) const override {
    XHAL_CHECK(xhal_stream_synchronize(handle_of(stream), XHAL_WAIT_FOREVER));
  }
#if TORCH_XHAL_HAS_STREAM_CAPTURING
  bool isStreamCapturing(const c10::Stream& stream) const override { return is_capturing(stream); }
#endif
  void synchronizeDevice(const c10::DeviceIndex device) const override {
    XHAL_CHECK(xhal_device_synchronize(device_at(checked_index(device)).handle, XHAL_WAIT_FOREVER));
  }

  void record(void** event, const c10::Stream& stream, const c10::DeviceIndex device,
              const c10::EventFlag flag) const override {
    record_event(event, stream, device, flag);
  }
  void block(void* event, const c10::Stream& stream) const override { block_on_event(event, stream); }
  bool queryEvent(void* event) const override { return is_event_done(event); }
  void synchronizeEvent(void* event) const override { synchronize_event(event); }
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override { destroy_event(event); }
  double elapsedTime(void* start, void* end, const c10::DeviceIndex) const override {
    return elapsed_milliseconds(start, end);
  }
  void recordDataPtrOnStream(const c10::DataPtr& memory, const c10::Stream& stream) const override {
    record_memory(memory, stream);
  }
};

const c10::impl::DeviceGuardImplRegistrar registered(kDevice, new Guard());

}  // namespace
}  // namespace torch_xhal
