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

// A kernel whose items wait for each other can be written as steps of the whole group:
//
//   XHAL_PRIVATE(float, sum);                        // what each item keeps from step to step
//   XHAL_EACH_ITEM { XHAL_OWN(sum) = ...; }          // a step: each item of the group runs the block
//   XHAL_GROUP_BARRIER();                            // all items have done what stands above
//   XHAL_FIRST_ITEMS(count) { ... }                  // a step of the items whose xhal_local_index() is below count
//
// What stands outside of the steps is the same for all items of the group. It may branch and loop, but must not ask for an id of
// an item, write to memory of the kernel's arguments, or call barrier(). A step must not be left by return, break or continue, hold
// another one, or change a variable from outside of it, but for those of XHAL_PRIVATE. Between two steps without a barrier no item
// may need what another one did. A format that has no threads of the items makes a loop of each step; plain barrier(), which may
// stand anywhere, costs it far more.
//
// XHAL_PLAIN_BARRIERS asks the native format, too, for what other formats make of this: a test of both.

#if defined(XHAL_FORMAT_NATIVE) && !defined(XHAL_PLAIN_BARRIERS)

void xhal_native_first_item(uint dimension);
void xhal_native_next_item(uint dimension);
void xhal_native_leave_items(void);
void xhal_native_group_barrier(void);

// How many of the next `left` items lie in one line of the group.
static inline size_t xhal_native_line(size_t left) {
  return left < get_local_size(0) ? left : get_local_size(0);
}

// A constant only outside of steps, each of which has a variable of this name. The constants that are made of it need no _Static_assert.
enum { xhal_in_step = 0 };

// One call of the kernel is the whole group: a step is a loop over its items, line after line in dimension 0, and a barrier nothing.
#define XHAL_FIRST_ITEMS(count)                                                                           \
  for (size_t xhal_left = (count) + 0 * sizeof(enum {xhal_step_stands_in_no_step = xhal_in_step}),        \
              xhal_in_step = 1;                                                                           \
       xhal_in_step; xhal_native_leave_items(), xhal_in_step = 0)                                         \
    for (uint xhal_z = (xhal_native_first_item(2), 0); xhal_z < (uint)get_local_size(2);                  \
         ++xhal_z, xhal_native_next_item(2))                                                              \
      for (uint xhal_y = (xhal_native_first_item(1), 0); xhal_y < (uint)get_local_size(1);                \
           ++xhal_y, xhal_native_next_item(1), xhal_left -= xhal_native_line(xhal_left))                  \
        for (uint xhal_x = (xhal_native_first_item(0), 0), xhal_line = (uint)xhal_native_line(xhal_left); \
             xhal_x < xhal_line; ++xhal_x, xhal_native_next_item(0))
#define XHAL_EACH_ITEM XHAL_FIRST_ITEMS(~(size_t)0)
#define XHAL_GROUP_BARRIER()                                \
  do {                                                      \
    enum { xhal_barrier_stands_in_no_step = xhal_in_step }; \
    xhal_native_group_barrier();                            \
  } while (0)
// An element for each item of the largest group.
#define XHAL_PRIVATE(type, name) type name[1024]
#define XHAL_OWN(name) (name)[xhal_local_index()]

#else

#define XHAL_EACH_ITEM
#define XHAL_FIRST_ITEMS(count) if (xhal_local_index() < (count))
#define XHAL_GROUP_BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define XHAL_PRIVATE(type, name) type name
#define XHAL_OWN(name) (name)

#endif

#endif
