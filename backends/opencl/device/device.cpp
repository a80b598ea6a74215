// SPDX-License-Identifier: Apache-2.0
#include "device/device.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "device/quirks.hpp"
#include "kernels/kernel.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::opencl {
namespace {

template <class Call>
void find_call(const Calls& calls, cl_platform_id platform, const char* name, Call& out) {
  out = reinterpret_cast<Call>(calls.clGetExtensionFunctionAddressForPlatform(platform, name));
}

bool load_usm(const Calls& calls, cl_platform_id platform, UsmCalls& usm) {
  find_call(calls, platform, "clHostMemAllocINTEL", usm.host_allocate);
  find_call(calls, platform, "clDeviceMemAllocINTEL", usm.device_allocate);
  find_call(calls, platform, "clSharedMemAllocINTEL", usm.shared_allocate);
  find_call(calls, platform, "clMemFreeINTEL", usm.free);
  find_call(calls, platform, "clSetKernelArgMemPointerINTEL", usm.set_argument);
  find_call(calls, platform, "clEnqueueMemcpyINTEL", usm.copy);
  find_call(calls, platform, "clEnqueueMemFillINTEL", usm.fill);
  return usm.host_allocate != nullptr && usm.device_allocate != nullptr && usm.shared_allocate != nullptr &&
         usm.free != nullptr && usm.set_argument != nullptr && usm.copy != nullptr && usm.fill != nullptr;
}

}  // namespace

std::shared_ptr<const CaptureMark> Event::live_mark() const {
  return mark != nullptr && mark->capture->state() != XHAL_CAPTURE_STATE_NONE ? mark : nullptr;
}

bool Device::is_synchronous() const { return has(kNoUserEvents); }

std::vector<std::shared_ptr<Queue>> Device::queues() {
  const std::lock_guard lock(mutex);
  std::erase_if(left_queues, [](const auto& queue) { return queue->query() != XHAL_NOT_READY; });
  std::vector<std::shared_ptr<Queue>> out = left_queues;
  for (const Stream& stream : streams) out.push_back(stream.queue);
  return out;
}

std::vector<std::shared_ptr<Queue>> Device::busy_queues() {
  const std::lock_guard lock(mutex);
  std::vector<std::shared_ptr<Queue>> out;
  for (const auto& queue : left_queues)
    if (!queue->is_idle()) out.push_back(queue);
  for (const Stream& stream : streams)
    if (!stream.queue->is_idle()) out.push_back(stream.queue);
  return out;
}

xhal_result_t Device::failed(cl_int status) {
  const std::lock_guard lock(fault_mutex);
  if (fault_code == XHAL_SUCCESS) {
    fault_code = XHAL_ERROR_LAUNCH_FAILED;
    fault_native = status;
    fault_text = "a command of device " + std::to_string(index) + " ended with " + name_of_error(status);
  }
  return kit::fail_native(fault_code, fault_native, "%s", fault_text.c_str());
}

xhal_result_t Instance::open(void* host_context, Options options, std::unique_ptr<Instance>& out) {
  Listed all;
  std::string why;
  if (const xhal_result_t result = facts_of_all(options.search, all, why); result < 0)
    return why.empty() ? result : kit::fail(result, "%s", why.c_str());
  for (const std::string& one : all.left_out) {
    kit::services().log(host_context, XHAL_LOG_WARNING, "opencl",
                        (one + ", and is left out: its devices are not listed").c_str());
  }
  auto instance = std::make_unique<Instance>(std::move(options));
  instance->host_context = host_context;
  instance->vendors = std::move(all.folder);
  for (const DeviceFacts& facts : all.devices) {
    if (facts.path == MemoryPath::kNone) continue;
    auto& platforms = instance->platforms;
    if (platforms.empty() || platforms.back()->number != facts.platform) {
      platforms.push_back(std::make_unique<Platform>());
      platforms.back()->number = facts.platform;
    }
    auto device = std::make_unique<Device>();
    device->instance = instance.get();
    device->platform = platforms.back().get();
    device->index = static_cast<uint32_t>(instance->devices.size());
    device->facts = facts;
    device->properties = properties_of(*device);
    device->platform->offered.push_back(device.get());
    device->handle = kit::make_handle<xhal_device_t>(device.get());
    if (device->handle == nullptr) throw std::bad_alloc();
    instance->devices.push_back(std::move(device));
  }
  out = std::move(instance);
  return XHAL_SUCCESS;
}

Instance::Instance(Options given) : options(std::move(given)) {}

Instance::~Instance() {
  for (const auto& device : devices) {
    if (!device->active) continue;
    for (const auto& queue : device->queues()) queue->synchronize(XHAL_WAIT_FOREVER);
  }
  // No function is left to run: what their threads still hold of queues goes with them.
  threads.reset();
  for (const auto& device : devices) {
    for (GraphExec& exec : device->execs) kit::free_handle(exec.handle);
    for (Graph& graph : device->graphs) kit::free_handle(graph.handle);
    device->execs.clear();
    device->graphs.clear();
    for (const auto& module : device->modules) module->retire();
    device->modules.clear();
    for (Stream& stream : device->streams) kit::free_handle(stream.handle);
    for (const auto& event : device->events) kit::free_handle(event->handle);
    device->events.clear();
    device->streams.clear();
    device->left_queues.clear();
    kit::free_handle(device->handle);
  }
  memory.clear();
  for (const auto& platform : platforms)
    if (platform->context != nullptr) calls->clReleaseContext(platform->context);
}

