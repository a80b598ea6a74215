/* SPDX-License-Identifier: Apache-2.0 */
/* xhal/vmm.h - virtual memory: reserve addresses, create physical memory, map it, set access (feature vmm). */
#ifndef XHAL_VMM_H_
#define XHAL_VMM_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

typedef struct xhal_vmm_granularity {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t minimum;     /* sizes and offsets are multiples of it */
  uint64_t recommended;
} xhal_vmm_granularity_t;

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

XHAL_EXPORT xhal_result_t xhal_vmm_get_granularity(xhal_device_t device, xhal_vmm_granularity_t* out_granularity);
/* hint may be null and need not be followed. alignment 0: the granularity. */
XHAL_EXPORT xhal_result_t xhal_vmm_reserve(xhal_device_t device, uint64_t size, uint64_t alignment, void* hint, void** out_pointer);
/* BUSY while anything in the range is mapped. */
XHAL_EXPORT xhal_result_t xhal_vmm_release(xhal_device_t device, void* pointer, uint64_t size);
XHAL_EXPORT xhal_result_t xhal_physical_create(xhal_device_t device, uint64_t size, uint32_t flags, xhal_physical_t* out_physical);
/* The memory lives on while it is mapped. */
XHAL_EXPORT xhal_result_t xhal_physical_destroy(xhal_physical_t physical);
/* No access until xhal_vmm_set_access. device is the one that reserved the range. */
XHAL_EXPORT xhal_result_t xhal_vmm_map(xhal_device_t device, void* pointer, uint64_t size, xhal_physical_t physical, uint64_t offset);
/* The caller orders it behind work that uses the range. */
XHAL_EXPORT xhal_result_t xhal_vmm_unmap(xhal_device_t device, void* pointer, uint64_t size);
/* Access of `accessor`'s kernels and copies to a mapped range: XHAL_ACCESS_NONE, READ or READ_WRITE. */
XHAL_EXPORT xhal_result_t xhal_vmm_set_access(xhal_device_t device, void* pointer, uint64_t size, xhal_device_t accessor,
                                              uint32_t access);

XHAL_END_DECLS

#endif
