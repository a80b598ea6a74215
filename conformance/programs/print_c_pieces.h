// SPDX-License-Identifier: Apache-2.0
// The fixed parts of a printed program, each needed by some. C11, in C's style. Those with Xhal in their names call libxhal.
#pragma once

namespace xhal::programs::pieces {

inline constexpr const char* kHead = R"c(#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
)c";

inline constexpr const char* kShared = R"c(static void too_late(int signal_number) {
  (void)signal_number;
  static const char text[] = "the program hangs\n";
  if (write(1, text, sizeof(text) - 1) < 0) _exit(1);
  _exit(1);
}

/* What memory holds at first, and what the host writes. */
static void data(uint64_t value, void* to, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes; at += 8) {
    uint64_t z = value + (at / 8 + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z ^= z >> 29;
    memcpy((unsigned char*)to + at, &z, bytes - at < 8 ? bytes - at : 8);
  }
}

/* A wrong order may show only now and then. */
#ifndef TURNS
#define TURNS 100
#endif
static int differences;
static void compare(const char* name, const unsigned char* got, const unsigned char* expected, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; ++i) {
    if (got[i] == expected[i]) continue;
    printf("%s+%u: expected %02x, got %02x\n", name, i, expected[i], got[i]);
    ++differences;
    break;
  }
}

)c";

inline constexpr const char* kXhal = R"c(#define PATIENCE UINT64_C(10000000000)

static xhal_instance_t instance;
static xhal_device_t d[16];
static xhal_stream_t service[16]; /* for what is no part of the program */

static void check(const char* call, int line, xhal_result_t result) {
  xhal_error_t error = {.struct_size = sizeof(error)};
  if (result == XHAL_SUCCESS) return;
  if (result < 0) xhal_error_get_last(&error);
  printf("line %d: %s\n  %s %s\n", line, call, xhal_result_name(result), error.text);
  fflush(stdout);
  _exit(1);
}
#define CHECK(call) check(#call, __LINE__, (call))

static void* allocate(int device, uint32_t kind, uint32_t bytes) {
  const xhal_memory_desc_t desc = {.struct_size = sizeof(desc), .kind = kind, .size = bytes};
  void* pointer = NULL;
  CHECK(xhal_memory_allocate(d[device], &desc, &pointer));
  return pointer;
}

__attribute__((unused)) static void* memory(int device, uint32_t kind, uint32_t bytes, uint64_t value) {
  unsigned char* first = malloc(bytes);
  data(value, first, bytes);
  if (kind == XHAL_MEMORY_UNMANAGED) return first;
  void* pointer = allocate(device, kind, bytes);
  if (kind == XHAL_MEMORY_PINNED) memcpy(pointer, first, bytes);
  if (kind == XHAL_MEMORY_DEVICE) CHECK(xhal_memory_copy(service[device], pointer, first, bytes));
  CHECK(xhal_device_synchronize(d[device], PATIENCE));
  free(first);
  return pointer;
}

static void verify(const char* name, int device, uint32_t kind, const void* pointer, const unsigned char* expected, uint32_t bytes) {
  unsigned char* got = malloc(bytes);
  if (kind == XHAL_MEMORY_DEVICE) {
    CHECK(xhal_memory_copy(service[device], got, pointer, bytes));
    CHECK(xhal_device_synchronize(d[device], PATIENCE));
  } else {
    memcpy(got, pointer, bytes);
  }
  compare(name, got, expected, bytes);
  free(got);
}

/* DRIVER: a name, or a path with a slash. */
static void open_driver(const char* driver, uint32_t devices) {
  const int is_path = strchr(driver, '/') != NULL;
  xhal_instance_desc_t desc = {.struct_size = sizeof(desc), .abi_minor = XHAL_ABI_MINOR};
  desc.drivers = is_path ? "" : driver;
  desc.driver_paths = &driver;
  desc.driver_path_count = is_path ? 1 : 0;
  uint32_t count = 0;
  const xhal_result_t result = xhal_instance_create(&desc, &instance);
  if (result != XHAL_SUCCESS || xhal_instance_get_devices(instance, 16, d, &count) < 0 || count < devices) {
    printf("driver %s: %s, %u devices; the program needs %u\n", driver, xhal_result_name(result), count, devices);
    exit(2);
  }
  for (uint32_t i = 0; i < devices; ++i) CHECK(xhal_stream_create(d[i], NULL, &service[i]));
}

)c";

