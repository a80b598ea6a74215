/* SPDX-License-Identifier: Apache-2.0 */
/* Modules, kernels, launch. */
#include "objects.h"

/*
 * cuModuleLoadDataEx is told no size and would read past a truncated image: the driver checks the ELF or fat binary header against
 * image_size first, and gives PTX a copy that ends in a zero. [XHAL-KERNEL-1]
 */
xhal_result_t sketch_module_load(Device* device, const void* checked_image, Module* out, char* log,
                                 unsigned int log_bytes) {
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log, (void*)(uintptr_t)log_bytes};
  TRY(enter(device));
  const CUresult code = cuModuleLoadDataEx(&out->module, checked_image, 2, options, values);
  leave();
  if (code == CUDA_ERROR_NO_BINARY_FOR_GPU) return XHAL_ERROR_UNSUPPORTED_IMAGE;
  if (code == CUDA_ERROR_INVALID_IMAGE || code == CUDA_ERROR_INVALID_PTX) return XHAL_ERROR_INVALID_IMAGE;
  TRY(code);
  out->device = device;
  return XHAL_SUCCESS;
}

/* Whether it waits for launches is not documented: it goes to the graveyard behind an event of each stream that launched from it. */
static void unload(void* module) { (void)cuModuleUnload((CUmodule)module); }
xhal_result_t sketch_module_destroy(Module* module) {
  bury(module->device, module->module, unload); /* cuModuleUnload, later and in the device's context */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_module_get_kernel(Module* module, const char* name, Kernel* out) {
  const CUresult code = cuModuleGetFunction(&out->function, module->module, name);
  if (code == CUDA_ERROR_NOT_FOUND) return XHAL_ERROR_NOT_FOUND;
  TRY(code);
  out->module = module;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_module_get_global(Module* module, const char* name, void** out_pointer,
                                       uint64_t* out_size) {
  CUdeviceptr pointer = 0;
  size_t size = 0;
  const CUresult code = cuModuleGetGlobal(&pointer, &size, module->module, name);
  if (code == CUDA_ERROR_NOT_FOUND) return XHAL_ERROR_NOT_FOUND;
  TRY(code);
  *out_pointer = (void*)(uintptr_t)pointer;
  *out_size = size;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_kernel_get_info(const Kernel* kernel, xhal_kernel_info_t* out) {
  int value = 0;
  TRY(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel->function));
  out->max_group_items = (uint32_t)value;
  TRY(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, kernel->function));
  out->static_local_bytes = (uint32_t)value;
  TRY(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, kernel->function));
  out->registers = (uint32_t)value;
#if CUDA_VERSION >= 12040
  /* Offset and size of each parameter, but not whether it is a pointer: argument_check cannot be claimed whole. */
  size_t offset = 0;
  size_t size = 0;
  for (out->parameter_count = 0;
       cuFuncGetParamInfo(kernel->function, out->parameter_count, &offset, &size) == CUDA_SUCCESS;
       ++out->parameter_count) {
  }
#else
  out->parameter_count = UINT32_MAX;
#endif
  return XHAL_SUCCESS;
}

xhal_result_t sketch_kernel_get_occupancy(const Kernel* kernel, uint32_t group_items, uint64_t local_bytes,
                                          xhal_occupancy_t* out) {
  int groups = 0;
  int grid = 0;
  int items = 0;
  int units = 0;
  int cluster = 0;
  TRY(cuOccupancyMaxActiveBlocksPerMultiprocessor(&groups, kernel->function, (int)group_items, local_bytes));
  TRY(cuOccupancyMaxPotentialBlockSize(&grid, &items, kernel->function, NULL, local_bytes, 0));
  TRY(cuDeviceGetAttribute(&units, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, kernel->module->device->device));
  out->groups_per_unit = (uint32_t)groups;
  out->max_cooperative_groups = (uint32_t)(groups * units);
  const CUlaunchConfig config = {
      .gridDimX = 1,
      .gridDimY = 1,
      .gridDimZ = 1,
      .blockDimX = group_items,
      .blockDimY = 1,
      .blockDimZ = 1,
      .sharedMemBytes = (unsigned int)local_bytes,
  };
  if (groups != 0) TRY(cuOccupancyMaxPotentialClusterSize(&cluster, kernel->function, &config));
  out->max_cluster_groups = (uint32_t)cluster;
  out->suggested_group_items = (uint32_t)items;
  return XHAL_SUCCESS;
}

/*
 * CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE is LIMIT_EXCEEDED. Cluster sizes are checked before: CUDA has one code for all that is wrong.
 * Values are copied by the call. CUDA has one block of dynamic shared memory: local arguments get aligned offsets in it, behind the
 * dynamic_local_bytes, and the kernel's parameter is the offset. More than 48 KiB of it must be allowed to the function once.
 */
xhal_result_t sketch_kernel_launch(Stream* stream, const Kernel* kernel, const xhal_launch_t* launch,
                                   void** parameters, unsigned int shared_bytes) {
  CUlaunchAttribute attributes[2];
  unsigned int count = 0;
  memset(attributes, 0, sizeof attributes);
  if (launch->flags & XHAL_LAUNCH_COOPERATIVE) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
    attributes[count++].value.cooperative = 1;
  }
  if (launch->flags & XHAL_LAUNCH_CLUSTER) {
    attributes[count].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attributes[count].value.clusterDim.x = launch->cluster_size[0];
    attributes[count].value.clusterDim.y = launch->cluster_size[1];
    attributes[count++].value.clusterDim.z = launch->cluster_size[2];
  }
  if (shared_bytes > 48 * 1024) {
    TRY(cuFuncSetAttribute(kernel->function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                           (int)shared_bytes));
  }
  const CUlaunchConfig config = {
      .gridDimX = launch->group_count[0],
      .gridDimY = launch->group_count[1],
      .gridDimZ = launch->group_count[2],
      .blockDimX = launch->group_size[0],
      .blockDimY = launch->group_size[1],
      .blockDimZ = launch->group_size[2],
      .sharedMemBytes = shared_bytes,
      .hStream = stream->stream,
      .attrs = attributes,
      .numAttrs = count,
  };
  IN_CONTEXT(stream->device, cuLaunchKernelEx(&config, kernel->function, parameters, NULL));
  return XHAL_SUCCESS;
}
