/* SPDX-License-Identifier: Apache-2.0 */
/* Modules, kernels, launch, graphs. */
#include "objects.h"

xhal_result_t sketch_module_load(Device* device, const xhal_module_desc_t* desc, Module* out, char* log,
                                 size_t log_bytes) {
  ze_module_desc_t module = {.stype = ZE_STRUCTURE_TYPE_MODULE_DESC};
  module.format = strcmp(desc->format, "spirv") == 0 ? ZE_MODULE_FORMAT_IL_SPIRV : ZE_MODULE_FORMAT_NATIVE;
  module.pInputModule = (const uint8_t*)desc->image;
  module.inputSize = desc->image_size;
  module.pBuildFlags = desc->options;
  ze_module_build_log_handle_t build_log = NULL;
  const ze_result_t code = zeModuleCreate(device->context, device->device, &module, &out->module, &build_log);
  TRY(zeModuleBuildLogGetString(build_log, &log_bytes, log));
  TRY(zeModuleBuildLogDestroy(build_log));
  out->device = device;
  if (code == ZE_RESULT_ERROR_MODULE_BUILD_FAILURE || code == ZE_RESULT_ERROR_INVALID_NATIVE_BINARY) {
    return XHAL_ERROR_INVALID_IMAGE;
  }
  return result(code);
}

/* Its kernels go first, and neither while the device refers to them: graveyard. */
static void destroy_module(void* module) { (void)zeModuleDestroy((ze_module_handle_t)module); }
static void destroy_kernel(void* kernel) { (void)zeKernelDestroy((ze_kernel_handle_t)kernel); }
xhal_result_t sketch_module_destroy(Module* module, Kernel* kernels, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i)
    bury(module->device, kernels[i].kernel, destroy_kernel); /* zeKernelDestroy */
  bury(module->device, module->module, destroy_module);      /* zeModuleDestroy */
  return XHAL_SUCCESS;
}

xhal_result_t sketch_module_get_kernel(Module* module, const char* name, Kernel* out) {
  ze_kernel_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_KERNEL_DESC};
  desc.pKernelName = name;
  const ze_result_t code = zeKernelCreate(module->module, &desc, &out->kernel);
  if (code == ZE_RESULT_ERROR_INVALID_KERNEL_NAME) return XHAL_ERROR_NOT_FOUND;
  out->module = module;
  return result(code);
}

xhal_result_t sketch_module_get_global(Module* module, const char* name, void** out_pointer,
                                       uint64_t* out_size) {
  size_t size = 0;
  const ze_result_t code = zeModuleGetGlobalPointer(module->module, name, &size, out_pointer);
  if (code == ZE_RESULT_ERROR_INVALID_GLOBAL_NAME) return XHAL_ERROR_NOT_FOUND;
  *out_size = size;
  return result(code);
}

xhal_result_t sketch_kernel_get_info(const Kernel* kernel, xhal_kernel_info_t* out) {
  ze_kernel_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_KERNEL_PROPERTIES};
  TRY(zeKernelGetProperties(kernel->kernel, &properties));
  out->parameter_count = properties.numKernelArgs;
  out->preferred_group_multiple = properties.maxSubgroupSize;
  out->static_local_bytes = properties.localMemSize;
  out->private_bytes = properties.privateMemSize;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_kernel_get_occupancy(const Kernel* kernel, uint32_t group_items, uint32_t unit_count,
                                          xhal_occupancy_t* out) {
  uint32_t groups = 0;
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t z = 0;
  TRY(zeKernelSetGroupSize(kernel->kernel, group_items, 1, 1));
  TRY(zeKernelSuggestMaxCooperativeGroupCount(kernel->kernel, &groups)); /* resident on the whole device */
  TRY(zeKernelSuggestGroupSize(kernel->kernel, 1u << 20, 1, 1, &x, &y, &z));
  out->groups_per_unit = groups / unit_count;
  out->max_cooperative_groups = groups;
  out->suggested_group_items = x * y * z;
  return XHAL_SUCCESS;
}

