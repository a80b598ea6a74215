// SPDX-License-Identifier: Apache-2.0
// What PyTorch's core asks of an accelerator that is not its own.
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>

#include "runtime/check.hpp"
#include "runtime/copy.hpp"
#include "runtime/driver.hpp"
#include "runtime/generator.hpp"
#include "runtime/host_memory.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return device_count() != 0; }
  // Asked by every backward, so it opens nothing.
  bool hasPrimaryContext(c10::DeviceIndex index) const override { return is_active(index); }
  void init() const override { device_at(current_device()); }
  c10::DeviceIndex deviceCount() const override { return device_count(); }
  void setCurrentDevice(c10::DeviceIndex index) const override { set_current_device(index); }
  c10::DeviceIndex getCurrentDevice() const override { return current_device(); }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex index) const override {
    const c10::DeviceIndex former = current_device();
    set_current_device(index);
    return former;
  }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex index) const override {
    return index < 0 ? current_device() : exchangeDevice(index);
  }

  bool isPinnedPtr(const void* pointer) const override { return is_pinned(pointer); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return pinned_allocator(); }
  c10::Device getDeviceFromPtr(void* pointer) const override {
    xhal_pointer_attributes_t attributes = {};
    attributes.struct_size = sizeof(attributes);
    XHAL_CHECK(xhal_driver_get_pointer_attributes(driver().handle, pointer, &attributes));
    TORCH_CHECK_VALUE(attributes.kind != XHAL_MEMORY_UNMANAGED, "the pointer is not of a ", device_title(),
                      " device");
    return c10::Device(kDevice, static_cast<c10::DeviceIndex>(attributes.device_index));
  }

  const at::Generator& getDefaultGenerator(c10::DeviceIndex index) const override {
    return default_generator(index);
  }
  at::Generator getNewGenerator(c10::DeviceIndex index) const override {
    return at::make_generator<Generator>(checked_index(index));
  }

  // A storage grows and shrinks in place for its tensors; its bytes go along, in the order of the current stream.
  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    c10::StorageImpl* impl = storage.unsafeGetStorageImpl();
    TORCH_CHECK(impl->resizable(), "Trying to resize storage that is not resizable");
    const c10::DeviceGuard guard(storage.device());
    c10::DataPtr resized = impl->allocator()->allocate(bytes);
    const size_t kept = std::min(bytes, storage.nbytes());
    if (kept != 0) {
      copy_bytes(current_stream(-1), resized.get(), storage.data(), kept);
      record_memory(storage.data_ptr(), current_stream(-1));
    }
    impl->set_data_ptr_noswap(std::move(resized));
    impl->set_nbytes(bytes);
  }
};

const bool is_registered = [] {
  at::RegisterPrivateUse1HooksInterface(new Hooks());
  return true;
}();

}  // namespace
}  // namespace torch_xhal
