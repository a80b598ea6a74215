// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "device/module_globals.hpp"
#include "device/properties.hpp"
#include "entries/entry.hpp"
#include "entries/launch_check.hpp"
#include "kernels/builtin_images.hpp"
#include "kernels/cpu_level.hpp"
#include "kernels/matrix_pack.hpp"

namespace xhal::sim {
namespace {

constexpr uint32_t kUnitGroupItems = 256;  // what a suggestion starts from: enough for every vector width

bool is_builtin(const Device& device, const xhal_module_desc_t& given) {
  return claims(device, XHAL_FEATURE_BUILTIN_KERNELS) && std::strcmp(given.format, "builtin") == 0;
}

std::string_view pack_of(const xhal_module_desc_t& given) {
  return {static_cast<const char*>(given.image), given.image_size};
}

xhal_result_t check_builtin_desc(const xhal_module_desc_t& given) {
  if (given.target != nullptr && given.target[0] != '\0') {
    return kit::fail(XHAL_ERROR_UNSUPPORTED_IMAGE, "built-in kernels have no target, desc->target is '%.64s'",
                     given.target);
  }
  const std::string_view pack = pack_of(given);
  if (pack != kBuiltinPack && pack != kMatrixPack) {
    return kit::fail(
        XHAL_ERROR_INVALID_IMAGE,
        "there is no built-in pack '%.*s' (desc->image holds the name, desc->image_size its length); "
        "those there are are called '%.*s' and '%.*s'",
        static_cast<int>(std::min<size_t>(pack.size(), 64)), pack.data(),
        static_cast<int>(kBuiltinPack.size()), kBuiltinPack.data(), static_cast<int>(kMatrixPack.size()),
        kMatrixPack.data());
  }
  return XHAL_SUCCESS;
}

std::shared_ptr<Image> load_matrix_pack(const Instance& instance, Image::Failure& failure) {
  MatrixLibrary* const library = MatrixLibrary::find(instance.options.matrix_library, failure.text);
  if (library == nullptr) {
    failure.code = XHAL_ERROR_UNSUPPORTED_IMAGE;
    return nullptr;
  }
  const std::string note = "matrix products by " + library->about();
  kit::services().log(instance.host_context, XHAL_LOG_INFO, "sim", note.c_str());
  return matrix_image(*library, failure);
}

xhal_result_t check_module_desc(const Device& device, const xhal_module_desc_t& given) {
  if (given.flags != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, no flag is defined", given.flags);
  if (given.format == nullptr) return refuse_null("desc->format");
  const auto targets = usable_targets(device.instance.options.level);
  const bool builtin = is_builtin(device, given);
  if (!builtin && std::strcmp(given.format, "native") != 0) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED_IMAGE, "the device loads no images of format '%.32s', only %s",
                     given.format,
                     claims(device, XHAL_FEATURE_BUILTIN_KERNELS) ? "'native' and 'builtin'" : "'native'");
  }
  if (!builtin && given.target != nullptr && given.target[0] != '\0' &&
      std::ranges::find(targets, std::string_view(given.target)) == targets.end()) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED_IMAGE,
                     "this processor does not run images of target '%.64s'; the best is '%.*s'", given.target,
                     static_cast<int>(targets.front().size()), targets.front().data());
  }
  if (given.options != nullptr && given.options[0] != '\0') {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                     "desc->options is '%.64s'; native images are not compiled and take none", given.options);
  }
  if (given.image_size == 0) return kit::fail(XHAL_ERROR_INVALID_IMAGE, "the image is empty");
  if (given.image == nullptr) return refuse_null("desc->image");
  return builtin ? check_builtin_desc(given) : xhal_result_t{XHAL_SUCCESS};
}

