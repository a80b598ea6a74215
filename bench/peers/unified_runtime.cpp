// SPDX-License-Identifier: Apache-2.0
// Compiled where Unified Runtime's headers and OpenCL's were found.
#include "bench/peers/unified_runtime.hpp"

#include <dlfcn.h>
#include <unified-runtime/ur_api.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/lanes/opencl_calls.hpp"
#include "bench/peers/peers.hpp"

namespace xhal::bench {
namespace {

#define XHAL_BENCH_UR_CALLS(X)        \
  X(urAdapterGet)                     \
  X(urAdapterGetInfo)                 \
  X(urContextCreate)                  \
  X(urContextGetNativeHandle)         \
  X(urDeviceGet)                      \
  X(urDeviceGetNativeHandle)          \
  X(urEnqueueEventsWait)              \
  X(urEnqueueEventsWaitWithBarrier)   \
  X(urEnqueueKernelLaunchWithArgsExp) \
  X(urEnqueueUSMFill)                 \
  X(urEnqueueUSMMemcpy)               \
  X(urEventGetInfo)                   \
  X(urEventRelease)                   \
  X(urEventWait)                      \
  X(urKernelCreate)                   \
  X(urKernelRelease)                  \
  X(urLoaderInit)                     \
  X(urMemBufferCreate)                \
  X(urMemRelease)                     \
  X(urPlatformGet)                    \
  X(urProgramCreateWithNativeHandle)  \
  X(urProgramRelease)                 \
  X(urQueueCreate)                    \
  X(urQueueFinish)                    \
  X(urQueueFlush)                     \
  X(urQueueRelease)                   \
  X(urUSMDeviceAlloc)                 \
  X(urUSMFree)                        \
  X(urUSMHostAlloc)

struct Runtime {
#define XHAL_BENCH_UR_MEMBER(name) decltype(&::name) name = nullptr;
  XHAL_BENCH_UR_CALLS(XHAL_BENCH_UR_MEMBER)
#undef XHAL_BENCH_UR_MEMBER
  const OpenCl* cl = nullptr;
  ur_device_handle_t device = nullptr;
  ur_context_handle_t context = nullptr;
};

bool load(Runtime& ur, const std::string& folder) {
  void* const library = dlopen((folder + "/venv/lib/libur_loader.so.0").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return false;
  bool whole = true;
#define XHAL_BENCH_UR_LOAD(name)                                        \
  ur.name = reinterpret_cast<decltype(ur.name)>(dlsym(library, #name)); \
  whole = whole && ur.name != nullptr;
  XHAL_BENCH_UR_CALLS(XHAL_BENCH_UR_LOAD)
#undef XHAL_BENCH_UR_LOAD
  return whole;
}

// What `get(count, out, &found)` lists.
template <class Handle, class Get>
std::vector<Handle> all_of(const Get& get) {
  uint32_t count = 0;
  if (get(0, nullptr, &count) != UR_RESULT_SUCCESS) return {};
  std::vector<Handle> out(count);
  if (count > 0 && get(count, out.data(), nullptr) != UR_RESULT_SUCCESS) return {};
  return out;
}

// The one that stands for OpenCL's.
ur_device_handle_t find_device(const Runtime& ur) {
  const auto adapters = all_of<ur_adapter_handle_t>(ur.urAdapterGet);
  for (const ur_adapter_handle_t adapter : adapters) {
    ur_backend_t backend = UR_BACKEND_UNKNOWN;
    ur.urAdapterGetInfo(adapter, UR_ADAPTER_INFO_BACKEND, sizeof(backend), &backend, nullptr);
    if (backend != UR_BACKEND_OPENCL) continue;
    const auto platforms =
        all_of<ur_platform_handle_t>([&](uint32_t count, ur_platform_handle_t* out, uint32_t* found) {
          return ur.urPlatformGet(adapter, count, out, found);
        });
    for (const ur_platform_handle_t platform : platforms) {
      const auto devices =
          all_of<ur_device_handle_t>([&](uint32_t count, ur_device_handle_t* out, uint32_t* found) {
            return ur.urDeviceGet(platform, UR_DEVICE_TYPE_ALL, count, out, found);
          });
      for (const ur_device_handle_t device : devices) {
        ur_native_handle_t native = 0;
        if (ur.urDeviceGetNativeHandle(device, &native) == UR_RESULT_SUCCESS &&
            native == reinterpret_cast<ur_native_handle_t>(ur.cl->device))
          return device;
      }
    }
  }
  return nullptr;
}

bool open(Runtime& ur, const Bench& bench, const std::string& folder) {
  ur.cl = opencl_of(bench);
  if (ur.cl == nullptr || !load(ur, folder)) return false;
  if (ur.urLoaderInit(0, nullptr) != UR_RESULT_SUCCESS) return false;
  ur.device = find_device(ur);
  return ur.device != nullptr && ur.urContextCreate(1, &ur.device, nullptr, &ur.context) == UR_RESULT_SUCCESS;
}

// Null when there is none. Loaded once, for the life of the process.
const Runtime* runtime_of(const Bench& bench) {
  const auto folder = peers_folder(bench);
  if (!folder || !is_of_opencl(bench)) return nullptr;
  static Runtime ur;
  static const bool is_there = open(ur, bench, *folder);
  return is_there ? &ur : nullptr;
}

void fine(const char* call, ur_result_t result) {
  if (result != UR_RESULT_SUCCESS) [[unlikely]]
    throw RowFailed(std::string(call) + ": Unified Runtime's error " + std::to_string(result));
}

}  // namespace

struct UnifiedRuntimeLane::Objects {
  const Runtime& ur;
  ur_queue_handle_t queue = nullptr;
  ur_queue_handle_t second = nullptr;
  ur_program_handle_t program = nullptr;
  ur_kernel_handle_t kernel = nullptr;
  std::vector<void*> pages;
  std::vector<ur_mem_handle_t> buffers;
  uint64_t values[2] = {0, 1};
  std::vector<ur_exp_kernel_arg_properties_t> arguments[2];
  size_t turn = 0;
  ur_event_handle_t event = nullptr;

  explicit Objects(const Runtime& opened) : ur(opened), queue(make_queue(0)), second(make_queue(0)) {}
  ~Objects() {
    ur.urQueueFinish(queue);
    ur.urQueueFinish(second);
    if (event != nullptr) ur.urEventRelease(event);
    if (kernel != nullptr) ur.urKernelRelease(kernel);
    if (program != nullptr) ur.urProgramRelease(program);
    for (void* const page : pages) ur.urUSMFree(ur.context, page);
    for (const ur_mem_handle_t buffer : buffers) ur.urMemRelease(buffer);
    ur.urQueueRelease(queue);
    ur.urQueueRelease(second);
  }

  [[nodiscard]] ur_queue_handle_t make_queue(ur_queue_flags_t flags) const {
    const ur_queue_properties_t properties = {UR_STRUCTURE_TYPE_QUEUE_PROPERTIES, nullptr, flags};
    ur_queue_handle_t out = nullptr;
    fine("urQueueCreate", ur.urQueueCreate(ur.context, ur.device, &properties, &out));
    return out;
  }
  // OpenCL's own compiler makes the program, whatever forms of programs the runtime takes.
  void make_kernel(int count, int memories) {
    const OpenCl& cl = *ur.cl;
    ur_native_handle_t native = 0;
    fine("urContextGetNativeHandle", ur.urContextGetNativeHandle(ur.context, &native));
    const std::string text = nothing_kernel(count, memories);
    const char* source = text.c_str();
    cl_int code = CL_SUCCESS;
    const cl_program made =
        cl.clCreateProgramWithSource(reinterpret_cast<cl_context>(native), 1, &source, nullptr, &code);
    need("clCreateProgramWithSource", code);
    need("clBuildProgram", cl.clBuildProgram(made, 1, &cl.device, "", nullptr, nullptr));
    ur_program_native_properties_t properties = {UR_STRUCTURE_TYPE_PROGRAM_NATIVE_PROPERTIES, nullptr, true};
    fine("urProgramCreateWithNativeHandle",
         ur.urProgramCreateWithNativeHandle(reinterpret_cast<ur_native_handle_t>(made), ur.context,
                                            &properties, &program));
    fine("urKernelCreate", ur.urKernelCreate(program, "empty", &kernel));
  }
  void make_memory(int count) {
    constexpr size_t kPage = 4096;
    for (int i = 0; i < count; ++i) {
      if (ur.cl->has_usm) {
        void* page = nullptr;
        fine("urUSMDeviceAlloc", ur.urUSMDeviceAlloc(ur.context, ur.device, nullptr, nullptr, kPage, &page));
        pages.push_back(page);
      } else {
        ur_mem_handle_t buffer = nullptr;
        fine("urMemBufferCreate",
             ur.urMemBufferCreate(ur.context, UR_MEM_FLAG_READ_WRITE, kPage, nullptr, &buffer));
        buffers.push_back(buffer);
      }
    }
  }
  void make_arguments(int count, int memories) {
    for (size_t set = 0; set < 2; ++set) {
      for (int i = 0; i < count; ++i) {
        ur_exp_kernel_arg_properties_t one{};
        one.stype = UR_STRUCTURE_TYPE_EXP_KERNEL_ARG_PROPERTIES;
        one.index = static_cast<uint32_t>(i);
        // Two of them change places.
        const auto place = static_cast<size_t>(set == 1 && memories > 1 && i < 2 ? 1 - i : i);
        if (i >= memories) {
          one.type = UR_EXP_KERNEL_ARG_TYPE_VALUE;
          one.size = sizeof(uint64_t);
          one.value.value = &values[set];
        } else if (ur.cl->has_usm) {
          one.type = UR_EXP_KERNEL_ARG_TYPE_POINTER;
          one.size = sizeof(void*);
          one.value.pointer = pages[place];
        } else {
          one.type = UR_EXP_KERNEL_ARG_TYPE_MEM_OBJ;
          one.size = sizeof(ur_mem_handle_t);
          one.value.memObjTuple = {buffers[place], UR_MEM_FLAG_READ_WRITE};
        }
        arguments[set].push_back(one);
      }
    }
  }
  void enqueue(size_t set) const {
    const size_t one = 1;
    const size_t zero = 0;
    fine("urEnqueueKernelLaunchWithArgsExp",
         ur.urEnqueueKernelLaunchWithArgsExp(queue, kernel, 1, &zero, &one, &one,
                                             static_cast<uint32_t>(arguments[set].size()),
                                             arguments[set].data(), nullptr, 0, nullptr, nullptr));
  }
};

UnifiedRuntimeLane::UnifiedRuntimeLane(Bench& bench)
    : objects_(std::make_unique<Objects>(*runtime_of(bench))) {}
UnifiedRuntimeLane::~UnifiedRuntimeLane() = default;

bool UnifiedRuntimeLane::applies(const Bench& bench) { return runtime_of(bench) != nullptr; }
bool UnifiedRuntimeLane::has_pointers(const Bench& bench) { return runtime_of(bench)->cl->has_usm; }

void UnifiedRuntimeLane::prepare_launch(Bench&, int arguments) {
  const int memories = memories_of(arguments);
  objects_->make_kernel(arguments, memories);
  objects_->make_memory(memories);
  objects_->make_arguments(arguments, memories);
  launch();
  synchronize();
}

void UnifiedRuntimeLane::prepare_timing(Bench&) {
  Objects& o = *objects_;
  o.ur.urQueueRelease(o.queue);
  o.queue = o.make_queue(UR_QUEUE_FLAG_PROFILING_ENABLE);
}

void UnifiedRuntimeLane::launch() { objects_->enqueue(0); }

void UnifiedRuntimeLane::launch_changed() {
  objects_->turn ^= 1;
  objects_->enqueue(objects_->turn);
}

void UnifiedRuntimeLane::synchronize() { fine("urQueueFinish", objects_->ur.urQueueFinish(objects_->queue)); }
void UnifiedRuntimeLane::synchronize_second() {
  fine("urQueueFinish", objects_->ur.urQueueFinish(objects_->second));
}

void UnifiedRuntimeLane::record() {
  Objects& o = *objects_;
  if (o.event != nullptr) fine("urEventRelease", o.ur.urEventRelease(o.event));
  fine("urEnqueueEventsWait", o.ur.urEnqueueEventsWait(o.queue, 0, nullptr, &o.event));
}

bool UnifiedRuntimeLane::query_event() {
  const Objects& o = *objects_;
  ur_event_status_t status = UR_EVENT_STATUS_QUEUED;
  fine("urEventGetInfo", o.ur.urEventGetInfo(o.event, UR_EVENT_INFO_COMMAND_EXECUTION_STATUS, sizeof(status),
                                             &status, nullptr));
  return status == UR_EVENT_STATUS_COMPLETE;
}

void UnifiedRuntimeLane::synchronize_event() {
  fine("urEventWait", objects_->ur.urEventWait(1, &objects_->event));
}

void UnifiedRuntimeLane::wait_event() {
  const Objects& o = *objects_;
  fine("urQueueFlush", o.ur.urQueueFlush(o.queue));
  fine("urEnqueueEventsWaitWithBarrier", o.ur.urEnqueueEventsWaitWithBarrier(o.second, 1, &o.event, nullptr));
}

void UnifiedRuntimeLane::wait_for_event_of(UnifiedRuntimeLane& other) {
  const Objects& o = *objects_;
  fine("urQueueFlush", o.ur.urQueueFlush(other.objects_->queue));
  fine("urEnqueueEventsWaitWithBarrier",
       o.ur.urEnqueueEventsWaitWithBarrier(o.queue, 1, &other.objects_->event, nullptr));
}

void UnifiedRuntimeLane::copy(void* to, const void* from, uint64_t size) {
  const Objects& o = *objects_;
  fine("urEnqueueUSMMemcpy", o.ur.urEnqueueUSMMemcpy(o.queue, false, to, from, size, 0, nullptr, nullptr));
}

void UnifiedRuntimeLane::fill(void* to, uint64_t pattern, uint32_t width, uint64_t size) {
  const Objects& o = *objects_;
  fine("urEnqueueUSMFill", o.ur.urEnqueueUSMFill(o.queue, to, width, &pattern, size, 0, nullptr, nullptr));
}

void* UnifiedRuntimeLane::allocate(uint32_t kind, uint64_t size) {
  const Objects& o = *objects_;
  void* out = nullptr;
  fine("urUSMAlloc", kind == XHAL_MEMORY_PINNED
                         ? o.ur.urUSMHostAlloc(o.ur.context, nullptr, nullptr, size, &out)
                         : o.ur.urUSMDeviceAlloc(o.ur.context, o.ur.device, nullptr, nullptr, size, &out));
  return out;
}

void UnifiedRuntimeLane::release(void* pointer) {
  fine("urUSMFree", objects_->ur.urUSMFree(objects_->ur.context, pointer));
}

}  // namespace xhal::bench
