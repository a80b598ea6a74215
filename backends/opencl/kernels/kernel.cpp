// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "device/device.hpp"
#include "kernels/launch.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::opencl {
namespace {

constexpr std::string_view kText = "opencl-c";
constexpr std::string_view kSpirv = "spirv";
constexpr uint32_t kSpirvMagic = 0x07230203;

xhal_image_format_t format_of(std::string_view format, std::string_view target) {
  xhal_image_format_t out = {};
  out.struct_size = sizeof(out);
  std::snprintf(out.format, sizeof(out.format), "%.*s", static_cast<int>(format.size()), format.data());
  std::snprintf(out.target, sizeof(out.target), "%.*s", static_cast<int>(target.size()), target.data());
  return out;
}

// "SPIR-V_1.0 SPIR-V_1.1 ...": the versions, latest first.
std::vector<std::string> spirv_versions(std::string_view il) {
  constexpr std::string_view kPrefix = "SPIR-V_";
  std::vector<std::string> out;
  for (size_t at = il.find(kPrefix); at != std::string_view::npos; at = il.find(kPrefix, at + 1)) {
    const std::string_view rest = il.substr(at + kPrefix.size());
    out.emplace_back(rest.substr(0, rest.find(' ')));
  }
  std::ranges::sort(out, std::greater<>());
  return out;
}

// One line of what a compiler wrote; the error's text has room for as much.
std::string one_line(std::string text) {
  std::string out;
  for (const char c : text) {
    const bool is_space = c == '\n' || c == '\t' || c == '\r' || c == '\0';
    if (is_space && (out.empty() || out.back() == ' ')) continue;
    out += is_space ? ' ' : c;
  }
  return out;
}

std::string build_log(const Calls& calls, cl_program program, cl_device_id device) {
  size_t size = 0;
  calls.clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size);
  std::string out(size, '\0');
  if (size != 0)
    calls.clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, out.data(), nullptr);
  return one_line(std::move(out));
}

xhal_result_t check_desc(const Device& device, const xhal_module_desc_t& given) {
  if (given.flags != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, no flag is defined", given.flags);
  if (given.format == nullptr) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->format is null");
  const std::string_view target = given.target == nullptr ? "" : given.target;
  std::string offered;
  bool is_known = false;
  for (const xhal_image_format_t& one : image_formats(device)) {
    offered += std::string(offered.empty() ? "" : ", ") + one.format + " " + one.target;
    is_known |= std::strcmp(one.format, given.format) == 0 && (target.empty() || target == one.target);
  }
  if (!is_known) {
    return kit::fail(XHAL_ERROR_UNSUPPORTED_IMAGE, "device %u loads %s, not '%.32s %.64s'", device.index,
                     offered.c_str(), given.format, std::string(target).c_str());
  }
  if (given.image_size == 0) return kit::fail(XHAL_ERROR_INVALID_IMAGE, "the image is empty");
  if (given.image == nullptr) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->image is null");
  return XHAL_SUCCESS;
}

xhal_result_t make_program(Device& device, const xhal_module_desc_t& given, cl_program& out) {
  const Calls& calls = *device.instance->calls;
  cl_int code = CL_SUCCESS;
  if (given.format == kSpirv) {
    uint32_t magic = 0;
    if (given.image_size >= sizeof(magic)) std::memcpy(&magic, given.image, sizeof(magic));
    if (magic != kSpirvMagic || given.image_size % sizeof(magic) != 0)
      return kit::fail(XHAL_ERROR_INVALID_IMAGE,
                       "the image is no SPIR-V module of this machine's byte order");
    out = calls.clCreateProgramWithIL(device.platform->context, given.image, given.image_size, &code);
  } else {
    const auto* text = static_cast<const char*>(given.image);
    const size_t size = given.image_size;
    if (std::memchr(text, 0, size) != nullptr)
      return kit::fail(XHAL_ERROR_INVALID_IMAGE, "the image is no text: it holds zero bytes");
    out = calls.clCreateProgramWithSource(device.platform->context, 1, &text, &size, &code);
  }
  if (code == CL_SUCCESS) return XHAL_SUCCESS;
  return kit::fail_native(XHAL_ERROR_INVALID_IMAGE, code, "OpenCL does not take the image: %s",
                          name_of_error(code).c_str());
}

std::string build_options(const xhal_module_desc_t& given) {
  std::string out = "-cl-kernel-arg-info";
  if (given.format == kText)
    out += std::string(" -cl-std=CL") +
           (given.target == nullptr || *given.target == '\0' ? "1.2" : given.target);
  if (given.options != nullptr) out += std::string(" ") + given.options;
  return out;
}

template <class T>
T kernel_value(const Calls& calls, cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what) {
  T out = {};
  calls.clGetKernelWorkGroupInfo(kernel, device, what, sizeof(out), &out, nullptr);
  return out;
}

Param param_of(const Calls& calls, cl_kernel kernel, cl_uint index) {
  cl_kernel_arg_address_qualifier where = 0;
  if (calls.clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(where), &where,
                               nullptr) != CL_SUCCESS)
    return {};
  switch (where) {
    case CL_KERNEL_ARG_ADDRESS_GLOBAL:
    case CL_KERNEL_ARG_ADDRESS_CONSTANT:
      return {Param::Kind::kMemory};
    case CL_KERNEL_ARG_ADDRESS_LOCAL:
      return {Param::Kind::kLocal};
    case CL_KERNEL_ARG_ADDRESS_PRIVATE:
      return {Param::Kind::kValue};
    default:
      return {};
  }
}

}  // namespace

