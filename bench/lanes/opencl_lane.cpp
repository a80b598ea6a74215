// SPDX-License-Identifier: Apache-2.0
#if __has_include(<CL/cl.h>)

#include "bench/lanes/opencl_lane.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "bench/lanes/opencl_calls.hpp"
#include "bench/peers/peers.hpp"

namespace xhal::bench {

namespace {

struct Function {
  xhal_host_fn function;
  void* user;
};

void CL_CALLBACK run_function(void* arguments) {
  const auto& call = *static_cast<const Function*>(arguments);
  call.function(call.user, XHAL_SUCCESS);
}

}  // namespace

struct OpenClLane::Objects {
  const OpenCl& cl;
  cl_command_queue queue = nullptr;
  cl_command_queue second = nullptr;
  cl_program program = nullptr;
  cl_program looked_in = nullptr;
  cl_kernel kernel = nullptr;
  std::vector<void*> memory;
  int values = 0;
  bool turn = false;
  cl_event event = nullptr;

  explicit Objects(const OpenCl& opened) : cl(opened), queue(make_queue(0)), second(make_queue(0)) {}
  ~Objects() {
    cl.clFinish(queue);
    cl.clFinish(second);
    if (event != nullptr) cl.clReleaseEvent(event);
    if (kernel != nullptr) cl.clReleaseKernel(kernel);
    for (const cl_program one : {program, looked_in}) {
      if (one != nullptr) cl.clReleaseProgram(one);
    }
    cl.clReleaseCommandQueue(queue);
    cl.clReleaseCommandQueue(second);
    for (void* const one : memory) free(one);
  }

  [[nodiscard]] cl_command_queue make_queue(cl_command_queue_properties properties) const {
    cl_int code = CL_SUCCESS;
    const cl_command_queue out = cl.clCreateCommandQueue(cl.context, cl.device, properties, &code);
    need("clCreateCommandQueue", code);
    return out;
  }
  [[nodiscard]] void* allocate(uint32_t kind, uint64_t size) const {
    cl_int code = CL_SUCCESS;
    void* out = nullptr;
    if (!cl.has_usm)
      out = cl.clSVMAlloc(cl.context, cl.svm_flags, size, 0);
    else if (kind == XHAL_MEMORY_PINNED)
      out = cl.usm.host_allocate(cl.context, nullptr, size, 0, &code);
    else
      out = cl.usm.device_allocate(cl.context, cl.device, nullptr, size, 0, &code);
    if (out == nullptr) throw RowFailed("OpenCL has no memory, error " + std::to_string(code));
    return out;
  }
  void free(void* pointer) const {
    if (cl.has_usm)
      cl.usm.free(cl.context, pointer);
    else
      cl.clSVMFree(cl.context, pointer);
  }
  [[nodiscard]] cl_program load(const xhal_module_desc_t& image) const {
    cl_int code = CL_SUCCESS;
    cl_program out = nullptr;
    if (std::string(image.format).starts_with("spirv")) {
      out = cl.clCreateProgramWithIL(cl.context, image.image, image.image_size, &code);
    } else {
      const char* text = static_cast<const char*>(image.image);
      const size_t size = image.image_size;
      out = cl.clCreateProgramWithSource(cl.context, 1, &text, &size, &code);
    }
    need("clCreateProgram", code);
    need("clBuildProgram", cl.clBuildProgram(out, 1, &cl.device, "", nullptr, nullptr));
    return out;
  }
  void enqueue() const {
    const size_t one = 1;
    need("clEnqueueNDRangeKernel",
         cl.clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &one, &one, 0, nullptr, nullptr));
  }
  void set_arguments() const {
    const size_t memories = memory.size();
    for (size_t i = 0; i < memories; ++i) {
      // Two of them change places.
      void* const pointer = memory[turn && memories > 1 && i < 2 ? 1 - i : i];
      const auto place = static_cast<cl_uint>(i);
      need("clSetKernelArg", cl.has_usm ? cl.usm.set_argument(kernel, place, pointer)
                                        : cl.clSetKernelArgSVMPointer(kernel, place, pointer));
    }
    const cl_ulong value = turn ? 1 : 0;
    for (int i = 0; i < values; ++i) {
      need("clSetKernelArg",
           cl.clSetKernelArg(kernel, static_cast<cl_uint>(memories) + static_cast<cl_uint>(i), sizeof(value),
                             &value));
    }
  }
};

OpenClLane::OpenClLane(Bench& bench) : objects_(std::make_unique<Objects>(*opencl_of(bench))) {}
OpenClLane::~OpenClLane() = default;

bool OpenClLane::applies(const Bench& bench) {
  return (is_of_opencl(bench) || peers_folder(bench)) && opencl_of(bench) != nullptr;
}
bool OpenClLane::can_be_held(const Bench& bench) {
  return is_of_opencl(bench) && bench.properties().is_synchronous == 0;
}
bool OpenClLane::runs_host_functions(const Bench& bench) { return opencl_of(bench)->runs_native_kernels; }

void OpenClLane::prepare_launch(Bench&, int arguments) {
  Objects& o = *objects_;
  const int memories = memories_of(arguments);
  const std::string text = nothing_kernel(arguments, memories);
  const char* source = text.c_str();
  cl_int code = CL_SUCCESS;
  o.program = o.cl.clCreateProgramWithSource(o.cl.context, 1, &source, nullptr, &code);
  need("clCreateProgramWithSource", code);
  need("clBuildProgram", o.cl.clBuildProgram(o.program, 1, &o.cl.device, "", nullptr, nullptr));
  o.kernel = o.cl.clCreateKernel(o.program, "empty", &code);
  need("clCreateKernel", code);
  constexpr size_t kPage = 4096;
  for (int i = 0; i < memories; ++i) o.memory.push_back(o.allocate(XHAL_MEMORY_DEVICE, kPage));
  o.values = arguments - memories;
  o.set_arguments();
  o.enqueue();
  synchronize();
}

