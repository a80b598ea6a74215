/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/kernel.h - modules, kernels, launch (feature kernel).
 *
 * A module is an image loaded on a device. Its kernels are immutable and may be launched from any thread. Arguments are typed, and
 * memory arguments carry their access, so that any driver, real or simulated, can be checked for missing waits.
 */
#ifndef XHAL_KERNEL_H_
#define XHAL_KERNEL_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

typedef struct xhal_module_desc {
  uint32_t struct_size;
  uint32_t flags;     /* none defined */
  const char* format; /* one that the device lists: "native", "spirv", "ptx", ..., "builtin" */
  const char* target; /* of the image, "x86-64-v3"; null when the format needs none */
  const void* image;  /* consumed before the call returns; for "builtin" the pack's name */
  uint64_t image_size;
  const char* options; /* for images that are compiled at load; null: none */
} xhal_module_desc_t;

enum { XHAL_ARGUMENT_VALUE = 0, XHAL_ARGUMENT_MEMORY = 1, XHAL_ARGUMENT_LOCAL = 2 };

/* Frozen: arrays of it have no stride and it never grows. */
typedef struct xhal_argument {
  uint32_t kind;   /* XHAL_ARGUMENT_x */
  uint32_t access; /* MEMORY: XHAL_ACCESS_x, not NONE; else 0 */
  uint64_t
      size; /* VALUE: bytes at data. MEMORY: bytes used from data on, 0: to the end of the allocation. LOCAL: bytes of local memory */
  const void* data; /* VALUE: the bytes, copied by the launch. MEMORY: the pointer itself. LOCAL: null */
} xhal_argument_t;

/* Memory that a launch touches without its being an argument, found by pointers in memory. */
typedef struct xhal_memory_range {
  const void* pointer;
  uint64_t size;
  uint32_t access;
  uint32_t reserved;
} xhal_memory_range_t;

enum {
  XHAL_LAUNCH_COOPERATIVE = 1u << 0, /* feature cooperative_launch: all groups run at once [XHAL-KERNEL-22] */
  XHAL_LAUNCH_CLUSTER = 1u << 1      /* feature cluster_launch: the groups of a cluster do [XHAL-KERNEL-25] */
};

typedef struct xhal_launch {
  uint32_t struct_size;
  uint32_t flags;
  uint32_t group_count[3];  /* groups, not items; no zero [XHAL-KERNEL-5] */
  uint32_t group_size[3];   /* items in a group */
  uint32_t cluster_size[3]; /* groups in a cluster; read with XHAL_LAUNCH_CLUSTER alone [XHAL-KERNEL-27] */
  uint32_t dynamic_local_bytes; /* beside local arguments */
  uint32_t argument_count;
  uint32_t range_count;
  const xhal_argument_t* arguments;
  const xhal_memory_range_t* ranges;
  uint32_t range_stride; /* 0: sizeof(xhal_memory_range_t) */
  uint32_t reserved;
  uint64_t correlation_id; /* the caller's; comes back in faults and activity records */
} xhal_launch_t;

typedef struct xhal_kernel_info {
  uint32_t struct_size;
  uint32_t parameter_count; /* UINT32_MAX when the driver does not know */
  uint32_t max_group_items;
  uint32_t preferred_group_multiple;
  uint32_t static_local_bytes;
  uint32_t private_bytes; /* per item; 0 when not known */
  uint32_t registers;     /* per item; 0 when not known */
  uint32_t reserved;
  char name[128];
} xhal_kernel_info_t;

typedef struct xhal_occupancy {
  uint32_t struct_size;
  uint32_t groups_per_unit; /* resident at once; 0: such a group does not fit */
  uint32_t suggested_group_items;
  uint32_t reserved;
  /* Since revision 1. 0: such a group does not fit, or the device does not claim the feature. */
  uint32_t max_cooperative_groups; /* in one cooperative launch, on the whole device [XHAL-KERNEL-23] */
  uint32_t max_cluster_groups;     /* in one cluster, all dimensions multiplied [XHAL-KERNEL-26] */
} xhal_occupancy_t;

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

/* Errors: UNSUPPORTED_IMAGE, INVALID_IMAGE (the error text carries the build log's first lines), OUT_OF_DEVICE_MEMORY. [XHAL-KERNEL-1] */
XHAL_EXPORT xhal_result_t xhal_module_load(xhal_device_t device, const xhal_module_desc_t* desc,
                                           xhal_module_t* out_module);
/* Never blocks; launches in flight complete; kernels of the module become invalid. [XHAL-KERNEL-8] */
XHAL_EXPORT xhal_result_t xhal_module_destroy(xhal_module_t module);
/* Belongs to the module. The same name gives the same handle. NOT_FOUND. [XHAL-KERNEL-2] */
XHAL_EXPORT xhal_result_t xhal_module_get_kernel(xhal_module_t module, const char* name,
                                                 xhal_kernel_t* out_kernel);
/* Address and size of a global variable of the image; valid until the module's destroy. NOT_FOUND, UNSUPPORTED. [XHAL-KERNEL-21] */
XHAL_EXPORT xhal_result_t xhal_module_get_global(xhal_module_t module, const char* name, void** out_pointer,
                                                 uint64_t* out_size);
XHAL_EXPORT xhal_result_t xhal_kernel_get_info(xhal_kernel_t kernel, xhal_kernel_info_t* out_info);
/* For groups of that many items and that much local memory beside the kernel's own. [XHAL-KERNEL-12] */
XHAL_EXPORT xhal_result_t xhal_kernel_get_occupancy(xhal_kernel_t kernel, uint32_t group_items,
                                                    uint64_t local_bytes, xhal_occupancy_t* out_occupancy);
/*
 * Values are copied before the call returns. [XHAL-KERNEL-3..6] A failure while it runs is asynchronous. [XHAL-KERNEL-18]
 * Groups that wait for one another need one of the flags; without them groups may run one after the other. [XHAL-KERNEL-22..28]
 * Errors: INVALID_ARGUMENT, LIMIT_EXCEEDED, UNSUPPORTED (flags), INVALID_POINTER (where the driver can tell).
 */
XHAL_EXPORT xhal_result_t xhal_kernel_launch(xhal_stream_t stream, xhal_kernel_t kernel,
                                             const xhal_launch_t* launch);

XHAL_END_DECLS

#endif
