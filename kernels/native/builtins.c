/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenCL C built-in functions that the native format supplies, under their mangled names and with the item as first
 * parameter, as every function of a lifted module has it. A kernel that calls another one is refused when the pack is built.
 */
#include "barriers.h"
#include "native_item.h"

#define BUILTIN(name) __asm__(name) __attribute__((always_inline))

/* ---- Work-item functions --------------------------------------------------------------------------------------------- */

#define IN_DIMENSION(values, dimension, outside) \
  ((dimension) == 0   ? (values)[0]              \
   : (dimension) == 1 ? (values)[1]              \
   : (dimension) == 2 ? (values)[2]              \
                      : (outside))

typedef const xhal_native_item* item_pointer;

uint32_t get_work_dim(item_pointer item) BUILTIN("_Z12get_work_dimv");
uint32_t get_work_dim(item_pointer item) {
  (void)item;
  return 3;
}

uint64_t get_global_id(item_pointer item, uint32_t d) BUILTIN("_Z13get_global_idj");
uint64_t get_global_id(item_pointer item, uint32_t d) { return IN_DIMENSION(item->global_id, d, 0); }

uint64_t get_local_id(item_pointer item, uint32_t d) BUILTIN("_Z12get_local_idj");
uint64_t get_local_id(item_pointer item, uint32_t d) {
  return IN_DIMENSION(item->global_id, d, 0) - IN_DIMENSION(item->first_id, d, 0);
}

uint64_t get_local_size(item_pointer item, uint32_t d) BUILTIN("_Z14get_local_sizej");
uint64_t get_local_size(item_pointer item, uint32_t d) { return IN_DIMENSION(item->group_size, d, 1); }

uint64_t get_group_id(item_pointer item, uint32_t d) BUILTIN("_Z12get_group_idj");
uint64_t get_group_id(item_pointer item, uint32_t d) { return IN_DIMENSION(item->group_id, d, 0); }

uint64_t get_num_groups(item_pointer item, uint32_t d) BUILTIN("_Z14get_num_groupsj");
uint64_t get_num_groups(item_pointer item, uint32_t d) { return IN_DIMENSION(item->group_count, d, 1); }

uint64_t get_global_size(item_pointer item, uint32_t d) BUILTIN("_Z15get_global_sizej");
uint64_t get_global_size(item_pointer item, uint32_t d) {
  return get_num_groups(item, d) * get_local_size(item, d);
}

uint64_t get_global_offset(item_pointer item, uint32_t d) BUILTIN("_Z17get_global_offsetj");
uint64_t get_global_offset(item_pointer item, uint32_t d) {
  (void)item;
  (void)d;
  return 0;
}

/* ---- Barriers and fences --------------------------------------------------------------------------------------------- */

void barrier(item_pointer item, uint32_t flags) BUILTIN("_Z7barrierj");
void barrier(item_pointer item, uint32_t flags) {
  (void)item;
  (void)flags;
  xhal_native_coroutine_suspend();
}

#define FENCE(function, symbol, order)                              \
  void function(item_pointer item, uint32_t flags) BUILTIN(symbol); \
  void function(item_pointer item, uint32_t flags) {                \
    (void)item;                                                     \
    (void)flags;                                                    \
    __atomic_thread_fence(order);                                   \
  }
FENCE(mem_fence, "_Z9mem_fencej", __ATOMIC_SEQ_CST)
FENCE(read_mem_fence, "_Z14read_mem_fencej", __ATOMIC_ACQUIRE)
FENCE(write_mem_fence, "_Z15write_mem_fencej", __ATOMIC_RELEASE)

/* ---- 32-bit atomics -------------------------------------------------------------------------------------------------- */

#define UNARY_ATOMIC(function, length, type, space, code, expression) \
  type function##_##space##_##code(item_pointer item, type* p)        \
      BUILTIN("_Z" #length #function "PU" space_##space "V" #code);   \
  type function##_##space##_##code(item_pointer item, type* p) {      \
    (void)item;                                                       \
    return expression;                                                \
  }
#define BINARY_ATOMIC(function, length, type, space, code, expression)    \
  type function##_##space##_##code(item_pointer item, type* p, type v)    \
      BUILTIN("_Z" #length #function "PU" space_##space "V" #code #code); \
  type function##_##space##_##code(item_pointer item, type* p, type v) {  \
    (void)item;                                                           \
    return expression;                                                    \
  }
