/* SPDX-License-Identifier: Apache-2.0 */
/* Modules, kernels, launch. */
#include "objects.h"

xhal_result_t sketch_module_load(Device* device, const xhal_module_desc_t* desc, Module* out, char* log,
                                 size_t log_bytes) {
  const unsigned char* binary = (const unsigned char*)desc->image;
  const char* source = (const char*)desc->image;
  const size_t size = desc->image_size;
  cl_int code = CL_SUCCESS;
  cl_int binary_status = CL_SUCCESS;
  if (strcmp(desc->format, "opencl-c") == 0) {
    out->program = clCreateProgramWithSource(device->context, 1, &source, &size, &code);
  } else if (strcmp(desc->format, "spirv") == 0) {
    out->program = clCreateProgramWithIL(device->context, desc->image, size, &code);
  } else {
    out->program =
        clCreateProgramWithBinary(device->context, 1, &device->device, &size, &binary, &binary_status, &code);
  }
  if (code == CL_INVALID_BINARY || code == CL_INVALID_VALUE) return XHAL_ERROR_INVALID_IMAGE;
  TRY(code);
  /* -cl-kernel-arg-info: kind and size of arguments can be checked then. */
  code = clBuildProgram(out->program, 1, &device->device, "-cl-std=CL1.2 -cl-kernel-arg-info", NULL, NULL);
  if (code == CL_BUILD_PROGRAM_FAILURE) {
    TRY(clGetProgramBuildInfo(out->program, device->device, CL_PROGRAM_BUILD_LOG, log_bytes, log, NULL));
    TRY(clReleaseProgram(out->program));
    return XHAL_ERROR_INVALID_IMAGE;
  }
  TRY(code);
  out->device = device;
  return XHAL_SUCCESS;
}

/* Commands keep their kernel, kernels their program: a release never waits. With user events pending, as a queue: graveyard. */
xhal_result_t sketch_module_destroy(Module* module, Kernel* kernels, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) TRY(clReleaseKernel(kernels[i].kernel));
  TRY(clReleaseProgram(module->program));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_module_get_kernel(Module* module, const char* name, Kernel* out) {
  cl_int code = CL_SUCCESS;
  out->kernel = clCreateKernel(module->program, name, &code);
  if (code == CL_INVALID_KERNEL_NAME) return XHAL_ERROR_NOT_FOUND;
  TRY(code);
  out->module = module;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_kernel_get_info(const Kernel* kernel, xhal_kernel_info_t* out) {
  cl_device_id device = kernel->module->device->device;
  cl_uint arguments = 0;
  size_t items = 0;
  size_t multiple = 0;
  cl_ulong local = 0;
  TRY(clGetKernelInfo(kernel->kernel, CL_KERNEL_NUM_ARGS, sizeof arguments, &arguments, NULL));
  TRY(clGetKernelWorkGroupInfo(kernel->kernel, device, CL_KERNEL_WORK_GROUP_SIZE, sizeof items, &items,
                               NULL));
  TRY(clGetKernelWorkGroupInfo(kernel->kernel, device, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
                               sizeof multiple, &multiple, NULL));
  TRY(clGetKernelWorkGroupInfo(kernel->kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local, NULL));
  out->parameter_count = arguments;
  out->max_group_items = (uint32_t)items;
  out->preferred_group_multiple = (uint32_t)multiple;
  out->static_local_bytes = (uint32_t)local;
  return XHAL_SUCCESS;
}

/* There is no occupancy query: 1 where the group and its local memory fit, else 0. */
xhal_result_t sketch_kernel_get_occupancy(const Kernel* kernel, uint32_t group_items, uint64_t local_bytes,
                                          uint64_t device_local_bytes, xhal_occupancy_t* out) {
  size_t items = 0;
  cl_ulong static_local = 0;
  cl_device_id device = kernel->module->device->device;
  TRY(clGetKernelWorkGroupInfo(kernel->kernel, device, CL_KERNEL_WORK_GROUP_SIZE, sizeof items, &items,
                               NULL));
  TRY(clGetKernelWorkGroupInfo(kernel->kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof static_local,
                               &static_local, NULL));
  out->groups_per_unit = group_items <= items && static_local + local_bytes <= device_local_bytes;
  out->suggested_group_items = (uint32_t)items;
  return XHAL_SUCCESS;
}

/*
 * Under the kernel's lock. Arguments are typed: a wrong index, size or local flag is an error of its own. dynamic_local_bytes beside local
 * arguments is memory that no OpenCL kernel can name: it counts towards the limit and is nothing else. Pointers that the kernel finds
 * in memory must be listed before: all allocations of the context, by clSetKernelExecInfo.
 */
xhal_result_t sketch_kernel_launch(Stream* stream, Kernel* kernel, const xhal_launch_t* launch,
                                   void** allocations, size_t count) {
  size_t group[3];
  size_t items[3];
  for (uint32_t i = 0; i < launch->argument_count; ++i) {
    const xhal_argument_t* argument = &launch->arguments[i];
    cl_int code = CL_SUCCESS;
    if (argument->kind == XHAL_ARGUMENT_MEMORY) {
      code = clSetKernelArgSVMPointer(kernel->kernel, i, argument->data); /* interior ones too */
    } else {
      code = clSetKernelArg(kernel->kernel, i, argument->size, argument->data); /* local: null data */
    }
    if (code == CL_INVALID_ARG_INDEX || code == CL_INVALID_ARG_SIZE || code == CL_INVALID_ARG_VALUE) {
      return XHAL_ERROR_INVALID_ARGUMENT;
    }
    TRY(code);
  }
  TRY(clSetKernelExecInfo(kernel->kernel, CL_KERNEL_EXEC_INFO_SVM_PTRS, count * sizeof(void*), allocations));
  for (int i = 0; i < 3; ++i) {
    group[i] = launch->group_size[i];
    items[i] = (size_t)launch->group_count[i] * launch->group_size[i];
  }
  cl_event next = NULL;
  TRY(clEnqueueNDRangeKernel(stream->queue, kernel->kernel, 3, NULL, items, group, 0, NULL, &next));
  TRY(then(stream, next));
  TRY(clFlush(stream->queue));
  return XHAL_SUCCESS;
}
