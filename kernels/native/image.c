/* SPDX-License-Identifier: Apache-2.0 */
/* The one exported symbol. XHAL_NATIVE_KERNELS names the list that xhal-kernelgen made of the pack's sources. */
#include "native_item.h"

#define XHAL_NATIVE_KERNEL(kernel, parameters, local_bytes, barrier)                        \
  __attribute__((visibility("hidden"))) void kernel##_run_groups(xhal_native_frame* frame); \
  extern const xhal_native_param kernel##_params[] __attribute__((visibility("hidden")));
#include XHAL_NATIVE_KERNELS
#undef XHAL_NATIVE_KERNEL

#define XHAL_NATIVE_KERNEL(kernel, parameters, local_bytes, barrier) \
  {.name = #kernel,                                                  \
   .run_groups = kernel##_run_groups,                                \
   .params = kernel##_params,                                        \
   .param_count = (parameters),                                      \
   .max_group_size = XHAL_NATIVE_MAX_GROUP_SIZE,                     \
   .static_local_bytes = (local_bytes),                              \
   .uses_barrier = (barrier)},
static const xhal_native_kernel kernels[] = {
#include XHAL_NATIVE_KERNELS
};
#undef XHAL_NATIVE_KERNEL

extern const xhal_native_image xhal_native_image_v2;
__attribute__((visibility("default"))) const xhal_native_image xhal_native_image_v2 = {
    .magic = XHAL_NATIVE_IMAGE_MAGIC,
    .struct_size = sizeof(xhal_native_image),
    .kernel_struct_size = sizeof(xhal_native_kernel),
    .target = XHAL_NATIVE_TARGET,
    .kernels = kernels,
    .kernel_count = sizeof kernels / sizeof kernels[0],
};
