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
  uint64_t minimum; /* sizes and offsets are multiples of it */
  uint64_t recommended;
} xhal_vmm_granularity_t;

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

/* Powers of two, recommended a multiple of minimum. [XHAL-VMM-1] */
XHAL_EXPORT xhal_result_t xhal_vmm_get_granularity(xhal_device_t device,
                                                   xhal_vmm_granularity_t* out_granularity);
/* Takes no device memory. [XHAL-VMM-2] hint may be null and need not be followed [XHAL-VMM-9]; alignment 0: the granularity. INVALID_ARGUMENT. */
XHAL_EXPORT xhal_result_t xhal_vmm_reserve(xhal_device_t device, uint64_t size, uint64_t alignment,
                                           void* hint, void** out_pointer);
/* BUSY while anything in the range is mapped, INVALID_POINTER for what was not reserved so. [XHAL-VMM-6] */
XHAL_EXPORT xhal_result_t xhal_vmm_release(xhal_device_t device, void* pointer, uint64_t size);
/* flags: none defined. Errors: OUT_OF_DEVICE_MEMORY [XHAL-VMM-8]; INVALID_ARGUMENT (size). [XHAL-VMM-1] */
XHAL_EXPORT xhal_result_t xhal_physical_create(xhal_device_t device, uint64_t size, uint32_t flags,
                                               xhal_physical_t* out_physical);
/* The memory lives on while it is mapped. [XHAL-VMM-7] */
XHAL_EXPORT xhal_result_t xhal_physical_destroy(xhal_physical_t physical);
/*
 * No access until xhal_vmm_set_access. [XHAL-VMM-3] device is the one that reserved the range. One physical memory may be mapped twice
 * [XHAL-VMM-4], adjacent mappings work as one. [XHAL-VMM-5] ALREADY_DONE over something mapped, INVALID_POINTER. [XHAL-VMM-6]
 */
XHAL_EXPORT xhal_result_t xhal_vmm_map(xhal_device_t device, void* pointer, uint64_t size,
                                       xhal_physical_t physical, uint64_t offset);
/* The caller orders it behind work that uses the range. Only what was mapped, as a whole, else INVALID_POINTER. [XHAL-VMM-6] */
XHAL_EXPORT xhal_result_t xhal_vmm_unmap(xhal_device_t device, void* pointer, uint64_t size);
/*
 * Access of `accessor`'s kernels and copies to a mapped range: XHAL_ACCESS_NONE, READ or READ_WRITE. [XHAL-VMM-3] UNSUPPORTED for another
 * device than the memory's where the vendor has one access for all.
 */
XHAL_EXPORT xhal_result_t xhal_vmm_set_access(xhal_device_t device, void* pointer, uint64_t size,
                                              xhal_device_t accessor, uint32_t access);

XHAL_END_DECLS

#endif