xhal_result_t Instance::open_platform(Platform& platform) {
  cl_uint count = 0;
  calls->clGetPlatformIDs(0, nullptr, &count);
  std::vector<cl_platform_id> ids(count);
  if (count != 0) calls->clGetPlatformIDs(count, ids.data(), nullptr);
  cl_uint listed = 0;
  if (platform.number < count)
    calls->clGetDeviceIDs(ids[platform.number], CL_DEVICE_TYPE_ALL, 0, nullptr, &listed);
  platform.devices.resize(listed);
  if (listed != 0) {
    calls->clGetDeviceIDs(ids[platform.number], CL_DEVICE_TYPE_ALL, listed, platform.devices.data(), nullptr);
  }
  for (Device* device : platform.offered) {
    if (device->facts.place >= listed) {
      return kit::fail(XHAL_ERROR_DEVICE_LOST, "OpenCL does not list device %u, '%s', any more",
                       device->index, device->facts.name);
    }
    device->id = platform.devices[device->facts.place];
    if (device->facts.path == MemoryPath::kUsm && !load_usm(*calls, ids[platform.number], platform.usm))
      return kit::fail(XHAL_ERROR_DRIVER_FAILED,
                       "'%s' lists cl_intel_unified_shared_memory and lacks its calls",
                       device->facts.platform_name);
  }
  std::vector<cl_device_id> offered;
  for (const Device* device : platform.offered) offered.push_back(device->id);
  cl_int code = CL_SUCCESS;
  platform.context = calls->clCreateContext(nullptr, static_cast<cl_uint>(offered.size()), offered.data(),
                                            nullptr, nullptr, &code);
  if (code == CL_SUCCESS) return XHAL_SUCCESS;
  platform.context = nullptr;
  return kit::fail_native(XHAL_ERROR_DRIVER_FAILED, code, "clCreateContext of '%s': %s",
                          platform.offered.front()->facts.platform_name, name_of_error(code).c_str());
}

xhal_result_t Instance::activate(Device& device) {
  const std::lock_guard lock(activation);
  if (device.active) return XHAL_SUCCESS;
  kit::services().activated(host_context);
  std::string why;
  if (calls == nullptr) calls = load_calls(options.search.loader, vendors, why);
  if (calls == nullptr) return kit::fail(XHAL_ERROR_DRIVER_FAILED, "%s", why.c_str());
  if (device.platform->context == nullptr) {
    if (const xhal_result_t result = open_platform(*device.platform); result < 0) return result;
  }
  if (const xhal_result_t result = device.make_stream(nullptr, &device.default_stream); result < 0)
    return result;
  device.active = true;
  return XHAL_SUCCESS;
}

xhal_result_t Device::make_stream(xhal_stream_t* out, Stream** out_stream) {
  const Calls& calls = *instance->calls;
  cl_int code = CL_SUCCESS;
  const cl_command_queue made = calls.clCreateCommandQueue(platform->context, id, 0, &code);
  if (code != CL_SUCCESS) {
    return kit::fail_native(
        code == CL_OUT_OF_HOST_MEMORY ? XHAL_ERROR_OUT_OF_HOST_MEMORY : XHAL_ERROR_LIMIT_EXCEEDED, code,
        "clCreateCommandQueue: %s", name_of_error(code).c_str());
  }
  auto queue = std::make_shared<Queue>(*this, made);
  const std::lock_guard lock(mutex);
  Stream& stream = streams.emplace_front();
  stream.place = streams.begin();
  stream.device = this;
  stream.queue = std::move(queue);
  stream.id = kit::services().next_id();
  stream.is_default = out == nullptr;
  stream.handle = kit::make_handle<xhal_stream_t>(&stream);
  if (stream.handle == nullptr) {
    streams.pop_front();
    throw std::bad_alloc();
  }
  if (out != nullptr) *out = stream.handle;
  if (out_stream != nullptr) *out_stream = &stream;
  return XHAL_SUCCESS;
}

void Device::destroy(Stream& stream) {
  stream.queue->leave();
  const bool is_busy = stream.queue->query() == XHAL_NOT_READY;
  const std::lock_guard lock(mutex);
  if (is_busy) left_queues.push_back(stream.queue);
  kit::free_handle(stream.handle);
  streams.erase(stream.place);
}

xhal_result_t make_ready(Device& device) {
  if (kit::in_host_function()) {
    return kit::fail(
        XHAL_ERROR_CALL_FORBIDDEN,
        "a host function may only ask; leave what submits, waits, makes or destroys to the thread "
        "that waits for it");
  }
  return device.active ? XHAL_SUCCESS : device.instance->activate(device);
}

}  // namespace xhal::opencl
