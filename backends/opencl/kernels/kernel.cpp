// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "device/device.hpp"
#include "device/quirks.hpp"
#include "kernels/launch.hpp"
#include "kernels/offset_form.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::opencl {
namespace {

constexpr std::string_view kText = "opencl-c";
constexpr std::string_view kSpirv = "spirv";
constexpr std::string_view kBinary = "opencl-binary";
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

// Binaries are of one device and driver.
std::string binary_target(const DeviceFacts& facts) {
  std::string out = std::string(facts.platform_name) + '/' + facts.name + '/' + facts.driver_version;
  if (constexpr size_t kMost = sizeof(xhal_image_format_t::target) - 1; out.size() > kMost)
    out.erase(0, out.size() - kMost);
  return out;
}

// One line of what a compiler wrote; the error's text has room for as much.
std::string one_line(std::string_view text) {
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
  return one_line(out);
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

xhal_result_t refuse_image(cl_int code) {
  return kit::fail_native(XHAL_ERROR_INVALID_IMAGE, code, "OpenCL does not take the image: %s",
                          name_of_error(code).c_str());
}

cl_program program_of_binary(const Device& device, std::string_view binary, cl_int& code) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(binary.data());
  const size_t size = binary.size();
  cl_int status = CL_SUCCESS;
  const cl_program out = device.instance->calls->clCreateProgramWithBinary(
      device.platform->context, 1, &device.id, &size, &bytes, &status, &code);
  if (code == CL_SUCCESS) code = status;
  return out;
}

// Instructions that lie one behind the other up to the end, and each function's end: a runtime may end the process over a module that was cut.
const char* fault_of_spirv(std::string_view image) {
  constexpr size_t kHeader = 5;
  constexpr uint32_t kFunction = 54;
  constexpr uint32_t kFunctionEnd = 56;
  std::vector<uint32_t> words(image.size() / sizeof(uint32_t));
  std::memcpy(words.data(), image.data(), words.size() * sizeof(uint32_t));
  if (words.empty() || words[0] != kSpirvMagic || image.size() % sizeof(uint32_t) != 0)
    return "the image is no SPIR-V module of this machine's byte order";
  bool is_in_function = false;
  size_t at = kHeader;
  while (at < words.size()) {
    const uint32_t length = words[at] >> 16;
    const uint32_t operation = words[at] & 0xFFFFU;
    if (length == 0 || length > words.size() - at) break;
    if (operation == kFunction || operation == kFunctionEnd) {
      if (is_in_function == (operation == kFunction)) break;
      is_in_function = operation == kFunction;
    }
    at += length;
  }
  return at == words.size() && at > kHeader && !is_in_function
             ? nullptr
             : "the image is no whole SPIR-V module: it was cut or changed";
}

xhal_result_t make_program(const Device& device, std::string_view format, std::string_view image,
                           cl_program& out) {
  const Calls& calls = *device.instance->calls;
  cl_int code = CL_SUCCESS;
  if (format == kSpirv) {
    if (const char* const fault = fault_of_spirv(image); fault != nullptr)
      return kit::fail(XHAL_ERROR_INVALID_IMAGE, "%s", fault);
    out = calls.clCreateProgramWithIL(device.platform->context, image.data(), image.size(), &code);
  } else if (format == kBinary) {
    out = program_of_binary(device, image, code);
  } else {
    const char* text = image.data();
    const size_t size = image.size();
    if (image.find('\0') != std::string_view::npos)
      return kit::fail(XHAL_ERROR_INVALID_IMAGE, "the image is no text: it holds zero bytes");
    out = calls.clCreateProgramWithSource(device.platform->context, 1, &text, &size, &code);
  }
  return code == CL_SUCCESS ? XHAL_SUCCESS : refuse_image(code);
}

xhal_result_t make_built(const Device& device, std::string_view format, std::string_view image,
                         const std::string& options, cl_program& out) {
  const Calls& calls = *device.instance->calls;
  cl_program program = nullptr;
  if (const xhal_result_t result = make_program(device, format, image, program); result < 0) return result;
  const cl_int code = calls.clBuildProgram(program, 1, &device.id, options.c_str(), nullptr, nullptr);
  if (code == CL_SUCCESS) {
    out = program;
    return XHAL_SUCCESS;
  }
  const std::string log = build_log(calls, program, device.id);
  calls.clReleaseProgram(program);
  if (code == CL_INVALID_BUILD_OPTIONS) {
    return kit::fail_native(XHAL_ERROR_INVALID_ARGUMENT, code, "OpenCL's compiler refuses the options '%s'",
                            options.c_str());
  }
  return kit::fail_native(XHAL_ERROR_INVALID_IMAGE, code, "the image does not build: %s: %s",
                          name_of_error(code).c_str(), log.c_str());
}

std::vector<unsigned char> binary_of(const Calls& calls, cl_program program) {
  size_t size = 0;
  // The program was built for one device, and its context has as many as it likes: their binaries have no bytes.
  cl_uint devices = 0;
  calls.clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof(devices), &devices, nullptr);
  std::vector<size_t> sizes(devices);
  if (devices == 0 || calls.clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizes.size() * sizeof(size_t),
                                             sizes.data(), nullptr) != CL_SUCCESS)
    return {};
  std::vector<std::vector<unsigned char>> binaries;
  std::vector<unsigned char*> places;
  for (const size_t one : sizes) {
    binaries.emplace_back(one);
    places.push_back(one == 0 ? nullptr : binaries.back().data());
    size = std::max(size, one);
  }
  if (calls.clGetProgramInfo(program, CL_PROGRAM_BINARIES, places.size() * sizeof(places[0]), places.data(),
                             nullptr) != CL_SUCCESS)
    return {};
  for (std::vector<unsigned char>& one : binaries)
    if (one.size() == size) return std::move(one);
  return {};
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
  // A text alone can be given the second form of its kernels.
  if (device.facts.path == MemoryPath::kBuffers) {
    out.push_back(format_of(kText, "1.2"));
    return out;
  }
  for (const std::string& version : spirv_versions(device.facts.il))
    out.push_back(format_of(kSpirv, version));
  out.push_back(format_of(kText, "1.2"));
  out.push_back(format_of(kBinary, binary_target(device.facts)));
  // Nothing that the device would do better, but what a program of its own may be written in.
  if (device.facts.has_program_scope_variables != 0) out.push_back(format_of(kText, "2.0"));
  return out;
}

