// SPDX-License-Identifier: Apache-2.0
// A driver that claims every feature, takes every call for done and gives whatever is asked for, made from entry_points.def: what a layer
// says of a call then is the layer's own. It looks at no argument, so that nothing but the layer can find a mistake.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "control.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::clay {
namespace {

struct Driver {
  xhal_driver_t handle;
  xhal_device_t devices[2];
  xhal_stream_t default_streams[2];
};

std::atomic<xhal_result_t> next_failure{XHAL_SUCCESS};
std::atomic<Defect> defect{Defect::kNone};
std::atomic<void (*)(void*)> inside{nullptr};
std::atomic<void*> inside_user{nullptr};
std::atomic<uint64_t> call_count{0};
std::atomic<void*> known_base{nullptr};
std::atomic<uint64_t> known_size{0};
// Addresses that nothing backs: nobody follows them, and nobody can. They come around again after millions of allocations.
constexpr uint64_t kAddresses = uint64_t{1} << 36;
std::atomic<uint64_t> given_addresses{0};

uintptr_t first_address() {
  static void* const reserved =
      ::mmap(nullptr, kAddresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) std::abort();
  return reinterpret_cast<uintptr_t>(reserved);
}

constexpr Control kControl = {
    [](xhal_result_t result) { next_failure = result; },
    [](Defect kind) { defect = kind; },
    [](void (*function)(void*), void* user) {
      inside_user = user;
      inside = function;
    },
    [](void* base, uint64_t size) {
      known_base = base;
      known_size = size;
    },
    []() -> uint64_t { return call_count; },
};
// What the handle of a kernel called "small" points to.
constexpr Control kSmallKernel = kControl;

xhal_result_t answer() {
  ++call_count;
  const xhal_result_t failure = next_failure.exchange(XHAL_SUCCESS);
  return failure < 0 ? kit::fail(failure, "as the test asked for") : failure;
}

void* give_address(uint64_t size) {
  static std::atomic<void*> last{nullptr};
  if (defect == Defect::kSameAddress && last != nullptr) return last;
  const uint64_t taken = (std::max<uint64_t>(size, 1) + 4095) / 4096 * 4096;
  last =
      reinterpret_cast<void*>(first_address() + given_addresses.fetch_add(taken + 4096) % (kAddresses / 2));
  return last;
}

// ---- What an entry does that is not named below -----------------------------------------------------------------------------------------

template <class Handle>
void give(Handle* out) {
  *out = defect == Defect::kNoHandle ? nullptr : kit::make_handle<Handle>(const_cast<Control*>(&kControl));
}
inline void give_pointer(void** out) { *out = give_address(4096); }
template <class T>
void give_pointer(T* /*out*/) {}

#define CLAY_GIVE_H(type, name)
#define CLAY_GIVE_V(ctype, name)
#define CLAY_GIVE_A(ctype, name)
#define CLAY_GIVE_IN(ctype, name)
#define CLAY_GIVE_INO(ctype, name)
#define CLAY_GIVE_OUT(ctype, name) give_pointer(name);
#define CLAY_GIVE_OUTO(ctype, name)
#define CLAY_GIVE_OUTH(type, name) give(name);
#define CLAY_GIVE_OUTHA(type, name, capacity, count)
#define CLAY_GIVE_(kind, ...) CLAY_GIVE_##kind(__VA_ARGS__)
#define CLAY_GIVE(tuple) CLAY_GIVE_ tuple

template <class Handle>
void end_object(bool ends, Handle handle) {
  if (ends) kit::free_handle(handle);
}

constexpr bool ends(const char* name) {
  const std::string_view text = name;
  return text.ends_with("_destroy") || text.ends_with("_unsubscribe");
}

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
#define XHAL_ENTRY(feature, since, name, ...)              \
  xhal_result_t clay_##name(XHAL_PARAMS(__VA_ARGS__)) {    \
    const xhal_result_t result = answer();                 \
    if (result < 0) return result;                         \
    XHAL_PP_EACH(CLAY_GIVE, __VA_ARGS__)                   \
    end_object(ends(#name), XHAL_FIRST_NAME(__VA_ARGS__)); \
    return result;                                         \
  }
#include "xhal/entry_points.def"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

// ---- What must be more than done ------------------------------------------------------------------------------------------------------------

const Driver* driver_of(xhal_driver_t handle) { return kit::object_of<Driver>(handle); }

xhal_result_t get_devices(xhal_driver_t handle, uint32_t capacity, xhal_device_t* out, uint32_t* count) {
  *count = 2;
  for (uint32_t i = 0; i < capacity && i < 2; ++i) out[i] = driver_of(handle)->devices[i];
  return capacity == 1 ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

xhal_result_t get_extension(xhal_driver_t /*driver*/, const char* name, uint32_t version, const void** out) {
  if (std::strcmp(name, "clay_control") != 0 || version != 1)
    return kit::fail(XHAL_ERROR_NOT_FOUND, "no extension '%s'", name);
  *out = &kControl;
  return XHAL_SUCCESS;
}

// Devices are known by the driver's object: 0 and 1 lie behind each other.
xhal_result_t get_properties(xhal_device_t handle, xhal_device_properties_t* out) {
  const auto* driver = kit::object_of<Driver>(handle);
  xhal_device_properties_t properties = {};
  properties.index = driver->devices[1] == handle ? 1 : 0;
  std::strcpy(properties.name, "clay");
  properties.priority_least = 0;
  properties.priority_greatest = -2;
  properties.max_group_items = 256;
  for (uint32_t& size : properties.max_group_size) size = 256;
  for (uint32_t& count : properties.max_group_count) count = 65536;
  properties.max_local_bytes = 1024;
  properties.max_argument_bytes = 256;
  properties.ipc_handle_bytes = 64;
  std::fill(std::begin(properties.features), std::end(properties.features), ~uint64_t{0});
  kit::write_struct(properties, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_kernel(xhal_module_t /*module*/, const char* name, xhal_kernel_t* out) {
  const xhal_result_t result = answer();
  if (result >= 0) {
    const bool is_small = name != nullptr && std::strcmp(name, "small") == 0;
    *out = kit::make_handle<xhal_kernel_t>(const_cast<Control*>(is_small ? &kSmallKernel : &kControl));
  }
  return result;
}

xhal_result_t get_kernel_info(xhal_kernel_t kernel, xhal_kernel_info_t* out) {
  xhal_kernel_info_t info = {};
  info.parameter_count = 2;
  if (kit::object_of<void>(kernel) == &kSmallKernel) {
    info.max_group_items = 128;
    info.static_local_bytes = 1000;
  }
  std::strcpy(info.name, "clay");
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_attributes(xhal_driver_t /*driver*/, const void* pointer, xhal_pointer_attributes_t* out) {
  xhal_pointer_attributes_t attributes = {};  // unmanaged
  if (reinterpret_cast<uintptr_t>(pointer) - reinterpret_cast<uintptr_t>(known_base.load()) < known_size) {
    attributes.kind = XHAL_MEMORY_DEVICE;
    attributes.base = known_base;
    attributes.size = known_size;
  }
  kit::write_struct(attributes, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_granularity(xhal_device_t /*device*/, xhal_vmm_granularity_t* out) {
  xhal_vmm_granularity_t granularity = {};
  granularity.minimum = granularity.recommended = 4096;
  kit::write_struct(granularity, out);
  return XHAL_SUCCESS;
}

xhal_result_t reserve(xhal_device_t /*device*/, uint64_t size, uint64_t /*alignment*/, void* /*hint*/,
                      void** out) {
  const xhal_result_t result = answer();
  if (result >= 0) *out = give_address(size);
  return result;
}

xhal_result_t get_default_stream(xhal_device_t device, xhal_stream_t* out) {
  const auto* driver = kit::object_of<Driver>(device);
  *out = driver->default_streams[driver->devices[1] == device ? 1 : 0];
  return answer();
}

xhal_result_t allocate(xhal_device_t /*device*/, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = answer();
  if (result >= 0) *out = give_address(desc->size);
  return result;
}

xhal_result_t allocate_from_pool(xhal_pool_t /*pool*/, xhal_stream_t /*stream*/, uint64_t size, void** out) {
  const xhal_result_t result = answer();
  if (result >= 0) *out = give_address(size);
  return result;
}

xhal_result_t synchronize(xhal_stream_t /*stream*/, uint64_t /*timeout_ns*/) {
  if (auto* function = inside.load(); function != nullptr) function(inside_user);
  return answer();
}

// At once: a host function of this driver runs in the call that submits it.
xhal_result_t run_host_function(xhal_stream_t /*stream*/, xhal_host_fn function, void* user) {
  if (function != nullptr) kit::run_host_function(function, user, XHAL_SUCCESS);
  return answer();
}

// The default stream is not the caller's: it stays.
xhal_result_t destroy_stream(xhal_stream_t stream) {
  const xhal_result_t result = answer();
  if (result >= 0 && kit::object_of<void>(stream) == &kControl) kit::free_handle(stream);
  return result;
}

const xhal_functions_t kFunctions = [] {
  xhal_functions_t f = {};
  f.struct_size = sizeof(f);
#define XHAL_ENTRY(feature, since, name, ...) f.name = clay_##name;
#include "xhal/entry_points.def"
  f.driver_get_devices = get_devices;
  f.driver_get_extension = get_extension;
  f.driver_get_pointer_attributes = get_attributes;
  f.device_get_properties = get_properties;
  f.device_get_default_stream = get_default_stream;
  f.kernel_get_info = get_kernel_info;
  f.module_get_kernel = get_kernel;
  f.vmm_get_granularity = get_granularity;
  f.vmm_reserve = reserve;
  f.memory_allocate = allocate;
  f.pool_allocate = allocate_from_pool;
  f.stream_synchronize = synchronize;
  f.stream_destroy = destroy_stream;
  f.stream_host_function = run_host_function;
  return f;
}();

xhal_result_t open_driver(const xhal_driver_open_t* params, xhal_driver_t* out) {
  if (const xhal_result_t read = kit::apply_options("clay", {params->options, params->option_count}, {});
      read < 0)
    return read;
  next_failure = XHAL_SUCCESS;
  defect = Defect::kNone;
  inside = nullptr;
  known_size = 0;
  auto* driver = new Driver;
  for (int i = 0; i < 2; ++i) {
    driver->devices[i] = kit::make_handle<xhal_device_t>(driver);
    driver->default_streams[i] = kit::make_handle<xhal_stream_t>(driver);
  }
  driver->handle = kit::make_handle<xhal_driver_t>(driver);
  *out = driver->handle;
  return XHAL_SUCCESS;
}

xhal_result_t close_driver(xhal_driver_t handle) {
  auto* driver = kit::object_of<Driver>(handle);
  for (int i = 0; i < 2; ++i) {
    kit::free_handle(driver->devices[i]);
    kit::free_handle(driver->default_streams[i]);
  }
  kit::free_handle(handle);
  delete driver;
  return XHAL_SUCCESS;
}

}  // namespace
}  // namespace xhal::clay

extern "C" xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                               xhal_driver_interface_t* interface_out) {
  using namespace xhal::clay;  // NOLINT(google-build-using-namespace)
  return xhal::kit::negotiate(host, interface_out, {"clay", "1", open_driver, close_driver, &kFunctions});
}