#define CHOOSING_ATOMIC(function, length, type, space, code, comparison)                      \
  type function##_##space##_##code(item_pointer item, type* p, type v)                        \
      BUILTIN("_Z" #length #function "PU" space_##space "V" #code #code);                     \
  type function##_##space##_##code(item_pointer item, type* p, type v) {                      \
    (void)item;                                                                               \
    type old = __atomic_load_n(p, __ATOMIC_RELAXED);                                          \
    while (v comparison old &&                                                                \
           !__atomic_compare_exchange_n(p, &old, v, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) { \
    }                                                                                         \
    return old;                                                                               \
  }
#define EXCHANGING_ATOMIC(function, length, type, space, code)                           \
  type function##_##space##_##code(item_pointer item, type* p, type expected, type v)    \
      BUILTIN("_Z" #length #function "PU" space_##space "V" #code #code #code);          \
  type function##_##space##_##code(item_pointer item, type* p, type expected, type v) {  \
    (void)item;                                                                          \
    __atomic_compare_exchange_n(p, &expected, v, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED); \
    return expected;                                                                     \
  }
#define ATOMICS(type, space, code)                                                               \
  BINARY_ATOMIC(atomic_add, 10, type, space, code, __atomic_fetch_add(p, v, __ATOMIC_RELAXED))   \
  BINARY_ATOMIC(atomic_sub, 10, type, space, code, __atomic_fetch_sub(p, v, __ATOMIC_RELAXED))   \
  BINARY_ATOMIC(atomic_xchg, 11, type, space, code, __atomic_exchange_n(p, v, __ATOMIC_RELAXED)) \
  BINARY_ATOMIC(atomic_and, 10, type, space, code, __atomic_fetch_and(p, v, __ATOMIC_RELAXED))   \
  BINARY_ATOMIC(atomic_or, 9, type, space, code, __atomic_fetch_or(p, v, __ATOMIC_RELAXED))      \
  BINARY_ATOMIC(atomic_xor, 10, type, space, code, __atomic_fetch_xor(p, v, __ATOMIC_RELAXED))   \
  UNARY_ATOMIC(atomic_inc, 10, type, space, code, __atomic_fetch_add(p, 1, __ATOMIC_RELAXED))    \
  UNARY_ATOMIC(atomic_dec, 10, type, space, code, __atomic_fetch_sub(p, 1, __ATOMIC_RELAXED))    \
  CHOOSING_ATOMIC(atomic_min, 10, type, space, code, <)                                          \
  CHOOSING_ATOMIC(atomic_max, 10, type, space, code, >)                                          \
  EXCHANGING_ATOMIC(atomic_cmpxchg, 14, type, space, code)
#define space_global "8CLglobal"
#define space_local "7CLlocal"
ATOMICS(int32_t, global, i)
ATOMICS(uint32_t, global, j)
ATOMICS(int32_t, local, i)
ATOMICS(uint32_t, local, j)

/* ---- 64-bit atomics: cl_khr_int64_base_atomics and cl_khr_int64_extended_atomics ------------------------------------------ */

#define LONG_ATOMICS(type, space, code)                                                       \
  BINARY_ATOMIC(atom_add, 8, type, space, code, __atomic_fetch_add(p, v, __ATOMIC_RELAXED))   \
  BINARY_ATOMIC(atom_sub, 8, type, space, code, __atomic_fetch_sub(p, v, __ATOMIC_RELAXED))   \
  BINARY_ATOMIC(atom_xchg, 9, type, space, code, __atomic_exchange_n(p, v, __ATOMIC_RELAXED)) \
  BINARY_ATOMIC(atom_and, 8, type, space, code, __atomic_fetch_and(p, v, __ATOMIC_RELAXED))   \
  BINARY_ATOMIC(atom_or, 7, type, space, code, __atomic_fetch_or(p, v, __ATOMIC_RELAXED))     \
  BINARY_ATOMIC(atom_xor, 8, type, space, code, __atomic_fetch_xor(p, v, __ATOMIC_RELAXED))   \
  UNARY_ATOMIC(atom_inc, 8, type, space, code, __atomic_fetch_add(p, 1, __ATOMIC_RELAXED))    \
  UNARY_ATOMIC(atom_dec, 8, type, space, code, __atomic_fetch_sub(p, 1, __ATOMIC_RELAXED))    \
  CHOOSING_ATOMIC(atom_min, 8, type, space, code, <)                                          \
  CHOOSING_ATOMIC(atom_max, 8, type, space, code, >)                                          \
  EXCHANGING_ATOMIC(atom_cmpxchg, 12, type, space, code)
LONG_ATOMICS(int64_t, global, l)
LONG_ATOMICS(uint64_t, global, m)
LONG_ATOMICS(int64_t, local, l)
LONG_ATOMICS(uint64_t, local, m)

/* ---- What xhal_kernel.h asks for ------------------------------------------------------------------------------------- */

#define EXTENSION __attribute__((always_inline))

EXTENSION void* xhal_native_resolve(item_pointer item, uint64_t word) {
  return xhal_native_item_resolve(item, word);
}

/* What `lift` puts in the place of a variable declared `local`. */
EXTENSION void* xhal_native_local_variable(item_pointer item, uint64_t offset) {
  return item->static_local + offset;
}

/* And in the place of a global variable of the program. The table is the module's, as is the memory. */
EXTENSION void* xhal_native_global_variable(item_pointer item, const uint32_t* index) {
  return xhal_native_item_resolve(item, item->globals[*index]);
}

EXTENSION uint32_t xhal_native_load_acquire_u32(item_pointer item, const uint32_t* word) {
  (void)item;
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

EXTENSION void xhal_native_store_release_u32(item_pointer item, uint32_t* word, uint32_t value) {
  (void)item;
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

EXTENSION uint32_t xhal_native_abandoned(item_pointer item) {
  return item->frame->relax(item->frame->relax_context);
}

EXTENSION void xhal_native_trap(item_pointer item) { item->frame->trapped = 1; }

/* The steps of a group. */
EXTENSION void xhal_native_first_item(xhal_native_item* item, uint32_t d) {
  item->global_id[d] = item->first_id[d];
}

EXTENSION void xhal_native_next_item(xhal_native_item* item, uint32_t d) { ++item->global_id[d]; }

EXTENSION void xhal_native_leave_items(xhal_native_item* item) { xhal_native_outside_of_steps(item); }

/* All items of a step are done before the next one starts: that the kernel calls this tells `wrap` that they wait for each other. */
EXTENSION void xhal_native_group_barrier(item_pointer item) { (void)item; }

/* ---- Mathematical functions ------------------------------------------------------------------------------------------- */

#include "native_math.h"