void OpenClLane::prepare_timing(Bench&) {
  Objects& o = *objects_;
  o.cl.clReleaseCommandQueue(o.queue);
  o.queue = o.make_queue(CL_QUEUE_PROFILING_ENABLE);
}

void OpenClLane::launch() { objects_->enqueue(); }

void OpenClLane::launch_changed() {
  Objects& o = *objects_;
  o.turn = !o.turn;
  o.set_arguments();
  o.enqueue();
}

void OpenClLane::synchronize() { need("clFinish", objects_->cl.clFinish(objects_->queue)); }
void OpenClLane::synchronize_second() { need("clFinish", objects_->cl.clFinish(objects_->second)); }

void OpenClLane::record() {
  Objects& o = *objects_;
  if (o.event != nullptr) need("clReleaseEvent", o.cl.clReleaseEvent(o.event));
  need("clEnqueueMarkerWithWaitList", o.cl.clEnqueueMarkerWithWaitList(o.queue, 0, nullptr, &o.event));
}

bool OpenClLane::query_event() {
  Objects& o = *objects_;
  cl_int status = CL_QUEUED;
  need("clGetEventInfo",
       o.cl.clGetEventInfo(o.event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, nullptr));
  return status == CL_COMPLETE;
}

void OpenClLane::synchronize_event() {
  need("clWaitForEvents", objects_->cl.clWaitForEvents(1, &objects_->event));
}

void OpenClLane::wait_event() {
  Objects& o = *objects_;
  need("clFlush", o.cl.clFlush(o.queue));
  need("clEnqueueBarrierWithWaitList", o.cl.clEnqueueBarrierWithWaitList(o.second, 1, &o.event, nullptr));
}

void OpenClLane::wait_for_event_of(OpenClLane& other) {
  Objects& o = *objects_;
  need("clFlush", o.cl.clFlush(other.objects_->queue));
  need("clEnqueueBarrierWithWaitList",
       o.cl.clEnqueueBarrierWithWaitList(o.queue, 1, &other.objects_->event, nullptr));
}

// OpenCL's functions of the host are native kernels.
void OpenClLane::host_function(xhal_host_fn function, void* user) {
  Objects& o = *objects_;
  Function call{function, user};
  need("clEnqueueNativeKernel", o.cl.clEnqueueNativeKernel(o.queue, run_function, &call, sizeof(call), 0,
                                                           nullptr, nullptr, 0, nullptr, nullptr));
}

void OpenClLane::copy(void* to, const void* from, uint64_t size) {
  Objects& o = *objects_;
  need("copy", o.cl.has_usm
                   ? o.cl.usm.copy(o.queue, CL_FALSE, to, from, size, 0, nullptr, nullptr)
                   : o.cl.clEnqueueSVMMemcpy(o.queue, CL_FALSE, to, from, size, 0, nullptr, nullptr));
}

void OpenClLane::fill(void* to, uint64_t pattern, uint32_t width, uint64_t size) {
  Objects& o = *objects_;
  need("fill", o.cl.has_usm
                   ? o.cl.usm.fill(o.queue, to, &pattern, width, size, 0, nullptr, nullptr)
                   : o.cl.clEnqueueSVMMemFill(o.queue, to, &pattern, width, size, 0, nullptr, nullptr));
}

void* OpenClLane::allocate(uint32_t kind, uint64_t size) { return objects_->allocate(kind, size); }
void OpenClLane::release(void* pointer) { objects_->free(pointer); }

void OpenClLane::create_and_destroy_stream() {
  Objects& o = *objects_;
  need("clReleaseCommandQueue", o.cl.clReleaseCommandQueue(o.make_queue(0)));
}

void OpenClLane::load_and_destroy(const xhal_module_desc_t& image) {
  Objects& o = *objects_;
  need("clReleaseProgram", o.cl.clReleaseProgram(o.load(image)));
}

void OpenClLane::prepare_lookup(const xhal_module_desc_t& image) {
  objects_->looked_in = objects_->load(image);
}

void OpenClLane::look_up(const char* kernel) {
  Objects& o = *objects_;
  cl_int code = CL_SUCCESS;
  const cl_kernel found = o.cl.clCreateKernel(o.looked_in, kernel, &code);
  need("clCreateKernel", code);
  need("clReleaseKernel", o.cl.clReleaseKernel(found));
}

OpenClLane::Hold::Hold(OpenClLane& lane) : lane_(lane) {
  const Objects& o = *lane.objects_;
  cl_int code = CL_SUCCESS;
  const cl_event event = o.cl.clCreateUserEvent(o.cl.context, &code);
  need("clCreateUserEvent", code);
  event_ = event;
  need("clEnqueueBarrierWithWaitList", o.cl.clEnqueueBarrierWithWaitList(o.queue, 1, &event, nullptr));
  need("clFlush", o.cl.clFlush(o.queue));
}

void OpenClLane::Hold::let_go() {
  if (event_ == nullptr) return;
  const OpenCl& cl = lane_.objects_->cl;
  auto* const event = static_cast<cl_event>(std::exchange(event_, nullptr));
  cl.clSetUserEventStatus(event, CL_COMPLETE);
  cl.clReleaseEvent(event);
}

}  // namespace xhal::bench

#endif