std::vector<xhal_image_format_t> image_formats(const Device& device) {
  std::vector<xhal_image_format_t> out;
  for (const std::string& version : spirv_versions(device.facts.il))
    out.push_back(format_of(kSpirv, version));
  out.push_back(format_of(kText, "1.2"));
  // Nothing that the device would do better, but what a program of its own may be written in.
  if (device.facts.has_program_scope_variables != 0) out.push_back(format_of(kText, "2.0"));
  return out;
}

Module::~Module() {
  if (handle != nullptr) kit::free_handle(handle);
  for (const auto& [name, kernel] : kernels_) kit::free_handle(kernel->handle);
  // Kernels under way keep the program.
  for (const auto& queue : device_.queues())
    for (const auto& [name, kernel] : kernels_) queue->forget(kernel->id);
  device_.instance->calls->clReleaseProgram(program_);
}

xhal_result_t Module::load(Device& device, const xhal_module_desc_t& desc, std::unique_ptr<Module>& out) {
  if (const xhal_result_t result = check_desc(device, desc); result < 0) return result;
  if (const xhal_result_t result = make_ready(device); result < 0) return result;
  const Calls& calls = *device.instance->calls;
  cl_program program = nullptr;
  if (const xhal_result_t result = make_program(device, desc, program); result < 0) return result;
  auto module = std::make_unique<Module>(device, program);
  const cl_int code =
      calls.clBuildProgram(program, 1, &device.id, build_options(desc).c_str(), nullptr, nullptr);
  if (code == CL_INVALID_BUILD_OPTIONS) {
    return kit::fail_native(XHAL_ERROR_INVALID_ARGUMENT, code, "OpenCL's compiler refuses the options '%s'",
                            build_options(desc).c_str());
  }
  if (code != CL_SUCCESS) {
    return kit::fail_native(XHAL_ERROR_INVALID_IMAGE, code, "the image does not build: %s: %s",
                            name_of_error(code).c_str(), build_log(calls, program, device.id).c_str());
  }
  out = std::move(module);
  return XHAL_SUCCESS;
}

xhal_result_t Module::make_kernel(const std::string& name, std::unique_ptr<Kernel>& out) const {
  const Calls& calls = *device_.instance->calls;
  cl_int code = CL_SUCCESS;
  const cl_kernel probe = calls.clCreateKernel(program_, name.c_str(), &code);
  if (code == CL_INVALID_KERNEL_NAME)
    return kit::fail_native(XHAL_ERROR_NOT_FOUND, code, "the module has no kernel '%.128s'", name.c_str());
  if (code != CL_SUCCESS) {
    return kit::fail_native(XHAL_ERROR_INVALID_IMAGE, code, "clCreateKernel('%.128s'): %s", name.c_str(),
                            name_of_error(code).c_str());
  }
  auto made = std::make_unique<Kernel>();
  cl_uint params = 0;
  calls.clGetKernelInfo(probe, CL_KERNEL_NUM_ARGS, sizeof(params), &params, nullptr);
  for (cl_uint i = 0; i < params; ++i) made->params.push_back(param_of(calls, probe, i));
  made->max_group_items = kernel_value<size_t>(calls, probe, device_.id, CL_KERNEL_WORK_GROUP_SIZE);
  made->static_local_bytes = kernel_value<cl_ulong>(calls, probe, device_.id, CL_KERNEL_LOCAL_MEM_SIZE);
  made->private_bytes = kernel_value<cl_ulong>(calls, probe, device_.id, CL_KERNEL_PRIVATE_MEM_SIZE);
  made->preferred_multiple =
      kernel_value<size_t>(calls, probe, device_.id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE);
  calls.clReleaseKernel(probe);
  made->id = kit::services().next_id();
  made->name = name;
  out = std::move(made);
  return XHAL_SUCCESS;
}

xhal_result_t Module::get_kernel(const char* name, xhal_kernel_t* out) {
  const std::lock_guard lock(mutex_);
  if (const auto found = kernels_.find(name); found != kernels_.end()) {
    *out = found->second->handle;
    return XHAL_SUCCESS;
  }
  std::unique_ptr<Kernel> made;
  if (const xhal_result_t result = make_kernel(name, made); result < 0) return result;
  made->module = this;
  const auto place = kernels_.emplace(name, std::move(made)).first;
  place->second->handle = kit::make_handle<xhal_kernel_t>(place->second.get());
  if (place->second->handle == nullptr) {
    kernels_.erase(place);
    throw std::bad_alloc();
  }
  *out = place->second->handle;
  return XHAL_SUCCESS;
}

}  // namespace xhal::opencl