// Kernels under way keep the program.
Module::~Module() { device_.instance->calls->clReleaseProgram(program_); }

void Module::retire() {
  kit::free_handle(std::exchange(handle, nullptr));
  for (const auto& [name, kernel] : kernels_) kit::free_handle(std::exchange(kernel->handle, nullptr));
  for (const auto& queue : device_.queues())
    for (const auto& [name, kernel] : kernels_) queue->forget(kernel->id);
}

xhal_result_t Module::load(Device& device, const xhal_module_desc_t& desc, std::unique_ptr<Module>& out) {
  if (const xhal_result_t result = check_desc(device, desc); result < 0) return result;
  if (const xhal_result_t result = make_ready(device); result < 0) return result;
  const Calls& calls = *device.instance->calls;
  const ProgramCache& cache = device.instance->programs;
  const std::string_view image(static_cast<const char*>(desc.image), desc.image_size);
  const std::string options = build_options(desc);
  const bool is_kept = desc.format != kBinary && cache.is_on() && !device.has(kCachesPrograms);
  const std::string key =
      is_kept ? ProgramCache::key_of(device.facts, desc.format, options, image) : std::string();
  if (is_kept && load_kept(device, cache.find(key), options, out)) return XHAL_SUCCESS;
  cl_program program = nullptr;
  if (const xhal_result_t result = make_built(device, desc.format, image, options, program); result < 0)
    return result;
  auto module = std::make_unique<Module>(device, program);
  if (device.facts.path == MemoryPath::kBuffers) {
    const std::string both = std::string(image) + offset_forms(calls, program);
    if (const xhal_result_t result = make_built(device, desc.format, both, options, program); result < 0)
      return result;
    module = std::make_unique<Module>(device, program);
  }
  if (is_kept) cache.keep(key, binary_of(calls, program));
  out = std::move(module);
  return XHAL_SUCCESS;
}

// A binary that the driver does not take any more is as good as none.
bool Module::load_kept(Device& device, const std::vector<unsigned char>& binary, const std::string& options,
                       std::unique_ptr<Module>& out) {
  if (binary.empty()) return false;
  cl_int code = CL_SUCCESS;
  const cl_program program =
      program_of_binary(device, {reinterpret_cast<const char*>(binary.data()), binary.size()}, code);
  if (code != CL_SUCCESS) return false;
  auto module = std::make_unique<Module>(device, program);
  code = device.instance->calls->clBuildProgram(program, 1, &device.id, options.c_str(), nullptr, nullptr);
  if (code != CL_SUCCESS) return false;
  out = std::move(module);
  return true;
}

xhal_result_t Module::make_kernel(const std::string& name, std::unique_ptr<Kernel>& out) const {
  const Calls& calls = *device_.instance->calls;
  cl_int code = CL_SUCCESS;
  const bool is_second_form =
      device_.facts.path == MemoryPath::kBuffers && std::string_view(name).ends_with(kOffsetForm);
  const cl_kernel probe = is_second_form ? nullptr : calls.clCreateKernel(program_, name.c_str(), &code);
  if (is_second_form) code = CL_INVALID_KERNEL_NAME;
  if (code == CL_INVALID_KERNEL_NAME)
    return kit::fail_native(XHAL_ERROR_NOT_FOUND, code, "the module has no kernel '%.128s'", name.c_str());
  if (code != CL_SUCCESS) {
    return kit::fail_native(XHAL_ERROR_INVALID_IMAGE, code, "clCreateKernel('%.128s'): %s", name.c_str(),
                            name_of_error(code).c_str());
  }
  auto made = std::make_unique<Kernel>();
  cl_uint params = 0;
  calls.clGetKernelInfo(probe, CL_KERNEL_NUM_ARGS, sizeof(params), &params, nullptr);
  uint32_t place = 0;
  made->native_name = name;
  for (cl_uint i = 0; i < params; ++i) {
    Param param = param_of(calls, probe, i);
    param.place = place++;
    made->params.push_back(param);
    if (device_.facts.path != MemoryPath::kBuffers || param.kind != Param::Kind::kMemory) continue;
    ++place;  // of the offset
    made->native_name = name + std::string(kOffsetForm);
  }
  made->max_group_items = device_.has(kLowGroupLimit)
                              ? device_.facts.max_group_items
                              : kernel_value<size_t>(calls, probe, device_.id, CL_KERNEL_WORK_GROUP_SIZE);
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
