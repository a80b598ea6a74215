/* SPDX-License-Identifier: Apache-2.0 */
/* The one exported symbol. XHAL_NATIVE_KERNELS names the list that xhal-kernelgen made of the pack's sources. */
#include "native_item.h"

#define XHAL_NATIVE_KERNEL(kernel, parameters, local_bytes, barrier)                        \
  __attribute__((visibility("hidden"))) void kernel##_run_groups(xhal_native_frame* frame); \
  extern const xhal_native_param kernel##_params[] __attribute__((visibility("hidden")));
#define XHAL_NATIVE_GLOBAL(global) \
  extern const xhal_native_global global##_global __attribute__((visibility("hidden")));
#include XHAL_NATIVE_KERNELS
#undef XHAL_NATIVE_KERNEL
#undef XHAL_NATIVE_GLOBAL

#define XHAL_NATIVE_GLOBAL(global)
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
#undef XHAL_NATIVE_GLOBAL

#define XHAL_NATIVE_KERNEL(kernel, parameters, local_bytes, barrier)
#define XHAL_NATIVE_GLOBAL(global) global##_number,
enum {
#include XHAL_NATIVE_KERNELS
  global_count
};
#undef XHAL_NATIVE_GLOBAL

/* Read by the kernels, which are compiled before the list of the pack is known. */
#define XHAL_NATIVE_GLOBAL(global)                                            \
  extern const uint32_t global##_index __attribute__((visibility("hidden"))); \
  const uint32_t global##_index = global##_number;
#include XHAL_NATIVE_KERNELS
#undef XHAL_NATIVE_GLOBAL

#define XHAL_NATIVE_GLOBAL(global) &global##_global,
/* One more, as C knows no array of no elements. */
static const xhal_native_global* const globals[] = {
#include XHAL_NATIVE_KERNELS
    0};
#undef XHAL_NATIVE_GLOBAL
#undef XHAL_NATIVE_KERNEL

extern const xhal_native_image xhal_native_image_v3;
__attribute__((visibility("default"))) const xhal_native_image xhal_native_image_v3 = {
    .magic = XHAL_NATIVE_IMAGE_MAGIC,
    .struct_size = sizeof(xhal_native_image),
    .kernel_struct_size = sizeof(xhal_native_kernel),
    .target = XHAL_NATIVE_TARGET,
    .kernels = kernels,
    .kernel_count = sizeof kernels / sizeof kernels[0],
    .global_count = global_count,
    .globals = globals,
};
