/* SPDX-License-Identifier: Apache-2.0 */
/* A native image by hand: small kernels that show what the driver hands to one. No compiler of kernels is needed for it. */
#include <stdlib.h>
#include <string.h>

#include "native_image.h"

#ifndef TEST_TARGET
#define TEST_TARGET "x86-64-v2"
#endif

static void* resolve(const xhal_native_frame* frame, uint64_t pointer) {
  return (void*)(pointer + (pointer - frame->window_base < frame->window_size ? frame->backing_distance : 0));
}

static void* global_argument(const xhal_native_frame* frame, int index) {
  uint64_t pointer = 0;
  memcpy(&pointer, frame->arguments[index], sizeof(pointer));
  return resolve(frame, pointer);
}

static uint64_t value_u64(const xhal_native_frame* frame, int index) {
  uint64_t value = 0;
  memcpy(&value, frame->arguments[index], sizeof(value));
  return value;
}

static uint32_t value_u32(const xhal_native_frame* frame, int index) {
  uint32_t value = 0;
  memcpy(&value, frame->arguments[index], sizeof(value));
  return value;
}

static uint64_t group_items(const xhal_native_frame* frame) {
  return (uint64_t)frame->group_size[0] * frame->group_size[1] * frame->group_size[2];
}

static uint64_t group_number(const xhal_native_frame* frame) {
  return frame->group_id[0] +
         frame->group_count[0] * (frame->group_id[1] + (uint64_t)frame->group_count[1] * frame->group_id[2]);
}

/* Nothing. */
static void run_empty(xhal_native_frame* frame) { (void)frame; }

/* dst[i] = value for each item i below n. */
static void run_fill(xhal_native_frame* frame) {
  uint32_t* dst = global_argument(frame, 0);
  const uint64_t n = value_u64(frame, 2);
  const uint64_t items = group_items(frame);
  for (uint64_t i = group_number(frame) * items; i < (group_number(frame) + 1) * items && i < n; ++i)
    dst[i] = value_u32(frame, 1);
}

/* cells[0] = cells[0] * 31 + op: the result tells the order. */
static void run_fold(xhal_native_frame* frame) {
  uint64_t* cells = global_argument(frame, 0);
  cells[0] = cells[0] * 31 + value_u64(frame, 1);
}

/* Says that it was entered, spins until *flag >= open. */
static void run_gate(xhal_native_frame* frame) {
  uint32_t* flag = global_argument(frame, 0);
  uint32_t* entered = global_argument(frame, 2);
  __atomic_store_n(entered, 1u, __ATOMIC_RELEASE);
  while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) < value_u32(frame, 1)) {
    if (frame->relax(frame->relax_context) != 0) return;
  }
}

/* Traps in the group whose number is given. */
static void run_trap(xhal_native_frame* frame) {
  if (group_number(frame) == value_u64(frame, 0)) frame->trapped = 1;
}

/* Follows `steps` pointers from head, writes the word behind the last. */
static void run_chase(xhal_native_frame* frame) {
  uint64_t* out = global_argument(frame, 0);
  const uint64_t* node = global_argument(frame, 1);
  for (uint32_t i = 0; i < value_u32(frame, 2); ++i) node = resolve(frame, node[0]);
  out[0] = node[1];
}

/* out[group] = 1 when both local blocks are aligned, apart and hold the bytes written. */
static void run_locals(xhal_native_frame* frame) {
  uint32_t* out = global_argument(frame, 0);
  unsigned char* a = (unsigned char*)frame->arguments[1];
  unsigned char* b = (unsigned char*)frame->arguments[2];
  const uint32_t a_size = value_u32(frame, 3);
  const uint32_t b_size = value_u32(frame, 4);
  const int aligned = (uint64_t)a % 128 == 0 && (uint64_t)b % 128 == 0;
  const int apart = a + a_size <= b || b + b_size <= a;
  memset(a, 0x11, a_size);
  memset(b, 0x22, b_size);
  int kept = 1;
  for (uint32_t i = 0; i < a_size; ++i) kept = kept && a[i] == 0x11;
  out[group_number(frame)] = (uint32_t)(aligned && apart && kept);
}

struct wide {
  unsigned char bytes[256];
};

/* Copies its arguments out: small, odd and wide values, and an aligned one. */
static void run_values(xhal_native_frame* frame) {
  unsigned char* out = global_argument(frame, 0);
  memcpy(out, frame->arguments[1], 1);
  memcpy(out + 1, frame->arguments[2], 2);
  memcpy(out + 8, frame->arguments[3], sizeof(struct wide));
  out[3] = (uint64_t)frame->arguments[3] % 64 == 0;
}

