/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native kernel image: what an ELF shared object of compiled kernels exports to the simulator.
 *
 * An image is code and runs with the rights of the process that loads it. It exports one symbol, XHAL_NATIVE_IMAGE_SYMBOL, a
 * const xhal_native_image. A kernel is entered for a row of work-groups, neighbours in dimension 0; inside, the image itself loops over
 * the groups and their work-items, so that kernels without barriers vectorise across work-items, and those that cannot tell one
 * group from the next across groups. How items wait at a barrier is the image's matter: the driver sees one call on one thread's stack.
 *
 * The number in the symbol's name is the interface's version. A driver of version 3 loads images of version 2, too, which have no global
 * variables: their xhal_native_image ends before `globals`, and their kernels know a frame that ends before `globals`. Others are refused.
 *
 * Pointer resolution. Device addresses are not backed in the host's view; the bytes of device address p lie at
 * p + backing_distance when p - window_base < window_size (unsigned), every other pointer is a host pointer and is used
 * unchanged. An image resolves a pointer once where it enters the kernel: as an argument, as a global variable, or loaded from memory.
 *
 * Global variables are memory of the device: each load of an image has its own, which the driver allocates, gives the initial values that
 * the image tells, and names to the kernels by the frame. The image itself has no state that can be written.
 */
#ifndef XHAL_NATIVE_IMAGE_H_
#define XHAL_NATIVE_IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XHAL_NATIVE_IMAGE_SYMBOL_STEM "xhal_native_image_v"
#define XHAL_NATIVE_IMAGE_SYMBOL XHAL_NATIVE_IMAGE_SYMBOL_STEM "3"
#define XHAL_NATIVE_IMAGE_MAGIC UINT64_C(0x334754414e4c4858) /* "XHLNATG3" read as little endian */
#define XHAL_NATIVE_IMAGE_SYMBOL_2 XHAL_NATIVE_IMAGE_SYMBOL_STEM "2"
#define XHAL_NATIVE_IMAGE_MAGIC_2 UINT64_C(0x324754414e4c4858)

enum {
  XHAL_NATIVE_PARAM_VALUE = 0,  /* size bytes, copied */
  XHAL_NATIVE_PARAM_GLOBAL = 1, /* a pointer to memory; size 8 */
  XHAL_NATIVE_PARAM_LOCAL = 2   /* local memory of a size given at launch; size 0 here */
};

/* Bits of xhal_native_param.access, for GLOBAL. */
enum { XHAL_NATIVE_ACCESS_READ = 1, XHAL_NATIVE_ACCESS_WRITE = 2 };

enum { XHAL_NATIVE_MAX_ROW_GROUPS = 32768 };

typedef struct xhal_native_param {
  const char* name;
  uint32_t kind;
  uint32_t access;
  uint32_t size;
  uint32_t alignment;
} xhal_native_param;

/* What a call for a row of work-groups sees. Filled by the driver; the image only reads it, but for `trapped` and group_id[0]. */
typedef struct xhal_native_frame {
  uint64_t window_base;
  uint64_t window_size;
  uint64_t backing_distance;
  uint32_t group_id[3]; /* the row's first group; of a group that trapped once the call has returned */
  uint32_t group_count[3];
  uint32_t group_size[3];
  uint32_t
      row_groups; /* groups to run, from group_id[0] on in dimension 0: 1 to XHAL_NATIVE_MAX_ROW_GROUPS, none beyond group_count[0] */
  uint32_t
      trapped; /* the kernel sets it to 1 to raise an asynchronous failure: the image leaves the row, the driver the launch */
  uint32_t reserved;
  /* One pointer a parameter: VALUE: to its bytes; GLOBAL: to an 8-byte word that holds the unresolved pointer; LOCAL: to the
   * local memory itself, 128-byte aligned; the groups of a row use it one after the other. */
  const void* const* arguments;
  /* Called by a kernel that spins on memory, so that the driver can yield the processor. Returns non-zero when the launch has been
   * abandoned (device reset, teardown): the kernel must then return. */
  uint32_t (*relax)(void* relax_context);
  void* relax_context;
  /* A place where the image may keep memory of the calling worker between groups: declared local memory, items that wait at a barrier.
   * *scratch is null at first; an image that sets it sets *scratch_free, too. The driver calls (*scratch_free)(*scratch) once, before
   * the worker runs another image, ends, or the image is unloaded. */
  void** scratch;
  void (**scratch_free)(void*);
  /* The address of each global variable, unresolved, in the order of the image's table. */
  const uint64_t* globals;
} xhal_native_frame;

typedef struct xhal_native_kernel {
  const char* name;
  void (*run_groups)(xhal_native_frame* frame);
  const xhal_native_param* params;
  uint32_t param_count;
  uint32_t max_group_size; /* of all dimensions together */
  /* Local memory declared inside the kernel: where its last variable ends, and so with the padding that aligns the variables. */
  uint32_t static_local_bytes;
  uint32_t uses_barrier; /* whether items of a group wait for each other */
} xhal_native_kernel;

typedef struct xhal_native_global {
  const char* name;
  uint64_t size; /* not 0 */
  uint64_t alignment;
  const void* initial; /* size bytes; null: zeros */
} xhal_native_global;

typedef struct xhal_native_image {
  uint64_t magic;
  uint32_t struct_size;        /* sizeof(xhal_native_image) */
  uint32_t kernel_struct_size; /* sizeof(xhal_native_kernel): stride of kernels */
  const char* target;          /* "x86-64-v2", "x86-64-v3", "x86-64-v4" */
  const xhal_native_kernel* kernels;
  uint32_t kernel_count;
  uint32_t global_count;                    /* 0 in version 2 */
  const xhal_native_global* const* globals; /* a pointer to each; not in version 2 */
} xhal_native_image;

#ifdef __cplusplus
}
#endif

#endif
