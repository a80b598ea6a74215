// SPDX-License-Identifier: Apache-2.0
// What a kernel source may need beyond OpenCL C 1.2, so that one text serves every image format. Each macro has
// an answer for formats that lack the thing; XHAL_FORMAT_NATIVE is set by the recipe of the native format.
#ifndef XHAL_KERNEL_H_
#define XHAL_KERNEL_H_

// Position of the item in the whole launch, of its group in the launch, and of the item in its group: x fastest.
static inline size_t xhal_global_index(void) {
  return get_global_id(0) + get_global_size(0) * (get_global_id(1) + get_global_size(1) * get_global_id(2));
}
static inline size_t xhal_group_index(void) {
  return get_group_id(0) + get_num_groups(0) * (get_group_id(1) + get_num_groups(1) * get_group_id(2));
}
static inline size_t xhal_local_index(void) {
  return get_local_id(0) + get_local_size(0) * (get_local_id(1) + get_local_size(1) * get_local_id(2));
}
static inline size_t xhal_group_items(void) {
  return get_local_size(0) * get_local_size(1) * get_local_size(2);
}

#ifdef XHAL_FORMAT_NATIVE

global void* xhal_native_resolve(ulong word);
uint xhal_native_load_acquire_u32(global const uint* word);
void xhal_native_store_release_u32(global uint* word, uint value);
uint xhal_native_abandoned(void);
void xhal_native_trap(void);

// A word found in memory, as a pointer that this kernel may follow.
#define XHAL_POINTER(type, word) ((type)xhal_native_resolve(word))
// Access to a word that the host reads or writes while the kernel runs.
#define XHAL_LOAD_ACQUIRE_U32(pointer) xhal_native_load_acquire_u32(pointer)
#define XHAL_STORE_RELEASE_U32(pointer, value) xhal_native_store_release_u32(pointer, value)
// Asked by a kernel that spins: lets the processor go, and is not 0 once the launch was given up.
#define XHAL_ABANDONED() xhal_native_abandoned()
// Raises an asynchronous device failure.
#define XHAL_TRAP() xhal_native_trap()

#else

#define XHAL_POINTER(type, word) ((type)(word))
#define XHAL_LOAD_ACQUIRE_U32(pointer) xhal_load_volatile_u32(pointer)
#define XHAL_STORE_RELEASE_U32(pointer, value) xhal_store_volatile_u32(pointer, value)
#define XHAL_ABANDONED() 0

static inline uint xhal_load_volatile_u32(global const uint* word) {
  const uint value = *(volatile global const uint*)word;
  mem_fence(CLK_GLOBAL_MEM_FENCE);
  return value;
}
static inline void xhal_store_volatile_u32(global uint* word, uint value) {
  mem_fence(CLK_GLOBAL_MEM_FENCE);
  *(volatile global uint*)word = value;
}

#if defined(__NVPTX__) || defined(__AMDGCN__)
#define XHAL_TRAP() __builtin_trap()
#else
// OpenCL C knows no trap; a write to the first page is the nearest thing to one.
#define XHAL_TRAP() (*(volatile global uint*)(size_t)16 = 0)
#endif

#endif

#endif