/* out[0] = number of groups that the same scratch has served; out[1] counts the scratches that were freed. */
struct scratch {
  uint64_t groups;
  uint64_t* freed;
};
static uint32_t scratches_alive;
static void free_scratch(void* scratch) {
  __atomic_fetch_add(((struct scratch*)scratch)->freed, UINT64_C(1), __ATOMIC_RELEASE);
  free(scratch);
  __atomic_fetch_sub(&scratches_alive, 1u, __ATOMIC_RELAXED);
}
static void run_scratch(xhal_native_frame* frame) {
  uint64_t* out = global_argument(frame, 0);
  struct scratch* scratch = *frame->scratch;
  if (scratch == NULL) {
    scratch = calloc(1, sizeof(*scratch));
    if (scratch == NULL) abort();
    scratch->freed = out + 1;
    *frame->scratch = scratch;
    *frame->scratch_free = free_scratch;
    __atomic_fetch_add(&scratches_alive, 1u, __ATOMIC_RELAXED);
  }
  __atomic_store_n(&out[0], ++scratch->groups, __ATOMIC_RELAXED);
}
/* An image that is unloaded with scratch of its own left has lost memory, and free_scratch is gone. */
__attribute__((destructor)) static void unloaded(void) {
  if (__atomic_load_n(&scratches_alive, __ATOMIC_RELAXED) != 0) abort();
}

/*
 * Comes in words[0] and spins until `count` groups have come; words[1] counts those whose local memory was another one's meanwhile.
 * Without `asks` nobody is told that it spins. Group `fails` traps and does not come.
 */
static void run_meet(xhal_native_frame* frame) {
  uint32_t* words = global_argument(frame, 0);
  volatile uint64_t* local = (volatile uint64_t*)frame->arguments[4];
  if (group_number(frame) == value_u32(frame, 3)) {
    frame->trapped = 1;
    return;
  }
  *local = group_number(frame);
  __atomic_fetch_add(&words[0], 1u, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(&words[0], __ATOMIC_ACQUIRE) < value_u32(frame, 1)) {
    if (value_u32(frame, 2) != 0 && frame->relax(frame->relax_context) != 0) return;
  }
  if (*local != group_number(frame)) __atomic_fetch_add(&words[1], 1u, __ATOMIC_RELAXED);
}

/* Adds to each of the first global's words, and counts the group in the second; *out = what that was. */
static void run_bump(xhal_native_frame* frame) {
  uint64_t* sums = resolve(frame, frame->globals[0]);
  uint32_t* count = resolve(frame, frame->globals[1]);
  uint32_t* out = global_argument(frame, 0);
  for (int i = 0; i < 4; ++i) sums[i] += value_u64(frame, 1);
  *out = (*count)++;
}

/* Each of the functions above runs one group; the driver asks for a row of them. */
static void run_row(xhal_native_frame* frame, void (*run_group)(xhal_native_frame*)) {
  for (uint32_t left = frame->row_groups; left > 0; --left) {
    run_group(frame);
    if (frame->trapped != 0) return;
    ++frame->group_id[0];
  }
}
#define ROW(kernel) \
  static void rows_of_##kernel(xhal_native_frame* frame) { run_row(frame, run_##kernel); }
ROW(empty)
ROW(fill)
ROW(fold)
ROW(gate)
ROW(trap)
ROW(chase)
ROW(locals)
ROW(values)
ROW(scratch)
ROW(meet)
ROW(bump)

/* A table in C: short names, and plain ones for constants. NOLINTBEGIN(readability-identifier-naming) */
enum { VALUE = XHAL_NATIVE_PARAM_VALUE, GLOBAL = XHAL_NATIVE_PARAM_GLOBAL, LOCAL = XHAL_NATIVE_PARAM_LOCAL };
enum { R = XHAL_NATIVE_ACCESS_READ, W = XHAL_NATIVE_ACCESS_WRITE };

static const xhal_native_param fill_params[] = {
    {"dst", GLOBAL, W, 8, 8}, {"value", VALUE, 0, 4, 4}, {"n", VALUE, 0, 8, 8}};
