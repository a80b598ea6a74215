// SPDX-License-Identifier: Apache-2.0
#include "opencl_harness.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace xhal::opencl_test {
namespace {

[[noreturn]] void give_up(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(EXIT_FAILURE);
}

void check(cl_int code, const char* call) {
  if (code != CL_SUCCESS) give_up(std::string(call) + ": " + std::to_string(code));
}

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) give_up("cannot read " + path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string variable_or(const char* name, const char* other) {
  const char* const value = std::getenv(name);
  return value == nullptr ? other : value;
}

std::string folder() { return variable_or("OPENCL_TEST_PACK", XHAL_KERNEL_DIR); }

}  // namespace

Device& Device::the() {
  static Device device;
  return device;
}

Device::Device() {
  open_loader();
  cl_uint count = 0;
  if (clGetPlatformIDs(0, nullptr, &count) != CL_SUCCESS || count == 0) give_up("no platform of OpenCL");
  std::vector<cl_platform_id> platforms(count);
  check(clGetPlatformIDs(count, platforms.data(), nullptr), "clGetPlatformIDs");
  for (cl_platform_id platform : platforms) {
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr) == CL_SUCCESS) break;
  }
  if (device == nullptr) give_up("no platform of OpenCL has a device");
  cl_int code = CL_SUCCESS;
  context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &code);
  check(code, "clCreateContext");
  queue = clCreateCommandQueue(context, device, 0, &code);
  check(code, "clCreateCommandQueue");
  choose_image(variable_or("OPENCL_TEST_IMAGE", ""));
  build();
  std::printf("%s runs %s\n", text_of(CL_DEVICE_NAME).c_str(), image_.c_str());
}

void Device::open_loader() {
  void* const loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (loader == nullptr) give_up(dlerror());
#define XHAL_OPENCL_LOAD(name)                                   \
  name = reinterpret_cast<decltype(name)>(dlsym(loader, #name)); \
  if (name == nullptr) give_up("the loader has no " #name);
  XHAL_OPENCL_CALLS(XHAL_OPENCL_LOAD)
#undef XHAL_OPENCL_LOAD
}

std::string Device::text_of(cl_device_info what) const {
  std::array<char, 1024> text{};
  if (clGetDeviceInfo(device, what, text.size() - 1, text.data(), nullptr) != CL_SUCCESS) return "";
  return text.data();
}

cl_device_svm_capabilities Device::shared_memory() const {
  cl_device_svm_capabilities kinds = 0;
  const cl_int code = clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof kinds, &kinds, nullptr);
  return code == CL_SUCCESS ? kinds : 0;
}

// SPIR-V where the device takes it, else the text that every device with a compiler takes.
void Device::choose_image(const std::string& wanted) {
  const bool takes_spirv = text_of(CL_DEVICE_IL_VERSION).find("SPIR-V_1.") != std::string::npos;
  image_ = !wanted.empty() ? wanted : takes_spirv ? "spirv.1.0" : "opencl-c.1.2";
  const auto manifest = nlohmann::json::parse(read_file(folder() + "/manifest.json"));
  for (const auto& image : manifest.at("images")) {
    if (image.at("format").get<std::string>() + "." + image.at("target").get<std::string>() != image_)
      continue;
    file_ = image.at("file");
    kernels_ = image.at("kernels").get<std::set<std::string>>();
  }
  if (file_.empty()) give_up("the pack has no image " + image_);
}

void Device::build() {
  const std::string bytes = read_file(folder() + "/" + file_);
  cl_int code = CL_SUCCESS;
  std::string options = "-cl-kernel-arg-info";
  if (image_.starts_with("spirv")) {
    program = clCreateProgramWithIL(context, bytes.data(), bytes.size(), &code);
  } else {
    options += " -cl-std=CL" + image_.substr(image_.find('.') + 1);
    const char* text = bytes.data();
    const std::size_t size = bytes.size();
    program = clCreateProgramWithSource(context, 1, &text, &size, &code);
  }
  check(code, "clCreateProgram");
  code = clBuildProgram(program, 1, &device, options.c_str(), nullptr, nullptr);
  if (code == CL_SUCCESS) return;
  std::vector<char> log(100000);
  clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, log.size() - 1, log.data(), nullptr);
  give_up("clBuildProgram of " + file_ + ": " + std::to_string(code) + "\n" + log.data());
}

Call::Call(const std::string& kernel) {
  Device& cl = Device::the();
  cl.launched.insert(kernel);
  cl_int code = CL_SUCCESS;
  kernel_ = cl.clCreateKernel(cl.program, kernel.c_str(), &code);
  if (code != CL_SUCCESS) give_up("clCreateKernel of " + kernel + ": " + std::to_string(code));
}

Call::~Call() {
  for (const Buffer& buffer : buffers_) Device::the().clReleaseMemObject(buffer.memory);
  Device::the().clReleaseKernel(kernel_);
}

Call& Call::argument(const void* bytes, std::size_t size) {
  check(Device::the().clSetKernelArg(kernel_, next_++, size, bytes), "clSetKernelArg");
  return *this;
}

Call& Call::buffer(void* data, std::size_t bytes, bool is_written) {
  Device& cl = Device::the();
  cl_int code = CL_SUCCESS;
  // No buffer is empty.
  const cl_mem_flags flags = (is_written ? CL_MEM_READ_WRITE : CL_MEM_READ_ONLY) |
                             (bytes == 0 ? cl_mem_flags{0} : cl_mem_flags{CL_MEM_COPY_HOST_PTR});
  cl_mem memory =
      cl.clCreateBuffer(cl.context, flags, bytes == 0 ? 1 : bytes, bytes == 0 ? nullptr : data, &code);
  check(code, "clCreateBuffer");
  buffers_.push_back({memory, is_written ? data : nullptr, bytes});
  return argument(&memory, sizeof(cl_mem));
}

Call& Call::shared(const void* pointer, std::vector<void*> reachable) {
  Device& cl = Device::the();
  check(cl.clSetKernelArgSVMPointer(kernel_, next_++, pointer), "clSetKernelArgSVMPointer");
  check(cl.clSetKernelExecInfo(kernel_, CL_KERNEL_EXEC_INFO_SVM_PTRS, reachable.size() * sizeof(void*),
                               reachable.data()),
        "clSetKernelExecInfo");
  return *this;
}

void Call::run(Extent groups, Extent group_size) {
  Device& cl = Device::the();
  std::array<std::size_t, 3> global{};
  std::array<std::size_t, 3> local{};
  for (std::size_t i = 0; i < 3; ++i) {
    local[i] = group_size[i];
    global[i] = std::size_t{groups[i]} * group_size[i];
  }
  check(cl.clEnqueueNDRangeKernel(cl.queue, kernel_, 3, nullptr, global.data(), local.data(), 0, nullptr,
                                  nullptr),
        "clEnqueueNDRangeKernel");
  for (const Buffer& buffer : buffers_) {
    if (buffer.host == nullptr || buffer.bytes == 0) continue;
    check(cl.clEnqueueReadBuffer(cl.queue, buffer.memory, CL_TRUE, 0, buffer.bytes, buffer.host, 0, nullptr,
                                 nullptr),
          "clEnqueueReadBuffer");
  }
  check(cl.clFinish(cl.queue), "clFinish");
}

}  // namespace xhal::opencl_test