inline constexpr const char* kFold = R"c(static void fold(uint64_t* cells, uint64_t bytes, uint64_t value) {
  for (uint64_t i = 0; i < bytes / 8; ++i) cells[i] = (((cells[i] << 5) | (cells[i] >> 59)) ^ value) * UINT64_C(0x9E3779B97F4A7C15) + UINT64_C(0x7F4A7C15);
}

)c";

inline constexpr const char* kXhalFold = R"c(struct host_work {
  uint64_t* cells;
  uint64_t bytes, value;
};
static void host_fold_function(void* user, xhal_result_t status) {
  (void)status;
  const struct host_work* work = user;
  fold(work->cells, work->bytes, work->value);
}
static void host_fold(xhal_stream_t stream, void* cells, uint64_t bytes, uint64_t value) {
  struct host_work* work = malloc(sizeof(*work)); /* the function reads it whenever it runs */
  *work = (struct host_work){cells, bytes, value};
  CHECK(xhal_stream_host_function(stream, host_fold_function, work));
}

)c";

inline constexpr const char* kXhalKernels = R"c(enum { FOLD, FOLD2, AXPY, COPY };
static xhal_kernel_t kernels[16][4];

static char* read_file(const char* folder, const char* name, size_t* size) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  FILE* file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char* bytes = malloc(*size + 1);
  *size = fread(bytes, 1, *size, file);
  bytes[*size] = 0;
  fclose(file);
  return bytes;
}

/* The text behind "key": " from `at` on. */
static int value_of(const char* at, const char* key, char* to, size_t capacity) {
  char pattern[40];
  snprintf(pattern, sizeof(pattern), "\"%s\": \"", key);
  const char* begin = strstr(at, pattern);
  if (begin == NULL) return 0;
  begin += strlen(pattern);
  const size_t length = strcspn(begin, "\"");
  if (length >= capacity) return 0;
  memcpy(to, begin, length);
  to[length] = 0;
  return 1;
}

/* The first image of the kernel pack that the device takes. */
static void load_kernels(int device, const char* folder) {
  static const char* const names[] = {"xhal_fold_u64", "xhal_fold2_u64", "xhal_axpy_i64", "xhal_copy_i64"};
  xhal_image_format_t formats[16];
  memset(formats, 0, sizeof(formats));
  for (int i = 0; i < 16; ++i) formats[i].struct_size = sizeof(formats[i]);
  uint32_t count = 0;
  if (xhal_device_get_image_formats(d[device], 16, sizeof(formats[0]), formats, &count) < 0) count = 0;
  xhal_module_t module = NULL;
  for (uint32_t i = 0; i < count && i < 16 && module == NULL; ++i) {
    xhal_module_desc_t desc = {.struct_size = sizeof(desc), .format = formats[i].format};
    desc.target = formats[i].target[0] != 0 ? formats[i].target : NULL;
    desc.image = "xhal";
    desc.image_size = 4;
    if (strcmp(formats[i].format, "builtin") != 0) {
      if (folder == NULL) continue;
      size_t size = 0;
      char file[256], format[256], target[256];
      int found = 0;
      const char* at = read_file(folder, "manifest.json", &size);
      while ((at = strstr(at, "\"file\"")) != NULL && !found) {
        found = value_of(at, "file", file, sizeof(file)) && value_of(at, "format", format, sizeof(format)) &&
                value_of(at, "target", target, sizeof(target)) && strcmp(format, formats[i].format) == 0 &&
                (desc.target == NULL || strcmp(target, formats[i].target) == 0);
        ++at;
      }
      if (!found) continue;
      desc.image = read_file(folder, file, &size);
      desc.image_size = size;
    }
    CHECK(xhal_module_load(d[device], &desc, &module));
  }
  if (module == NULL) {
    printf("no image of the kernel pack for the device; name the pack's folder behind the driver\n");
    exit(2);
  }
  for (int i = 0; i < 4; ++i) CHECK(xhal_module_get_kernel(module, names[i], &kernels[device][i]));
}

