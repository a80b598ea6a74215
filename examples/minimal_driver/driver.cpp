// SPDX-License-Identifier: Apache-2.0
// The exported symbol, the table, driver and device.
#include <algorithm>
#include <cstring>
#include <new>

#include "minimal.hpp"
#include "xhal/kit/structs.hpp"

namespace minimal {
namespace {

using namespace xhal::kit;

template <size_t N>
void put(char (&field)[N], const char* text) {
  std::strncpy(field, text, N - 1);
}

xhal_result_t open(const xhal_driver_open_t* params, xhal_driver_t* out) {
  if (const xhal_result_t result = apply_options("minimal", {params->options, params->option_count}, {});
      result < 0)
    return result;
  auto driver = std::make_unique<Driver>();
  Device& device = driver->device;
  Stream& stream = device.default_stream;
  driver->host_context = params->host_context;
  device.driver = driver.get();
  stream.device = &device;
  stream.is_default = true;
  stream.id = services().next_id();
  const bool made =
      driver->handle.make(driver.get()) && device.handle.make(&device) && stream.handle.make(&stream);
  if (!made) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  *out = driver.release()->handle.get();
  return XHAL_SUCCESS;
}

xhal_result_t close(xhal_driver_t handle) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  const std::unique_ptr<Driver> driver(object_of<Driver>(handle));
  // The threads that are still inside leave first; nobody enters any more. [XHAL-INSTANCE-8]
  std::unique_lock lock(driver->device.mutex);
  driver->device.changed.wait(lock, [&] { return driver->device.unfinished.empty(); });
  lock.unlock();
  return XHAL_SUCCESS;
}

xhal_result_t get_driver_properties(xhal_driver_t, xhal_driver_properties_t* out) {
  if (const xhal_result_t result = check_out_struct(out); result < 0) return result;
  xhal_driver_properties_t properties{};
  properties.abi_minor = XHAL_ABI_MINOR;
  properties.abi_revision = XHAL_ABI_REVISION;
  put(properties.name, "minimal");
  put(properties.version, "1.0");
  put(properties.vendor, "xhal examples");
  put(properties.library_path, library_path());
  put(properties.manifest_path, manifest_path());
  write_struct(properties, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out, uint32_t* out_count) {
  if (out_count == nullptr || (out == nullptr && capacity > 0)) return XHAL_ERROR_INVALID_ARGUMENT;
  *out_count = 1;
  if (capacity == 0) return out == nullptr ? XHAL_SUCCESS : XHAL_INCOMPLETE;
  out[0] = object_of<Driver>(driver)->device.handle.get();
  return XHAL_SUCCESS;
}

xhal_result_t get_extension(xhal_driver_t, const char* name, uint32_t, const void** out) {
  if (name == nullptr || out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  return fail(XHAL_ERROR_NOT_FOUND, "the minimal driver has no extension table '%s'", name);
}

xhal_result_t get_properties(xhal_device_t, xhal_device_properties_t* out) {
  if (const xhal_result_t result = check_out_struct(out); result < 0) return result;
  xhal_device_properties_t p{};
  p.kind = XHAL_DEVICE_KIND_CPU;
  std::memcpy(p.uuid, "xhal-minimal-dev", sizeof(p.uuid));
  p.pci_domain = p.pci_bus = p.pci_device = p.pci_function = XHAL_PCI_UNKNOWN;
  p.numa_node = XHAL_NUMA_UNKNOWN;
  put(p.name, "Minimal host device");
  put(p.vendor, "xhal examples");
  put(p.architecture, "host");
  p.memory_bytes = kMemoryBytes;
  p.memory_granularity = 1;
  p.dtype_mask = UINT64_C(1) << XHAL_DTYPE_U8;
  p.unit_count = 1;
  p.address_bits = 64;
  p.features[0] = UINT64_C(1) << XHAL_FEATURE_CORE;
  p.is_synchronous = 1;
  p.fault_scope = XHAL_FAULT_SCOPE_DEVICE;  // nothing in it can fail later
  p.fault_recovery = XHAL_RECOVERY_NONE;
  p.free_waits = XHAL_FREE_WAITS_NEVER;
  p.copy_blocks = 0x7f;  // every direction: that is what synchronous means
  p.host_function_blocks = XHAL_BLOCKS_NONE;
  p.default_stream_kind = XHAL_DEFAULT_STREAM_INDEPENDENT;
  p.max_allocation_bytes = kMemoryBytes;
  p.memory_alignment = kAlignment;
  // Limits of launches that it does not have; the contract wants none of them zero.
  p.max_group_items = p.max_local_bytes = p.preferred_group_multiple = p.max_argument_bytes =
      p.max_arguments = 1;
  std::fill_n(p.max_group_size, 3, 1U);
  std::fill_n(p.max_group_count, 3, 1U);
  write_struct(p, out);
  return XHAL_SUCCESS;
}

xhal_result_t has_feature(xhal_device_t, uint32_t feature, uint32_t* out) {
  if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  *out = feature == XHAL_FEATURE_CORE ? 1 : 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_image_formats(xhal_device_t, uint32_t capacity, uint32_t stride, xhal_image_format_t* out,
                                uint32_t* out_count) {
  if (out_count == nullptr || (out == nullptr && capacity > 0) || stride < sizeof(*out))
    return XHAL_ERROR_INVALID_ARGUMENT;
  *out_count = 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_notes(xhal_device_t, uint32_t capacity, uint32_t stride, xhal_device_note_t* out,
                        uint32_t* out_count) {
  if (out_count == nullptr || (out == nullptr && capacity > 0) || stride < sizeof(*out))
    return XHAL_ERROR_INVALID_ARGUMENT;
  *out_count = 0;
  return XHAL_SUCCESS;
}

xhal_result_t is_active(xhal_device_t device, uint32_t* out) {
  if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  *out = object_of<Device>(device)->active ? 1 : 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_link(xhal_device_t, xhal_device_t, xhal_link_t* out) {
  if (const xhal_result_t result = check_out_struct(out); result < 0) return result;
  xhal_link_t link{};
  link.kind = XHAL_LINK_SELF;
  link.direct_copy = 1;
  write_struct(link, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_fault(xhal_device_t, xhal_fault_t* out) {
  if (const xhal_result_t result = check_out_struct(out); result < 0) return result;
  xhal_fault_t healthy{};
  healthy.scope = XHAL_FAULT_SCOPE_DEVICE;
  healthy.recovery = XHAL_RECOVERY_NONE;
  write_struct(healthy, out);
  return XHAL_SUCCESS;
}

xhal_result_t reset(xhal_device_t) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  return fail(XHAL_ERROR_UNSUPPORTED, "the minimal device never fails and has no reset");
}

// No exception crosses the table: memory that runs out is an answer like any other.
template <auto kEntry>
struct Guarded;
template <class... Arguments, xhal_result_t (*kEntry)(Arguments...)>
struct Guarded<kEntry> {
  static xhal_result_t call(Arguments... arguments) noexcept {
    try {
      return kEntry(arguments...);
    } catch (const std::bad_alloc&) {
      return fail(XHAL_ERROR_OUT_OF_HOST_MEMORY, "the process has no memory left for the driver's objects");
    }
  }
};
template <auto kEntry>
constexpr auto kGuarded = Guarded<kEntry>::call;

// Slots that are not named stay null and refuse.
constexpr xhal_functions_t make_functions() {
  xhal_functions_t f{};
  f.struct_size = sizeof(f);
  f.abi_revision = XHAL_ABI_REVISION;
  f.driver_get_properties = kGuarded<get_driver_properties>;
  f.driver_get_devices = kGuarded<get_devices>;
  f.driver_get_extension = kGuarded<get_extension>;
  f.driver_get_pointer_attributes = kGuarded<get_pointer_attributes>;
  f.device_get_properties = kGuarded<get_properties>;
  f.device_has_feature = kGuarded<has_feature>;
  f.device_get_image_formats = kGuarded<get_image_formats>;
  f.device_get_notes = kGuarded<get_notes>;
  f.device_is_active = kGuarded<is_active>;
  f.device_get_memory_info = kGuarded<get_memory_info>;
  f.device_get_link = kGuarded<get_link>;
  f.device_synchronize = kGuarded<device_synchronize>;
  f.device_get_default_stream = kGuarded<get_default_stream>;
  f.device_get_fault = kGuarded<get_fault>;
  f.device_reset = kGuarded<reset>;
  f.stream_create = kGuarded<stream_create>;
  f.stream_destroy = kGuarded<stream_destroy>;
  f.stream_get_info = kGuarded<stream_get_info>;
  f.stream_get_device = kGuarded<stream_get_device>;
  f.stream_query = kGuarded<stream_query>;
  f.stream_synchronize = kGuarded<stream_synchronize>;
  f.stream_wait_event = kGuarded<stream_wait_event>;
  f.stream_host_function = kGuarded<stream_host_function>;
  f.event_create = kGuarded<event_create>;
  f.event_destroy = kGuarded<event_destroy>;
  f.event_record = kGuarded<event_record>;
  f.event_query = kGuarded<event_query>;
  f.event_synchronize = kGuarded<event_synchronize>;
  f.event_get_elapsed = kGuarded<event_get_elapsed>;
  f.memory_allocate = kGuarded<memory_allocate>;
  f.memory_free = kGuarded<memory_free>;
  f.memory_copy = kGuarded<memory_copy>;
  f.memory_fill = kGuarded<memory_fill>;
  return f;
}

constexpr xhal_functions_t kFunctions = make_functions();
constexpr DriverDescription kDescription = {"minimal", "1.0", kGuarded<open>, close, &kFunctions};

}  // namespace

void activate(Device& device) {
  if (device.active.exchange(true)) return;
  services().activated(device.driver->host_context);
}

}  // namespace minimal

extern "C" XHAL_EXPORT xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                                           xhal_driver_interface_t* out) {
  return xhal::kit::negotiate(host, out, minimal::kDescription);
}