xhal_result_t module_load(xhal_device_t device, const xhal_module_desc_t* desc, xhal_module_t* out_module) {
  // Without kernels there are no modules, so that the other calls never get a handle.
  if (!claims(device_of(device), XHAL_FEATURE_KERNEL)) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED,
                     usable_targets().empty()
                         ? "this processor is below x86-64-v2: the simulator offers no kernels on it"
                         : "the device does not claim kernel");
  }
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_module_desc_t given = {};
  if (const xhal_result_t result = read("desc", desc, given); result < 0) return result;
  if (out_module == nullptr) return refuse_null("out_module");
  return guarded([&] {
    Device& d = device_of(device);
    if (const xhal_result_t result = check_module_desc(d, given); result < 0) return result;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    Image::Failure failure;
    const auto targets = usable_targets(d.instance.options.level);
    const bool builtin = is_builtin(d, given);
    const bool matrix = builtin && pack_of(given) == kMatrixPack;
    const std::span<const std::byte> bytes =
        builtin ? builtin_image(targets.front())
                : std::span(static_cast<const std::byte*>(given.image), given.image_size);
    auto image = matrix ? load_matrix_pack(d.instance, failure)
                        : Image::load(bytes, given.target != nullptr ? given.target : "", targets, failure);
    if (image == nullptr) {
      return kit::fail(failure.code, "%s: %s", matrix ? "built-in pack xhal_matrix" : "native image",
                       failure.text.c_str());
    }
    // The images of level 2 have no instruction that does both.
    if (d.instance.options.level != 0)
      count(targets.size() == 1 ? Oddity::kSplitFloats : Oddity::kFusedFloats);
    std::shared_ptr<const Image> placed;
    std::string why;
    if (const xhal_result_t result =
            ModuleGlobals::place(d.instance.memory, d.index, std::move(image), placed, why);
        result < 0)
      return kit::fail(result, "native image: %s", why.c_str());
    *out_module = d.make_module(std::move(placed));
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t module_destroy(xhal_module_t module) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    Module& m = module_of(module);
    m.device.destroy(m);
    return XHAL_SUCCESS;
  });
}

