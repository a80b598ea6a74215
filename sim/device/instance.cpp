// SPDX-License-Identifier: Apache-2.0
#include "device/instance.hpp"

#include <string>

#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::sim {

Instance::Instance(const Options& wanted, void* context)
    : id(kit::services().next_id()),
      options(wanted),
      host_context(context),
      window(Window::of_process()),
      staging(options.staging_bytes),
      memory(window,
             {options.devices, options.memory_bytes, options.pinned_bytes, options.odd.has(Oddity::kReuse)},
             [this] { return pending(); }),
      shared_memory(memory, options.ipc_answer_ms),
      event_watcher(progresses, faults) {
  devices.reserve(options.devices);
  for (uint32_t i = 0; i < options.devices; ++i) devices.push_back(std::make_unique<Device>(*this, i));
}

Instance::~Instance() {
  for (const auto& device : devices) device->stop();
  for (const auto& device : devices) device->wait_until_stopped();
  for (const auto& device : devices)
    device->end_threads();  // a device's worker may still be waking another one's
  // Its thread asks the devices what is under way when a process lets go of memory.
  shared_memory.exporter().stop();
  devices.clear();
  if (handle != nullptr) kit::free_handle(handle);
}

xhal_result_t Instance::activate() {
  if (is_active()) return XHAL_SUCCESS;
  const std::lock_guard lock(activate_mutex_);
  if (active_.load(std::memory_order_relaxed)) return XHAL_SUCCESS;
  kit::services().activated(host_context);
  std::string note;
  if (!window.reserve(note, Window::size_for(options.devices * options.memory_bytes))) {
    return kit::fail(XHAL_ERROR_OUT_OF_HOST_MEMORY,
                     "the process has no address space left for device addresses");
  }
  if (!note.empty()) kit::services().log(host_context, XHAL_LOG_INFO, "sim", note.c_str());
  active_.store(true, std::memory_order_release);
  return XHAL_SUCCESS;
}

xhal_result_t Instance::export_event(DeviceEvent& event, ShareHandle& out, std::string& why) {
  const std::lock_guard lock(exports_mutex_);
  SharedEvent::Export& exported = event.shared->exported;
  if (exported.key == 0) {
    const uint64_t key = kit::services().next_id();
    const xhal_result_t result = shared_memory.exporter().offer(
        key, ShareKind::kEvent, event.device.index, {{}, {event.shared->file(), event.shared->bell()}},
        exported.handle, why);
    if (result < 0) return result;
    exported.key = key;
  }
  out = exported.handle;
  return XHAL_SUCCESS;
}

void Instance::withdraw(DeviceEvent& event) {
  if (event.shared == nullptr) return;
  const std::lock_guard lock(exports_mutex_);
  if (const uint64_t key = event.shared->exported.key; key != 0) shared_memory.exporter().withdraw(key);
}

Memory::Pending Instance::pending() {
  Memory::Pending pending;
  for (const auto& device : devices) device->add_pending(pending);
  return pending;
}

}  // namespace xhal::sim