/* Under the kernel's lock: group size and arguments are state of the kernel until the append has read them. */
xhal_result_t sketch_kernel_launch(Stream* stream, Kernel* kernel, const xhal_launch_t* launch) {
  TRY(zeKernelSetGroupSize(kernel->kernel, launch->group_size[0], launch->group_size[1],
                           launch->group_size[2]));
  for (uint32_t i = 0; i < launch->argument_count; ++i) {
    const xhal_argument_t* argument = &launch->arguments[i];
    const void* value = argument->kind == XHAL_ARGUMENT_MEMORY  ? (const void*)&argument->data
                        : argument->kind == XHAL_ARGUMENT_LOCAL ? NULL
                                                                : argument->data;
    const size_t size = argument->kind == XHAL_ARGUMENT_MEMORY ? sizeof(void*) : argument->size;
    const ze_result_t code = zeKernelSetArgumentValue(kernel->kernel, i, size, value);
    if (code == ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX ||
        code == ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE) {
      return XHAL_ERROR_INVALID_ARGUMENT;
    }
    TRY(code);
  }
  /* Pointers that the kernel finds in memory: without this the memory behind them need not be resident. */
  TRY(zeKernelSetIndirectAccess(kernel->kernel, ZE_KERNEL_INDIRECT_ACCESS_FLAG_HOST |
                                                    ZE_KERNEL_INDIRECT_ACCESS_FLAG_DEVICE |
                                                    ZE_KERNEL_INDIRECT_ACCESS_FLAG_SHARED));
  const ze_group_count_t groups = {launch->group_count[0], launch->group_count[1], launch->group_count[2]};
  ze_event_handle_t next = fresh_event(stream->device, 0);
  if (launch->flags & XHAL_LAUNCH_COOPERATIVE) {
    TRY(zeCommandListAppendLaunchCooperativeKernel(stream->list, kernel->kernel, &groups, next, waits(stream),
                                                   wait_list(stream)));
  } else {
    TRY(zeCommandListAppendLaunchKernel(stream->list, kernel->kernel, &groups, next, waits(stream),
                                        wait_list(stream)));
  }
  stream->last = next;
  return XHAL_SUCCESS;
}

/* The driver recorded the operations itself; an executable is a closed command list of them. */
xhal_result_t sketch_graph_instantiate(Device* device, const Graph* graph, GraphExec* out) {
  ze_command_list_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC};
  desc.commandQueueGroupOrdinal = device->compute_group;
  TRY(zeCommandListCreate(device->context, device->device, &desc, &out->list));
  out->begin = fresh_event(device, 0);
  out->end = fresh_event(device, 0);
  TRY(zeCommandListAppendWaitOnEvents(out->list, 1, &out->begin));
  TRY(zeCommandListAppendEventReset(out->list, out->begin));
  for (uint32_t i = 0; i < graph->count; ++i) TRY(append(out->list, graph->operations[i]));
  TRY(zeCommandListAppendBarrier(out->list, out->end, 0, NULL));
  TRY(zeCommandListClose(out->list));
  return XHAL_SUCCESS;
}

/* The stream opens the list's gate and goes on behind its end; a second launch waits for that end first, so they never overlap. */
xhal_result_t sketch_graph_exec_launch(GraphExec* exec, Stream* stream, ze_command_queue_handle_t queue) {
  if (waits(stream)) TRY(zeCommandListAppendWaitOnEvents(stream->list, 1, wait_list(stream)));
  TRY(zeCommandListAppendSignalEvent(stream->list, exec->begin));
  TRY(zeCommandQueueExecuteCommandLists(queue, 1, &exec->list, NULL));
  stream->last = exec->end;
  return XHAL_SUCCESS;
}

/* A new closed list; the former one is let go when its launches are done, so those keep their parameters. */
xhal_result_t sketch_graph_exec_update(Device* device, GraphExec* exec, const Graph* graph) {
  ze_command_list_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC};
  ze_command_list_handle_t fresh = NULL;
  TRY(zeCommandListCreate(device->context, device->device, &desc, &fresh));
  for (uint32_t i = 0; i < graph->count; ++i) TRY(append(fresh, graph->operations[i]));
  TRY(zeCommandListClose(fresh));
  exec->list = fresh;
  return XHAL_SUCCESS;
}

static void destroy_list(void* list) { (void)zeCommandListDestroy((ze_command_list_handle_t)list); }
xhal_result_t sketch_graph_exec_destroy(Device* device, GraphExec* exec) {
  bury(device, exec->list, destroy_list); /* zeCommandListDestroy, behind the last launch */
  return XHAL_SUCCESS;
}
