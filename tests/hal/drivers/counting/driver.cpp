// SPDX-License-Identifier: Apache-2.0
// A driver over a vendor's runtime that may not be touched before a fork. Option count: `helper` counts in a helper process of the kit,
// as a driver over such a runtime should as long as the runtime does not live in this process; `direct` counts in this process and says so by activated(); `untold` counts here and says nothing.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "vendor.h"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"

namespace {

using namespace xhal::kit;

// A minute: only a hang reaches it.
constexpr uint64_t kCountingTimeout = 60'000'000'000;

struct Vendor {
  decltype(&vendor_count_devices) count_devices = nullptr;
  decltype(&vendor_run) run = nullptr;
};

struct Device {
  xhal_device_t handle = nullptr;
  xhal_stream_t default_stream = nullptr;
  struct Driver* driver = nullptr;
};

struct Driver {
  xhal_driver_t handle = nullptr;
  void* host_context = nullptr;
  std::string count = "helper";
  std::mutex mutex;  // guards what follows
  bool counted = false;
  std::vector<std::unique_ptr<Device>> devices;
  std::vector<xhal_module_t> modules;
  std::vector<xhal_kernel_t> kernels;
  std::atomic<bool> active{false};
};

// The process in which the runtime was touched, and is usable. A helper that is forked from it could not use it.
std::atomic<pid_t> g_runtime_process{0};
bool runtime_lives_here() { return g_runtime_process == getpid(); }

xhal_result_t vendor_failed(int code) {
  return fail_native(XHAL_ERROR_DRIVER_FAILED, code, "the vendor's runtime returned %d", code);
}

xhal_result_t load(Vendor& out) {
  void* library = dlopen(COUNTING_VENDOR_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return fail(XHAL_ERROR_DRIVER_FAILED, "%s", dlerror());
  out.count_devices = reinterpret_cast<decltype(out.count_devices)>(dlsym(library, "vendor_count_devices"));
  out.run = reinterpret_cast<decltype(out.run)>(dlsym(library, "vendor_run"));
  if (out.count_devices == nullptr || out.run == nullptr)
    return fail(XHAL_ERROR_DRIVER_FAILED, "%s", dlerror());
  return XHAL_SUCCESS;
}

xhal_result_t count_here(int& out) {
  Vendor vendor;
  if (const xhal_result_t result = load(vendor); result < 0) return result;
  const int code = vendor.count_devices(&out);
  return code == VENDOR_OK ? XHAL_SUCCESS : vendor_failed(code);
}

xhal_result_t count_in_helper(int& out) {
  std::vector<unsigned char> bytes;
  const xhal_result_t result = run_in_helper(
      [](std::vector<unsigned char>& answer) {
        int count = 0;
        const xhal_result_t counted = count_here(count);
        answer.resize(sizeof(count));
        std::memcpy(answer.data(), &count, sizeof(count));
        return counted;
      },
      kCountingTimeout, bytes);
  if (result == XHAL_TIMEOUT) return fail(XHAL_ERROR_DRIVER_FAILED, "counting devices took a minute");
  if (result < 0) return result;
  if (bytes.size() != sizeof(out)) return XHAL_ERROR_INTERNAL;
  std::memcpy(&out, bytes.data(), sizeof(out));
  return XHAL_SUCCESS;
}

// Once for each instance; the mutex is held.
xhal_result_t count(Driver& driver) {
  if (driver.counted) return XHAL_SUCCESS;
  int number = 0;
  const bool in_helper = driver.count == "helper" && !runtime_lives_here();
  if (!in_helper && driver.count != "untold") services().activated(driver.host_context);
  const xhal_result_t result = in_helper ? count_in_helper(number) : count_here(number);
  if (result < 0) return result;
  if (!in_helper) g_runtime_process = getpid();
  for (int i = 0; i < number; ++i) {
    auto device = std::make_unique<Device>();
    device->driver = &driver;
    device->handle = make_handle<xhal_device_t>(device.get());
    device->default_stream = make_handle<xhal_stream_t>(device.get());
    driver.devices.push_back(std::move(device));
  }
  driver.counted = true;
  return XHAL_SUCCESS;
}

// A piece of work, done by the vendor's thread before the call returns.
template <class Job>
xhal_result_t run(Device& device, Job job) {
  services().activated(device.driver->host_context);
  device.driver->active = true;
  Vendor vendor;
  if (const xhal_result_t result = load(vendor); result < 0) return result;
  const int code = vendor.run([](void* user) { (*static_cast<Job*>(user))(); }, &job);
  if (code != VENDOR_OK) return vendor_failed(code);
  g_runtime_process = getpid();
  return XHAL_SUCCESS;
}

Device& device_of(xhal_stream_t stream) { return *object_of<Device>(stream); }

xhal_result_t open(const xhal_driver_open_t* params, xhal_driver_t* out) {
  auto driver = std::make_unique<Driver>();
  const OptionRule rules[] = {
      {"count", "helper, direct or untold", [&](std::string_view value) -> std::string {
         if (value != "helper" && value != "direct" && value != "untold")
           return "is none of helper, direct, untold";
         driver->count = value;
         return "";
       }}};
  if (const xhal_result_t result = apply_options("counting", {params->options, params->option_count}, rules);
      result < 0)
    return result;
  driver->host_context = params->host_context;
  driver->handle = make_handle<xhal_driver_t>(driver.get());
  *out = driver.release()->handle;
  return XHAL_SUCCESS;
}

xhal_result_t close(xhal_driver_t handle) {
  const std::unique_ptr<Driver> driver(object_of<Driver>(handle));
  for (const xhal_kernel_t kernel : driver->kernels) free_handle(kernel);
  for (const xhal_module_t module : driver->modules) free_handle(module);
  for (const auto& device : driver->devices) {
    free_handle(device->default_stream);
    free_handle(device->handle);
  }
  free_handle(handle);
  return XHAL_SUCCESS;
}

xhal_result_t get_devices(xhal_driver_t handle, uint32_t capacity, xhal_device_t* out, uint32_t* out_count) {
  if (out_count == nullptr || (out == nullptr && capacity > 0)) return XHAL_ERROR_INVALID_ARGUMENT;
  Driver& driver = *object_of<Driver>(handle);
  const std::lock_guard lock(driver.mutex);
  if (const xhal_result_t result = count(driver); result < 0) return result;
  const auto number = static_cast<uint32_t>(driver.devices.size());
  *out_count = number;
  if (out == nullptr) return XHAL_SUCCESS;
  for (uint32_t i = 0; i < number && i < capacity; ++i) out[i] = driver.devices[i]->handle;
  return capacity < number ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

xhal_result_t is_active(xhal_device_t device, uint32_t* out) {
  if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  *out = object_of<Device>(device)->driver->active ? 1 : 0;
  return XHAL_SUCCESS;
}

xhal_result_t get_default_stream(xhal_device_t device, xhal_stream_t* out) {
  if (out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  *out = object_of<Device>(device)->default_stream;
  return XHAL_SUCCESS;
}

xhal_result_t allocate(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (desc == nullptr || out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  void* memory = nullptr;
  const xhal_result_t result = run(*object_of<Device>(device),
                                   [&] { memory = std::aligned_alloc(256, (desc->size + 255) & ~255ULL); });
  if (result < 0) return result;
  if (memory == nullptr) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  *out = memory;
  return XHAL_SUCCESS;
}

xhal_result_t release(xhal_device_t, void* pointer) {
  std::free(pointer);
  return XHAL_SUCCESS;
}

xhal_result_t fill(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width, uint64_t size) {
  if (destination == nullptr || width != 4) return XHAL_ERROR_INVALID_ARGUMENT;
  return run(device_of(stream), [&] {
    for (uint64_t i = 0; i < size / 4; ++i)
      static_cast<uint32_t*>(destination)[i] = static_cast<uint32_t>(pattern);
  });
}

xhal_result_t host_function(xhal_stream_t stream, xhal_host_fn function, void* user) {
  if (function == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  return run(device_of(stream), [&] { run_host_function(function, user, XHAL_SUCCESS); });
}

xhal_result_t synchronize(xhal_stream_t, uint64_t) { return XHAL_SUCCESS; }

xhal_result_t load_module(xhal_device_t handle, const xhal_module_desc_t* desc, xhal_module_t* out) {
  if (desc == nullptr || out == nullptr || desc->format == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  if (std::strcmp(desc->format, "builtin") != 0) return XHAL_ERROR_UNSUPPORTED_IMAGE;
  Device& device = *object_of<Device>(handle);
  *out = make_handle<xhal_module_t>(&device);
  const std::lock_guard lock(device.driver->mutex);
  device.driver->modules.push_back(*out);
  return XHAL_SUCCESS;
}

xhal_result_t get_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out) {
  if (name == nullptr || out == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  if (std::strcmp(name, "multiply_u32") != 0) return fail(XHAL_ERROR_NOT_FOUND, "no kernel '%s'", name);
  Device& device = *object_of<Device>(module);
  *out = make_handle<xhal_kernel_t>(&device);
  const std::lock_guard lock(device.driver->mutex);
  device.driver->kernels.push_back(*out);
  return XHAL_SUCCESS;
}

// multiply_u32(RW u32* data, u32 factor): every item of the launch multiplies its own number.
xhal_result_t launch(xhal_stream_t stream, xhal_kernel_t, const xhal_launch_t* given) {
  if (given == nullptr || given->argument_count != 2) return XHAL_ERROR_INVALID_ARGUMENT;
  const xhal_argument_t& memory = given->arguments[0];
  const xhal_argument_t& value = given->arguments[1];
  if (memory.kind != XHAL_ARGUMENT_MEMORY || value.kind != XHAL_ARGUMENT_VALUE || value.size != 4)
    return XHAL_ERROR_INVALID_ARGUMENT;
  uint32_t factor = 0;
  std::memcpy(&factor, value.data, sizeof(factor));
  auto* data = static_cast<uint32_t*>(const_cast<void*>(memory.data));
  return run(device_of(stream), [&] {
    for (uint32_t i = 0; i < given->group_count[0] * given->group_size[0]; ++i) data[i] *= factor;
  });
}

constexpr xhal_functions_t make_functions() {
  xhal_functions_t f{};
  f.struct_size = sizeof(f);
  f.abi_revision = XHAL_ABI_REVISION;
  f.driver_get_devices = get_devices;
  f.device_is_active = is_active;
  f.device_get_default_stream = get_default_stream;
  f.memory_allocate = allocate;
  f.memory_free = release;
  f.memory_fill = fill;
  f.stream_host_function = host_function;
  f.stream_synchronize = synchronize;
  f.module_load = load_module;
  f.module_get_kernel = get_kernel;
  f.kernel_launch = launch;
  return f;
}

constexpr xhal_functions_t kFunctions = make_functions();

}  // namespace

extern "C" XHAL_EXPORT xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                                           xhal_driver_interface_t* out) {
  return negotiate(host, out, {"counting", "1.0", open, close, &kFunctions});
}