static const xhal_native_param fold_params[] = {{"cells", GLOBAL, R | W, 8, 8}, {"op", VALUE, 0, 8, 8}};
static const xhal_native_param gate_params[] = {
    {"flag", GLOBAL, R, 8, 8}, {"open", VALUE, 0, 4, 4}, {"entered", GLOBAL, W, 8, 8}};
static const xhal_native_param trap_params[] = {{"group", VALUE, 0, 8, 8}};
static const xhal_native_param chase_params[] = {
    {"out", GLOBAL, W, 8, 8}, {"head", GLOBAL, R, 8, 8}, {"steps", VALUE, 0, 4, 4}};
static const xhal_native_param locals_params[] = {{"out", GLOBAL, W, 8, 8},
                                                  {"a", LOCAL, 0, 0, 1},
                                                  {"b", LOCAL, 0, 0, 1},
                                                  {"a_size", VALUE, 0, 4, 4},
                                                  {"b_size", VALUE, 0, 4, 4}};
static const xhal_native_param values_params[] = {{"out", GLOBAL, W, 8, 8},
                                                  {"one", VALUE, 0, 1, 1},
                                                  {"two", VALUE, 0, 2, 2},
                                                  {"wide", VALUE, 0, sizeof(struct wide), 64}};
static const xhal_native_param scratch_params[] = {{"out", GLOBAL, W, 8, 8}};

static const xhal_native_param meet_params[] = {{"words", GLOBAL, R | W, 8, 8},
                                                {"count", VALUE, 0, 4, 4},
                                                {"asks", VALUE, 0, 4, 4},
                                                {"fails", VALUE, 0, 4, 4},
                                                {"local", LOCAL, 0, 0, 1}};
static const xhal_native_param bump_params[] = {{"out", GLOBAL, W, 8, 8}, {"add", VALUE, 0, 8, 8}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
static const xhal_native_kernel kernels[] = {
    {"empty", rows_of_empty, 0, 0, 1024, 0, 0},
    {"fill", rows_of_fill, fill_params, COUNT(fill_params), 1024, 0, 0},
    {"fold", rows_of_fold, fold_params, COUNT(fold_params), 1, 0, 0},
    {"gate", rows_of_gate, gate_params, COUNT(gate_params), 1024, 0, 0},
    {"trap", rows_of_trap, trap_params, COUNT(trap_params), 64, 0, 0},
    {"chase", rows_of_chase, chase_params, COUNT(chase_params), 1024, 0, 0},
    {"locals", rows_of_locals, locals_params, COUNT(locals_params), 1024, 512, 0},
    {"values", rows_of_values, values_params, COUNT(values_params), 1024, 0, 0},
    {"scratch", rows_of_scratch, scratch_params, COUNT(scratch_params), 1024, 0, 0},
    {"meet", rows_of_meet, meet_params, COUNT(meet_params), 1024, 0, 0},
    {"bump", rows_of_bump, bump_params, COUNT(bump_params), 1024, 0, 0},
};

static const uint64_t first_sums[4] = {5, 6, 7, UINT64_C(1) << 40};
static const xhal_native_global sums = {"sums", sizeof(first_sums), 8, first_sums};
static const xhal_native_global group_count = {"count", 4, 4096, 0};
static const xhal_native_global* const globals[] = {&sums, &group_count};
/* NOLINTEND(readability-identifier-naming) */

#if defined(TEST_NO_SYMBOL)
__attribute__((visibility("default"))) const int xhal_something_else = 1;
const xhal_native_kernel* xhal_unused_kernels(void) { return kernels; }
const xhal_native_global* xhal_unused_global(void) { return globals[0]; }
#else
#if defined(TEST_FORMER_VERSION)
#define IMAGE xhal_native_image_v1
#elif defined(TEST_VERSION_2)
#define IMAGE xhal_native_image_v2
#else
#define IMAGE xhal_native_image_v3
#endif
__attribute__((visibility("default"))) extern const xhal_native_image IMAGE;
const xhal_native_image IMAGE = {
#if defined(TEST_BAD_MAGIC)
    42,
#elif defined(TEST_VERSION_2)
    XHAL_NATIVE_IMAGE_MAGIC_2,
#else
    XHAL_NATIVE_IMAGE_MAGIC,
#endif
#if defined(TEST_VERSION_2)
    /* The interface's next version put other things behind this. */
    offsetof(xhal_native_image, globals),
#else
    sizeof(xhal_native_image),
#endif
    sizeof(xhal_native_kernel), TEST_TARGET, kernels, COUNT(kernels), COUNT(globals), globals};
#endif
