// SPDX-License-Identifier: Apache-2.0
// Prints what the OpenCL loader finds: a line a platform, a line a device. With --use each device also compiles and runs a kernel, so that
// one that is listed and useless is seen. Exit code 0: listed; 1: a call failed; 3: no loader.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// The part of CL/cl.h that is used here: programs that only list need no header.
enum {
  kPlatformName = 0x0902,
  kDeviceName = 0x102B,
  kDeviceVersion = 0x102F,
  kNoPlatform = -1001,
  kNoDevice = -1,
  kMost = 64
};
static const uint64_t kAllDevices = 0xFFFFFFFF;

typedef int32_t (*get_platforms_fn)(uint32_t, void**, uint32_t*);
typedef int32_t (*get_devices_fn)(void*, uint64_t, uint32_t, void**, uint32_t*);
typedef int32_t (*get_text_fn)(void*, uint32_t, size_t, void*, size_t*);
typedef void* (*create_context_fn)(const intptr_t*, uint32_t, void* const*, void*, void*, int32_t*);
typedef void* (*create_queue_fn)(void*, void*, uint64_t, int32_t*);
typedef void* (*create_program_fn)(void*, uint32_t, const char**, const size_t*, int32_t*);
typedef int32_t (*build_program_fn)(void*, uint32_t, void* const*, const char*, void*, void*);
typedef void* (*create_kernel_fn)(void*, const char*, int32_t*);
typedef void* (*create_buffer_fn)(void*, uint64_t, size_t, void*, int32_t*);
typedef int32_t (*set_argument_fn)(void*, uint32_t, size_t, const void*);
typedef int32_t (*launch_fn)(void*, void*, uint32_t, const size_t*, const size_t*, const size_t*, uint32_t,
                             void* const*, void**);
typedef int32_t (*read_fn)(void*, void*, uint32_t, size_t, size_t, void*, uint32_t, void* const*, void**);

static void* loader;

// A function from an object pointer, as POSIX has dlsym and C11 has no cast for.
static void find(const char* name, void* out_function) {
  void* const symbol = dlsym(loader, name);
  memcpy(out_function, &symbol, sizeof(symbol));
}

static int failed(const char* call, int32_t code) {
  fprintf(stderr, "list_devices: %s: OpenCL error %d\n", call, (int)code);
  return 1;
}

// Squares of 0 to 7 by a kernel that this device compiles.
static int use(void* device) {
  create_context_fn create_context;
  create_queue_fn create_queue;
  create_program_fn create_program;
  build_program_fn build_program;
  create_kernel_fn create_kernel;
  create_buffer_fn create_buffer;
  set_argument_fn set_argument;
  launch_fn launch;
  read_fn read_buffer;
  find("clCreateContext", &create_context);
  find("clCreateCommandQueue", &create_queue);
  find("clCreateProgramWithSource", &create_program);
  find("clBuildProgram", &build_program);
  find("clCreateKernel", &create_kernel);
  find("clCreateBuffer", &create_buffer);
  find("clSetKernelArg", &set_argument);
  find("clEnqueueNDRangeKernel", &launch);
  find("clEnqueueReadBuffer", &read_buffer);
  int32_t code = 0;
  void* const context = create_context(NULL, 1, &device, NULL, NULL, &code);
  if (code != 0) return failed("clCreateContext", code);
  void* const queue = create_queue(context, device, 0, &code);
  if (code != 0) return failed("clCreateCommandQueue", code);
  const char* source =
      "__kernel void square(__global uint* to) { uint i = get_global_id(0); to[i] = i * i; }";
  void* const program = create_program(context, 1, &source, NULL, &code);
  if (code != 0) return failed("clCreateProgramWithSource", code);
  code = build_program(program, 1, &device, "", NULL, NULL);
  if (code != 0) return failed("clBuildProgram", code);
  void* const kernel = create_kernel(program, "square", &code);
  if (code != 0) return failed("clCreateKernel", code);
  uint32_t words[8];
  memset(words, 0xFF, sizeof(words));
  void* const memory = create_buffer(context, 1, sizeof(words), NULL, &code);
  if (code != 0) return failed("clCreateBuffer", code);
  code = set_argument(kernel, 0, sizeof(memory), &memory);
  if (code != 0) return failed("clSetKernelArg", code);
  const size_t items = 8;
  code = launch(queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL);
  if (code != 0) return failed("clEnqueueNDRangeKernel", code);
  code = read_buffer(queue, memory, 1, 0, sizeof(words), words, 0, NULL, NULL);
  if (code != 0) return failed("clEnqueueReadBuffer", code);
  for (uint32_t i = 0; i < 8; ++i) {
    if (words[i] == i * i) continue;
    fprintf(stderr, "list_devices: the kernel wrote %u instead of %u\n", words[i], i * i);
    return 1;
  }
  return 0;
}

int main(int argc, char** argv) {
  const int also_use = argc == 2 && strcmp(argv[1], "--use") == 0;
  if (argc != 1 && !also_use) {
    fputs("usage: list_devices [--use]\n", stderr);
    return 2;
  }
  loader = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (loader == NULL) {
    fprintf(stderr, "list_devices: %s\n", dlerror());
    return 3;
  }
  get_platforms_fn get_platforms;
  get_devices_fn get_devices;
  get_text_fn platform_text;
  get_text_fn device_text;
  find("clGetPlatformIDs", &get_platforms);
  find("clGetDeviceIDs", &get_devices);
  find("clGetPlatformInfo", &platform_text);
  find("clGetDeviceInfo", &device_text);
  void* platforms[kMost];
  uint32_t platform_count = 0;
  int32_t code = get_platforms(kMost, platforms, &platform_count);
  if (code == kNoPlatform)
    platform_count = 0;
  else if (code != 0)
    return failed("clGetPlatformIDs", code);
  uint32_t all = 0;
  for (uint32_t p = 0; p < platform_count; ++p) {
    char name[256] = "";
    platform_text(platforms[p], kPlatformName, sizeof(name), name, NULL);
    printf("platform: %s\n", name);
    void* devices[kMost];
    uint32_t device_count = 0;
    code = get_devices(platforms[p], kAllDevices, kMost, devices, &device_count);
    if (code == kNoDevice)
      device_count = 0;
    else if (code != 0)
      return failed("clGetDeviceIDs", code);
    for (uint32_t d = 0; d < device_count; ++d) {
      char version[256] = "";
      device_text(devices[d], kDeviceName, sizeof(name), name, NULL);
      device_text(devices[d], kDeviceVersion, sizeof(version), version, NULL);
      printf("device: %s, %s\n", name, version);
      if (also_use && use(devices[d]) != 0) return 1;
    }
    all += device_count;
  }
  printf("%u platforms, %u devices%s\n", platform_count, all, also_use ? ", each of which ran a kernel" : "");
  return 0;
}
