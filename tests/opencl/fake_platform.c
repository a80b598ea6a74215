// SPDX-License-Identifier: Apache-2.0
// An OpenCL platform that goes wrong where it is told to, by how it is compiled: FAKE_CRASHES and FAKE_HANGS while it is loaded,
// FAKE_CRASHES_LISTED when its devices are counted, FAKE_NO_DEVICES has none. Otherwise it has one device, whose context cannot be made.
#define _POSIX_C_SOURCE 200809L /* NOLINT(readability-identifier-naming): the C library's */
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(FAKE_CRASHES)
__attribute__((constructor)) static void crash(void) { abort(); }
#elif defined(FAKE_HANGS)
__attribute__((constructor)) static void hang(void) {
  for (;;) pause();
}
#endif

// The loader finds a call of an object by the table that the object begins with.
struct _cl_platform_id {
  const cl_icd_dispatch* table;
};
struct _cl_device_id {
  const cl_icd_dispatch* table;
};
static cl_icd_dispatch table;
static struct _cl_platform_id platform = {&table};
static struct _cl_device_id device = {&table};

static cl_int answer(const void* value, size_t size, size_t capacity, void* out, size_t* out_size) {
  if (out_size != NULL) *out_size = size;
  if (out == NULL) return CL_SUCCESS;
  if (capacity < size) return CL_INVALID_VALUE;
  memcpy(out, value, size);
  return CL_SUCCESS;
}

static cl_int text(const char* value, size_t capacity, void* out, size_t* out_size) {
  return answer(value, strlen(value) + 1, capacity, out, out_size);
}

static cl_int platform_info(cl_platform_id id, cl_platform_info what, size_t capacity, void* out,
                            size_t* out_size) {
  (void)id;
  switch (what) {
    case CL_PLATFORM_VERSION:
      return text("OpenCL 3.0 fake", capacity, out, out_size);
    case CL_PLATFORM_PROFILE:
      return text("FULL_PROFILE", capacity, out, out_size);
    case CL_PLATFORM_EXTENSIONS:
      return text("cl_khr_icd", capacity, out, out_size);
    case CL_PLATFORM_ICD_SUFFIX_KHR:
      return text("FAKE", capacity, out, out_size);
    default:
      return text("fake platform", capacity, out, out_size);
  }
}

static cl_int devices(cl_platform_id id, cl_device_type type, cl_uint capacity, cl_device_id* out,
                      cl_uint* out_count) {
  (void)id, (void)type;
#if defined(FAKE_CRASHES_LISTED)
  abort();
#elif defined(FAKE_NO_DEVICES)
  (void)capacity, (void)out;
  if (out_count != NULL) *out_count = 0;
  return CL_DEVICE_NOT_FOUND;
#endif
  if (out_count != NULL) *out_count = 1;
  if (out != NULL && capacity > 0) *out = &device;
  return CL_SUCCESS;
}

static cl_int device_info(cl_device_id id, cl_device_info what, size_t capacity, void* out,
                          size_t* out_size) {
  (void)id;
  const cl_bool yes = CL_TRUE;
  const cl_device_type type = CL_DEVICE_TYPE_CPU;
  const cl_device_svm_capabilities shared = CL_DEVICE_SVM_FINE_GRAIN_BUFFER;
  const cl_ulong bytes = 1 << 30;
  const cl_uint count = 64;
  const size_t size = 64;
  const size_t sizes[3] = {64, 64, 64};
  switch (what) {
    case CL_DEVICE_TYPE:
      return answer(&type, sizeof(type), capacity, out, out_size);
    case CL_DEVICE_COMPILER_AVAILABLE:
      return answer(&yes, sizeof(yes), capacity, out, out_size);
    case CL_DEVICE_SVM_CAPABILITIES:
      return answer(&shared, sizeof(shared), capacity, out, out_size);
    case CL_DEVICE_GLOBAL_MEM_SIZE:
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
    case CL_DEVICE_LOCAL_MEM_SIZE:
      return answer(&bytes, sizeof(bytes), capacity, out, out_size);
    case CL_DEVICE_MAX_COMPUTE_UNITS:
    case CL_DEVICE_ADDRESS_BITS:
      return answer(&count, sizeof(count), capacity, out, out_size);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
    case CL_DEVICE_MAX_PARAMETER_SIZE:
      return answer(&size, sizeof(size), capacity, out, out_size);
    case CL_DEVICE_MAX_WORK_ITEM_SIZES:
      return answer(sizes, sizeof(sizes), capacity, out, out_size);
    case CL_DEVICE_NAME:
    case CL_DEVICE_VENDOR:
    case CL_DRIVER_VERSION:
    case CL_DEVICE_OPENCL_C_VERSION:
      return text("fake", capacity, out, out_size);
    default:
      return CL_INVALID_VALUE;
  }
}

static cl_context no_context(const cl_context_properties* properties, cl_uint count, const cl_device_id* ids,
                             void(CL_CALLBACK* notify)(const char*, const void*, size_t, void*), void* user,
                             cl_int* out_code) {
  (void)properties, (void)count, (void)ids, (void)notify, (void)user;
  if (out_code != NULL) *out_code = CL_OUT_OF_RESOURCES;
  return NULL;
}

static cl_int platforms(cl_uint capacity, cl_platform_id* out, cl_uint* out_count) {
  table.clGetPlatformInfo = platform_info;
  table.clGetDeviceIDs = devices;
  table.clGetDeviceInfo = device_info;
  table.clCreateContext = no_context;
  if (out_count != NULL) *out_count = 1;
  if (out != NULL && capacity > 0) *out = &platform;
  return CL_SUCCESS;
}

__attribute__((visibility("default"))) CL_API_ENTRY void* CL_API_CALL
clGetExtensionFunctionAddress(const char* name) {
  void* out = NULL;
  cl_int (*const list)(cl_uint, cl_platform_id*, cl_uint*) = platforms;
  cl_int (*const info)(cl_platform_id, cl_platform_info, size_t, void*, size_t*) = platform_info;
  if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0) memcpy(&out, &list, sizeof(out));
  if (strcmp(name, "clGetPlatformInfo") == 0) memcpy(&out, &info, sizeof(out));
  return out;
}
