/* SPDX-License-Identifier: Apache-2.0 */
/* Modules, kernels, launch. */
#include "objects.h"

/* As with CUDA no size is told: the driver checks the ELF header and its length before. */
xhal_result_t sketch_module_load(Device* device, const void* checked_image, Module* out) {
  const Thread thread = enter(device);
  const hipError_t code = leave(device, thread, hipModuleLoadData(&out->module, checked_image));
  if (code == hipErrorNoBinaryForGpu) return XHAL_ERROR_UNSUPPORTED_IMAGE;
  if (code == hipErrorInvalidImage || code == hipErrorSharedObjectInitFailed) return XHAL_ERROR_INVALID_IMAGE;
  TRY(code);
  out->device = device;
  return XHAL_SUCCESS;
}

static void unload(void* module) { (void)hipModuleUnload((hipModule_t)module); }
xhal_result_t sketch_module_destroy(Module* module) {
  bury(module->device, module->module, unload); /* hipModuleUnload, behind the launches, on the device */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_module_get_kernel(Module* module, const char* name, Kernel* out) {
  const Thread thread = enter(module->device);
  const hipError_t code =
      leave(module->device, thread, hipModuleGetFunction(&out->function, module->module, name));
  if (code == hipErrorNotFound) return XHAL_ERROR_NOT_FOUND;
  out->module = module;
  return result(code);
}

xhal_result_t sketch_module_get_global(Module* module, const char* name, void** out_pointer,
                                       uint64_t* out_size) {
  hipDeviceptr_t pointer = NULL;
  size_t size = 0;
  const Thread thread = enter(module->device);
  const hipError_t code =
      leave(module->device, thread, hipModuleGetGlobal(&pointer, &size, module->module, name));
  if (code == hipErrorNotFound) return XHAL_ERROR_NOT_FOUND;
  TRY(code);
  *out_pointer = pointer;
  *out_size = size;
  return XHAL_SUCCESS;
}

/* The number of parameters is in the code object's metadata, not in the API. */
xhal_result_t sketch_kernel_get_info(const Kernel* kernel, xhal_kernel_info_t* out) {
  int value = 0;
  TRY(hipFuncGetAttribute(&value, HIP_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel->function));
  out->max_group_items = (uint32_t)value;
  TRY(hipFuncGetAttribute(&value, HIP_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, kernel->function));
  out->static_local_bytes = (uint32_t)value;
  TRY(hipFuncGetAttribute(&value, HIP_FUNC_ATTRIBUTE_NUM_REGS, kernel->function));
  out->registers = (uint32_t)value;
  out->parameter_count = UINT32_MAX;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_kernel_get_occupancy(const Kernel* kernel, uint32_t group_items, uint64_t local_bytes,
                                          xhal_occupancy_t* out) {
  int groups = 0;
  int grid = 0;
  int items = 0;
  const Device* device = kernel->module->device;
  ON_DEVICE(device, hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(&groups, kernel->function,
                                                                       (int)group_items, local_bytes));
  ON_DEVICE(device, hipModuleOccupancyMaxPotentialBlockSize(&grid, &items, kernel->function, local_bytes, 0));
  out->groups_per_unit = (uint32_t)groups; /* nothing cooperative, see below */
  out->suggested_group_items = (uint32_t)items;
  return XHAL_SUCCESS;
}

/*
 * Arguments are copied by the call. Local arguments are offsets into the dynamic local memory, as with CUDA. Cooperative launches of modules
 * have no call in HIP 5.2 (hipLaunchCooperativeKernel wants a host function of the compiler), clusters none at all.
 */
xhal_result_t sketch_kernel_launch(Stream* stream, const Kernel* kernel, const xhal_launch_t* launch,
                                   void** parameters, unsigned int shared_bytes) {
  ON_DEVICE(stream->device,
            hipModuleLaunchKernel(kernel->function, launch->group_count[0], launch->group_count[1],
                                  launch->group_count[2], launch->group_size[0], launch->group_size[1],
                                  launch->group_size[2], shared_bytes, stream->stream, parameters, NULL));
  return XHAL_SUCCESS;
}
