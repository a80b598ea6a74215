// SPDX-License-Identifier: Apache-2.0
// More of print_opencl_pieces.h: memory, and what the host does with it. C11, in C's style.
#pragma once

namespace xhal::programs::pieces {

inline constexpr const char* kOpenClMemory = R"c(/* ---- Memory ---- */

static void give_back(struct memory memory) {
  if (memory.kind == PAGEABLE) {
    free(memory.pointer);
  } else if (path == USM) {
    CHECK(memory_free(context, memory.pointer));
  } else if (path == SVM) {
    clSVMFree(context, memory.pointer);
  } else {
    CHECK(clReleaseMemObject(memory.buffer));
  }
}

/* What was freed while streams may have used it; given back when they have passed, looked at before each allocation. */
struct freed {
  struct memory memory;
  cl_event until[STREAMS];
  struct freed* next;
};
static struct freed* all_freed;
static pthread_mutex_t freed_mutex = PTHREAD_MUTEX_INITIALIZER;
HELPER void free_memory(int which) {
  struct freed* one = malloc(sizeof(*one));
  one->memory = m[which];
  for (int i = 0; i < STREAMS; ++i) one->until[i] = end_of(&s[i]);
  pthread_mutex_lock(&freed_mutex);
  one->next = all_freed;
  all_freed = one;
  pthread_mutex_unlock(&freed_mutex);
}
static void reclaim(void) {
  pthread_mutex_lock(&freed_mutex);
  for (struct freed** at_one = &all_freed; *at_one != NULL;) {
    struct freed* one = *at_one;
    int passed = 1;
    for (int i = 0; i < STREAMS; ++i) passed = passed && is_done(one->until[i]);
    if (!passed) {
      at_one = &one->next;
      continue;
    }
    for (int i = 0; i < STREAMS; ++i) {
      if (one->until[i] != NULL) CHECK(clReleaseEvent(one->until[i]));
    }
    give_back(one->memory);
    *at_one = one->next;
    free(one);
  }
  pthread_mutex_unlock(&freed_mutex);
}

static struct memory allocate(int device, enum kind kind, size_t bytes) {
  struct memory out = {.kind = kind, .device = device};
  cl_int code = CL_SUCCESS;
  reclaim();
  if (kind == PAGEABLE) {
    out.pointer = malloc(bytes);
  } else if (path == USM && kind == PINNED) {
    out.pointer = host_allocate(context, NULL, bytes, 0, &code);
  } else if (path == USM) {
    out.pointer = device_allocate(context, d[device], NULL, bytes, 0, &code);
  } else if (path == SVM) {
    out.pointer = clSVMAlloc(context, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER, bytes, 0);
  } else {
    out.buffer = clCreateBuffer(context, CL_MEM_READ_WRITE | (kind == PINNED ? CL_MEM_ALLOC_HOST_PTR : 0), bytes, NULL, &code);
  }
  CHECK(code);
  CHECK(out.pointer == NULL && out.buffer == NULL ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_SUCCESS);
  return out;
}

/* By the host, of any kind of memory, at once. */
static void put(struct place to, void* bytes, size_t size) {
  if (path != BUFFERS && to.memory->kind == PINNED) {
    memcpy(address(to), bytes, size);
  } else {
    struct memory from = {.pointer = bytes, .kind = PAGEABLE};
    copy(&service[to.memory->device], to, (struct place){&from, 0}, size);
    finish(&service[to.memory->device]); /* a blocking write returns when its source may be used again */
  }
}
static void get(void* bytes, struct place from, size_t size) {
  if (path != BUFFERS && from.memory->kind == PINNED) {
    memcpy(bytes, address(from), size);
  } else {
    struct memory to = {.pointer = bytes, .kind = PAGEABLE};
    struct stream* stream = &service[from.memory->device];
    copy(stream, (struct place){&to, 0}, from, size);
    finish(stream);
  }
}

HELPER void host_write(struct place to, uint32_t bytes, uint64_t value) {
  unsigned char* from = malloc(bytes);
  data(value, from, bytes);
  put(to, from, bytes);
  free(from);
}
HELPER void host_read(struct place to, struct place from, size_t bytes) {
  unsigned char* between = malloc(bytes);
  get(between, from, bytes);
  put(to, between, bytes);
  free(between);
}
HELPER struct memory memory(int device, enum kind kind, uint32_t bytes, uint64_t value) {
  struct memory out = allocate(device, kind, bytes);
  host_write((struct place){&out, 0}, bytes, value);
  return out;
}
static void verify(int which, const unsigned char* expected, uint32_t bytes) {
  char name[20];
  unsigned char* got = malloc(bytes);
  snprintf(name, sizeof(name), "m%d", which);
  get(got, at(which, 0), bytes);
  compare(name, got, expected, bytes);
  free(got);
}

static void clean_up(void) {
  for (int i = 0; i < EVENTS; ++i) {
    if (e[i] != NULL) CHECK(clReleaseEvent(e[i]));
    e[i] = NULL;
  }
  for (int i = 0; i < STREAMS; ++i) {
    if (s[i].queue != NULL) destroy_stream(&s[i]);
    if (s[i].last != NULL) CHECK(clWaitForEvents(1, &s[i].last));
  }
  reclaim();
  for (int i = 0; i < STREAMS; ++i) {
    if (s[i].last != NULL) CHECK(clReleaseEvent(s[i].last));
    s[i].last = NULL;
  }
}

)c";

inline constexpr const char* kOpenClHostFold = R"c(struct host_work {
  struct place cells;
  uint64_t bytes, value;
};
static void host_fold_function(void* user) {
  struct host_work* work = user;
  uint64_t* cells = malloc(work->bytes);
  get(cells, work->cells, work->bytes);
  fold(cells, work->bytes, work->value);
  put(work->cells, cells, work->bytes);
  free(cells);
  free(work);
}
static void host_fold(struct stream* stream, struct place cells, uint64_t bytes, uint64_t value) {
  struct host_work* work = malloc(sizeof(*work));
  *work = (struct host_work){cells, bytes, value};
  host_function(stream, host_fold_function, work);
}

)c";

}  // namespace xhal::programs::pieces
