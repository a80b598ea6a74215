/* SPDX-License-Identifier: Apache-2.0 */
/* xhal/device.h - identity, limits, memory, synchronise, faults. */
#ifndef XHAL_DEVICE_H_
#define XHAL_DEVICE_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

/* Bits of dtype_mask: element types in which kernels of this device compute natively. */
enum {
  XHAL_DTYPE_BOOL = 0,
  XHAL_DTYPE_I8 = 1,
  XHAL_DTYPE_U8 = 2,
  XHAL_DTYPE_I16 = 3,
  XHAL_DTYPE_U16 = 4,
  XHAL_DTYPE_I32 = 5,
  XHAL_DTYPE_U32 = 6,
  XHAL_DTYPE_I64 = 7,
  XHAL_DTYPE_U64 = 8,
  XHAL_DTYPE_F16 = 9,
  XHAL_DTYPE_BF16 = 10,
  XHAL_DTYPE_F32 = 11,
  XHAL_DTYPE_F64 = 12,
  XHAL_DTYPE_C64 = 13,
  XHAL_DTYPE_C128 = 14,
  XHAL_DTYPE_F8_E4M3 = 15,
  XHAL_DTYPE_F8_E5M2 = 16
};

enum {
  XHAL_DEVICE_KIND_OTHER = 0,
  XHAL_DEVICE_KIND_GPU = 1,
  XHAL_DEVICE_KIND_NPU = 2,
  XHAL_DEVICE_KIND_FPGA = 3,
  XHAL_DEVICE_KIND_CPU = 4
};
enum { XHAL_PARTITION_NONE = 0, XHAL_PARTITION_MIG = 1, XHAL_PARTITION_TILE = 2, XHAL_PARTITION_OTHER = 3 };
/* What a failure takes with it (PROCESS: it may end it), and what brings it back. [XHAL-ERROR-5] [XHAL-ERROR-12] [XHAL-ERROR-16] */
enum {
  XHAL_FAULT_SCOPE_STREAM = 0,
  XHAL_FAULT_SCOPE_CONTEXT = 1,
  XHAL_FAULT_SCOPE_DEVICE = 2,
  XHAL_FAULT_SCOPE_PROCESS = 3
};
enum { XHAL_RECOVERY_NONE = 0, XHAL_RECOVERY_STREAM = 1, XHAL_RECOVERY_RESET = 2 };
enum { XHAL_FREE_WAITS_NEVER = 0, XHAL_FREE_WAITS_MAYBE = 1 };
/* Whose progress a blocked host function may stop. [XHAL-HOSTFN-4] */
enum { XHAL_BLOCKS_NONE = 0, XHAL_BLOCKS_DEVICE = 1, XHAL_BLOCKS_DRIVER = 2 };
/* Bits of copy_blocks: directions in which memory_copy may wait for the stream before it returns. [XHAL-MEMORY-10] */
enum {
  XHAL_COPY_PAGEABLE_TO_DEVICE = 1u << 0,
  XHAL_COPY_DEVICE_TO_PAGEABLE = 1u << 1,
  XHAL_COPY_PINNED_TO_DEVICE = 1u << 2,
  XHAL_COPY_DEVICE_TO_PINNED = 1u << 3,
  XHAL_COPY_DEVICE_TO_DEVICE = 1u << 4,
  XHAL_COPY_HOST_TO_HOST = 1u << 5,
  XHAL_COPY_DEVICE_TO_PEER = 1u << 6
};
/* Implicit synchronisation of default streams, declared rather than guessed. */
enum {
  XHAL_DEFAULT_STREAM_INDEPENDENT = 0,
  XHAL_DEFAULT_STREAM_LEGACY = 1,
  XHAL_DEFAULT_STREAM_PER_THREAD = 2
};

#define XHAL_PCI_UNKNOWN UINT32_MAX
#define XHAL_NUMA_UNKNOWN (-1)

typedef struct xhal_device_properties {
  uint32_t struct_size;
  uint32_t kind;
  /* Identity. [XHAL-DEVICE-1] [XHAL-DEVICE-3] */
  uint8_t uuid[16];
  uint8_t parent_uuid[16]; /* of the whole device when this is a partition, else zero */
  uint32_t partition;
  uint32_t index;                                         /* among the devices of its driver */
  uint32_t pci_domain, pci_bus, pci_device, pci_function; /* XHAL_PCI_UNKNOWN when there is none */
  int32_t numa_node;                                      /* XHAL_NUMA_UNKNOWN when not known */
  uint32_t emulated;
  char name[128];
  char vendor[64];
  char architecture[64]; /* "sm_90", "gfx90a", "x86-64-v4" */
  /* Size. */
  uint64_t memory_bytes;
  uint64_t memory_granularity; /* mem_info moves in steps of this */
  uint64_t dtype_mask;         /* bit XHAL_DTYPE_x */
  uint32_t unit_count;         /* compute units, multiprocessors, cores */
  uint32_t address_bits;
  uint64_t features[XHAL_FEATURE_WORDS];
  /* Behaviour, declared. */
  int32_t priority_least, priority_greatest; /* smaller is more urgent; equal: priorities absent */
  uint32_t is_synchronous;                   /* every operation is done when its call returns */
  uint32_t fault_scope, fault_recovery;
  uint32_t free_waits;
  uint32_t copy_blocks;
  uint32_t host_function_blocks;
  uint32_t default_stream_kind;
  uint32_t
      event_resolution_ns; /* 0: no timing. Vendors answer in float milliseconds, so the error grows with the time [XHAL-EVENT-10] */
  uint64_t event_wrap_ns; /* elapsed times from here on come out shorter; 0: never wraps */
  /* Limits. */
  uint64_t max_allocation_bytes;
  uint64_t memory_alignment; /* every allocation has at least this */
  uint32_t max_group_items;  /* work-items in one group */
  uint32_t max_group_size[3];
  uint32_t max_group_count[3];
  uint32_t max_local_bytes;          /* local memory of one group */
  uint32_t preferred_group_multiple; /* warp, wavefront, vector width */
  uint32_t max_argument_bytes;
  uint32_t max_arguments;
  uint32_t ipc_handle_bytes; /* 0: no ipc */
} xhal_device_properties_t;

