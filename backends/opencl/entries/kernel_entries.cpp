// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "entries/entry.hpp"
#include "kernels/launch.hpp"

namespace xhal::opencl {
namespace {

uint32_t clamped(uint64_t value) { return static_cast<uint32_t>(std::min<uint64_t>(value, UINT32_MAX)); }

xhal_result_t module_load(xhal_device_t device, const xhal_module_desc_t* desc, xhal_module_t* out_module) {
  if (kit::in_host_function()) return make_ready(device_of(device));
  xhal_module_desc_t given = {};
  if (const xhal_result_t result = read("desc", desc, given); result < 0) return result;
  if (out_module == nullptr) return refuse_null("out_module");
  return guarded([&] {
    Device& d = device_of(device);
    std::unique_ptr<Module> module;
    if (const xhal_result_t result = Module::load(d, given, module); result < 0) return result;
    const std::lock_guard lock(d.mutex);
    d.modules.push_front(std::move(module));
    Module& made = *d.modules.front();
    made.handle = kit::make_handle<xhal_module_t>(&made);
    if (made.handle == nullptr) {
      d.modules.pop_front();
      throw std::bad_alloc();
    }
    *out_module = made.handle;
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t module_destroy(xhal_module_t module) {
  return guarded([&] {
    Module& m = module_of(module);
    Device& d = m.device();
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::shared_ptr<Module> destroyed;
    {
      const std::lock_guard lock(d.mutex);
      const auto found = std::ranges::find_if(d.modules, [&](const auto& one) { return one.get() == &m; });
      destroyed = std::move(*found);
      d.modules.erase(found);
    }
    destroyed->retire();
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t module_get_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out_kernel) {
  if (name == nullptr) return refuse_null("name");
  if (out_kernel == nullptr) return refuse_null("out_kernel");
  return guarded([&] { return module_of(module).get_kernel(name, out_kernel); });
}

xhal_result_t module_get_global(xhal_module_t, const char* name, void** out_pointer, uint64_t* out_size) {
  if (name == nullptr) return refuse_null("name");
  if (out_pointer == nullptr || out_size == nullptr)
    return refuse_null(out_pointer == nullptr ? "out_pointer" : "out_size");
  return kit::fail(XHAL_ERROR_UNSUPPORTED, "OpenCL gives no addresses of global variables");
}

xhal_result_t kernel_get_info(xhal_kernel_t kernel, xhal_kernel_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  const Kernel& k = kernel_of(kernel);
  xhal_kernel_info_t info = {};
  info.parameter_count = static_cast<uint32_t>(k.params.size());
  info.max_group_items =
      clamped(std::min<uint64_t>(k.max_group_items, k.module->device().properties.max_group_items));
  info.preferred_group_multiple = std::max(clamped(k.preferred_multiple), 1U);
  info.static_local_bytes = clamped(k.static_local_bytes);
  info.private_bytes = clamped(k.private_bytes);
  std::snprintf(info.name, sizeof(info.name), "%s", k.name.c_str());
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t kernel_get_occupancy(xhal_kernel_t kernel, uint32_t group_items, uint64_t local_bytes,
                                   xhal_occupancy_t* out) {
  if (const xhal_result_t result = check_out("out_occupancy", out); result < 0) return result;
  if (group_items == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "group_items is 0");
  const Kernel& k = kernel_of(kernel);
  const uint64_t most = std::min<uint64_t>(k.max_group_items, k.module->device().properties.max_group_items);
  const uint64_t room = k.module->device().facts.local_bytes;
  const bool fits =
      group_items <= most && k.static_local_bytes <= room && local_bytes <= room - k.static_local_bytes;
  xhal_occupancy_t occupancy = {};
  // OpenCL does not tell how many groups a unit takes: one that fits runs.
  occupancy.groups_per_unit = fits ? 1 : 0;
  constexpr uint64_t kUnitGroupItems = 256;
  occupancy.suggested_group_items = clamped(std::min(most, kUnitGroupItems));
  kit::write_struct(occupancy, out);
  return XHAL_SUCCESS;
}

xhal_result_t launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* desc) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    xhal_launch_t given;
    if (const xhal_result_t result = read("launch", desc, given); result < 0) return result;
    return s.queue->launch(kernel_of(kernel), given);
  });
}

}  // namespace

void add_kernel_entries(xhal_functions_t& functions) {
  functions.module_load = module_load;
  functions.module_destroy = module_destroy;
  functions.module_get_kernel = module_get_kernel;
  functions.module_get_global = module_get_global;
  functions.kernel_get_info = kernel_get_info;
  functions.kernel_get_occupancy = kernel_get_occupancy;
  functions.kernel_launch = launch;
}

}  // namespace xhal::opencl