static void launch(xhal_stream_t stream, int device, int kernel, void* destination, const void* source, uint64_t bytes, uint64_t value) {
  const uint64_t count = bytes / 8;
  xhal_argument_t arguments[4];
  uint32_t used = 0;
  arguments[used++] = (xhal_argument_t){XHAL_ARGUMENT_MEMORY, kernel == COPY ? XHAL_ACCESS_WRITE : XHAL_ACCESS_READ_WRITE, bytes, destination};
  if (source != NULL) arguments[used++] = (xhal_argument_t){XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ, bytes, source};
  if (kernel != COPY) arguments[used++] = (xhal_argument_t){XHAL_ARGUMENT_VALUE, 0, sizeof(value), &value};
  arguments[used++] = (xhal_argument_t){XHAL_ARGUMENT_VALUE, 0, sizeof(count), &count};
  xhal_launch_t desc = {.struct_size = sizeof(desc), .group_count = {(uint32_t)((count + 31) / 32), 1, 1}, .group_size = {32, 1, 1}};
  desc.arguments = arguments;
  desc.argument_count = used;
  CHECK(xhal_kernel_launch(stream, kernels[device][kernel], &desc));
}

)c";

inline constexpr const char* kXhalPoll = R"c(static void poll_event(xhal_event_t event) {
  xhal_result_t result;
  while ((result = xhal_event_query(event)) == XHAL_NOT_READY) sched_yield();
  CHECK(result);
}

)c";

inline constexpr const char* kXhalQuery = R"c(/* `known`: the thread knows that all is done. */
static void query(xhal_result_t result, int known) {
  if (result != XHAL_NOT_READY || known) CHECK(result);
}

)c";

inline constexpr const char* kXhalPass = R"c(static void* witness[16];
static void pass(int device) {
  if (witness[device] == NULL) witness[device] = allocate(device, XHAL_MEMORY_DEVICE, 64);
  CHECK(xhal_memory_fill(service[device], witness[device], 1, 4, 64));
  CHECK(xhal_stream_synchronize(service[device], PATIENCE));
}

)c";

inline constexpr const char* kXhalHold = R"c(static void hold(void* gate, xhal_result_t status) {
  (void)status;
  wait_for_gate(gate);
}

)c";

inline constexpr const char* kGates =
    R"c(/* A host function that holds its stream shut. It gives up by itself where a driver blocks a call behind it. */
struct gate {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int is_open;
};
static struct gate gates[16];

static void wait_for_gate(struct gate* gate) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 2;
  pthread_mutex_lock(&gate->mutex);
  while (!gate->is_open && pthread_cond_timedwait(&gate->changed, &gate->mutex, &until) == 0) {
  }
  pthread_mutex_unlock(&gate->mutex);
}

/* Whoever is not held has had its time when later work on another stream is done, twice. */
static void open_gate(int i) {
  for (int turn = 0; turn < 2; ++turn) {
    for (int device = 0; device < GATE_DEVICES; ++device) pass(device);
  }
  pthread_mutex_lock(&gates[i].mutex);
  gates[i].is_open = 1;
  pthread_cond_broadcast(&gates[i].changed);
  pthread_mutex_unlock(&gates[i].mutex);
}

static void make_gates(void) {
  for (int i = 0; i < 16; ++i) {
    pthread_mutex_init(&gates[i].mutex, NULL);
    pthread_cond_init(&gates[i].changed, NULL);
    gates[i].is_open = 0;
  }
  for (int device = 0; device < GATE_DEVICES; ++device) pass(device);
}

)c";

inline constexpr const char* kOpener =
    R"c(/* For a call that may itself wait for the gate: another thread opens it once that call is about to be made. */
static atomic_int begun;
static pthread_t opener_thread;
static void* opener(void* gate) {
  while (atomic_load(&begun) == 0) sched_yield();
  open_gate((int)(intptr_t)gate);
  return NULL;
}
static void open_behind_the_next_call(int gate) {
  atomic_store(&begun, 0);
  pthread_create(&opener_thread, NULL, opener, (void*)(intptr_t)gate);
  atomic_store(&begun, 1);
}

)c";

inline constexpr const char* kThreads =
    R"c(/* How far each thread has come: the operation behind the last one that returned. */
static atomic_uint returned[8];
static void await(int thread, unsigned operation) {
  while (atomic_load(&returned[thread]) <= operation) sched_yield();
}

)c";

}  // namespace xhal::programs::pieces