xhal_result_t module_get_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out_kernel) {
  if (name == nullptr) return refuse_null("name");
  if (out_kernel == nullptr) return refuse_null("out_kernel");
  return guarded([&] {
    Module& m = module_of(module);
    if (const xhal_result_t result = check_epoch(m.device, m.epoch, "module"); result < 0) return result;
    const xhal_kernel_t kernel = Device::kernel_of(m, name);
    if (kernel == nullptr) return kit::fail(XHAL_ERROR_NOT_FOUND, "the module has no kernel '%.128s'", name);
    *out_kernel = kernel;
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t module_get_global(xhal_module_t module, const char* name, void** out_pointer,
                                uint64_t* out_size) {
  if (name == nullptr) return refuse_null("name");
  if (out_pointer == nullptr || out_size == nullptr)
    return refuse_null(out_pointer == nullptr ? "out_pointer" : "out_size");
  const Module& m = module_of(module);
  if (const xhal_result_t result = check_epoch(m.device, m.epoch, "module"); result < 0) return result;
  const std::vector<GlobalCode>& globals = m.image->globals();
  const auto found = std::ranges::find(globals, std::string_view(name), &GlobalCode::name);
  if (found == globals.end())
    return kit::fail(XHAL_ERROR_NOT_FOUND, "the module has no global variable '%.128s'", name);
  const auto number = static_cast<size_t>(found - globals.begin());
  *out_pointer = reinterpret_cast<void*>(m.image->global_addresses()[number]);
  *out_size = found->size;
  return XHAL_SUCCESS;
}

xhal_result_t kernel_get_info(xhal_kernel_t kernel, xhal_kernel_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  const KernelCode& code = kernel_of(kernel).code;
  xhal_kernel_info_t info = {};
  info.parameter_count = static_cast<uint32_t>(code.params.size());
  info.max_group_items = std::min(code.max_group_items, kMaxGroupItems);
  info.preferred_group_multiple = preferred_group_multiple();
  info.static_local_bytes = code.static_local_bytes;
  std::snprintf(info.name, sizeof(info.name), "%s", code.name.c_str());
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t kernel_get_occupancy(xhal_kernel_t kernel, uint32_t group_items, uint64_t local_bytes,
                                   xhal_occupancy_t* out) {
  if (const xhal_result_t result = check_out("out_occupancy", out); result < 0) return result;
  if (group_items == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "group_items is 0");
  const KernelCode& code = kernel_of(kernel).code;
  const uint32_t most = std::min(code.max_group_items, kMaxGroupItems);
  const bool fits = group_items <= most && code.static_local_bytes <= kMaxLocalBytes &&
                    local_bytes <= kMaxLocalBytes - code.static_local_bytes;
  xhal_occupancy_t occupancy = {};
  occupancy.groups_per_unit = fits ? 1 : 0;  // a unit is a processor and runs one group at a time
  occupancy.suggested_group_items = std::min(most, kUnitGroupItems);
  const Device& device = kernel_of(kernel).device;
  if (fits && claims(device, XHAL_FEATURE_COOPERATIVE_LAUNCH))
    occupancy.max_cooperative_groups = kMaxCooperativeGroups;
  if (fits && claims(device, XHAL_FEATURE_CLUSTER_LAUNCH)) occupancy.max_cluster_groups = kMaxClusterGroups;
  kit::write_struct(occupancy, out);
  return XHAL_SUCCESS;
}

// So that a launch which was taken never fails for want of threads.
xhal_result_t reserve_threads(Stream& stream, const Kernel& kernel, const xhal_launch_t& launch) {
  if (launch.flags == 0) return XHAL_SUCCESS;
  const auto count =
      static_cast<uint32_t>(groups_together(launch.flags, launch.group_count, launch.cluster_size));
  if (stream.host().scheduler().reserve_together(count)) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_OUT_OF_HOST_MEMORY,
                   "the system gives no %u threads, which the groups of kernel '%s' need to run at the same "
                   "time; launch fewer, or raise the limit of threads (ulimit -u, pids.max)",
                   count, kernel.code.name.c_str());
}

xhal_result_t launch_kernel(Stream& stream, const Kernel& kernel, const xhal_launch_t& launch) {
  if (!has_good_shape(kernel, stream, launch)) {
    if (const xhal_result_t result = check_shape(kernel, stream, launch); result < 0) return result;
    if (const xhal_result_t result = reserve_threads(stream, kernel, launch); result < 0) return result;
  }
  if (launch.range_count != 0) {
    if (const xhal_result_t result = check_ranges(kernel, launch); result < 0) return result;
  }
  std::unique_ptr<LargeArguments> large;
  if (kernel.code.argument_bytes > kInlineArgumentBytes ||
      kernel.code.argument_alignment > kInlineArgumentAlignment)
    large = std::make_unique<LargeArguments>(kernel.code);
  bool wrong = false;
  const auto fill = [&](Op& op) -> xhal_result_t {
    Launch& target = op.make<LaunchOp>().launch;
    wrong = !take_arguments(kernel, launch, large != nullptr ? large->bytes.get() : target.arguments);
    if (wrong) return XHAL_ERROR_INVALID_ARGUMENT;
    target.kernel = &kernel.code;
    target.correlation_id = launch.correlation_id;
    std::memcpy(target.group_count, launch.group_count, sizeof(target.group_count));
    target.flags = static_cast<uint8_t>(launch.flags);
    for (int d = 0; d < 3; ++d) {
      target.group_size[d] = static_cast<uint16_t>(launch.group_size[d]);
      if (launch.flags != 0) target.cluster_size[d] = static_cast<uint8_t>(launch.cluster_size[d]);
    }
    op.use(offsetof(LaunchOp, launch.arguments) + (large != nullptr ? 0 : kernel.code.argument_bytes));
    if (large != nullptr) op.attachment = std::move(large);
    return XHAL_SUCCESS;
  };
  const xhal_result_t result = stream.submit(fill);
  if (result >= 0) [[likely]]
    return result;
  if (!wrong) return told(stream, result);
  const xhal_result_t told_wrong = check_arguments(kernel, launch);
  if (told_wrong < 0) return told_wrong;
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                   "kernel '%s': an argument changed, or its memory was freed, while the launch was made",
                   kernel.code.name.c_str());
}

xhal_result_t kernel_launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  return guarded([&] {
    if (launch != nullptr && launch->struct_size == sizeof(*launch)) [[likely]]
      return launch_kernel(s, kernel_of(kernel), *launch);
    xhal_launch_t given;
    if (const xhal_result_t result = read("launch", launch, given); result < 0) return result;
    return launch_kernel(s, kernel_of(kernel), given);
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
  functions.kernel_launch = kernel_launch;
}

}  // namespace xhal::sim