typedef struct xhal_image_format {
  uint32_t struct_size;
  uint32_t reserved;
  char format[32]; /* "native", "spirv", "ptx", "cubin", "hsaco", "opencl-c", "builtin" */
  char target[64]; /* "x86-64-v3", "sm_90", "1.2"; "" when the format needs none. Best first */
} xhal_image_format_t;

typedef struct xhal_memory_info {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t free_bytes;
  uint64_t total_bytes;
} xhal_memory_info_t;

/* The first failure since the last recovery. [XHAL-ERROR-8] [XHAL-ERROR-9] */
typedef struct xhal_fault {
  uint32_t struct_size;
  xhal_result_t code; /* XHAL_SUCCESS: healthy */
  int64_t native_code;
  uint32_t scope;
  uint32_t recovery;
  uint64_t correlation_id; /* of the launch or submission that caused it; 0 when not known */
  uint64_t stream_id;      /* 0 when not known */
  char entry[64];          /* "xhal_kernel_launch"; "" when not known */
  char text[XHAL_ERROR_TEXT_CAPACITY];
} xhal_fault_t;

enum {
  XHAL_LINK_UNKNOWN = 0,
  XHAL_LINK_SELF = 1,
  XHAL_LINK_HOST_MEMORY = 2,
  XHAL_LINK_PCI = 3,
  XHAL_LINK_FABRIC = 4,
  XHAL_LINK_NETWORK = 5
};

typedef struct xhal_link {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t peer_access; /* 1: kernels can reach the peer's memory after enabling */
  uint32_t direct_copy; /* 1: copies do not go through host memory */
  uint32_t native_atomics;
  uint32_t hops;                       /* 0 when not known */
  uint64_t bandwidth_bytes_per_second; /* 0 when not known */
} xhal_link_t;

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

/* Opens no context. [XHAL-INSTANCE-2] */
XHAL_EXPORT xhal_result_t xhal_device_get_properties(xhal_device_t device,
                                                     xhal_device_properties_t* out_properties);
/* 1 or 0; an unknown feature number is 0. [XHAL-DEVICE-4] */
XHAL_EXPORT xhal_result_t xhal_device_has_feature(xhal_device_t device, uint32_t feature,
                                                  uint32_t* out_claimed);
XHAL_EXPORT xhal_result_t xhal_device_get_image_formats(xhal_device_t device, uint32_t capacity,
                                                        uint32_t stride, xhal_image_format_t* out_formats,
                                                        uint32_t* out_count);
/* Whether some call has opened the device's context. Never opens it. */
XHAL_EXPORT xhal_result_t xhal_device_is_active(xhal_device_t device, uint32_t* out_active);
/* Of the device as the driver sees it, all processes together. May open the context. [XHAL-DEVICE-5] */
XHAL_EXPORT xhal_result_t xhal_device_get_memory_info(xhal_device_t device, xhal_memory_info_t* out_info);
XHAL_EXPORT xhal_result_t xhal_device_get_link(xhal_device_t device, xhal_device_t peer,
                                               xhal_link_t* out_link);

/* Waits for all work submitted before on all streams of the device, by any thread. TIMEOUT, or the failure's code. [XHAL-DEVICE-6] */
XHAL_EXPORT xhal_result_t xhal_device_synchronize(xhal_device_t device, uint64_t timeout_ns);
/* Owned by the device, never destroyed by the caller. [XHAL-DEVICE-8] */
XHAL_EXPORT xhal_result_t xhal_device_get_default_stream(xhal_device_t device, xhal_stream_t* out_stream);

XHAL_EXPORT xhal_result_t xhal_device_get_fault(xhal_device_t device, xhal_fault_t* out_fault);
/*
 * Brings a poisoned device back where fault_recovery is RESET: work is dropped (host functions run with CANCELLED or the failure's code),
 * streams, events, modules and memory made before can only be destroyed and freed: other calls refuse them with INVALID_HANDLE or
 * INVALID_POINTER. The default stream goes on, empty. Waits for work that runs. On a healthy device the same.
 * UNSUPPORTED where recovery is not RESET. [XHAL-ERROR-12]
 */
XHAL_EXPORT xhal_result_t xhal_device_reset(xhal_device_t device);

XHAL_END_DECLS

#endif
