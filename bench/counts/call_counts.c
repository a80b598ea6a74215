/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls one entry N times, through libxhal or through the driver's own table, so that a counter of instructions can tell what the way
 * through libxhal adds: call_counts MANIFEST ENTRY hal|direct N
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xhal/driver.h"

typedef union {
  xhal_device_t device;
  xhal_stream_t stream;
  xhal_event_t event;
} given_t;

typedef struct {
  xhal_device_t device;
  xhal_stream_t stream;
  xhal_event_t event;
  xhal_kernel_t kernel;
  xhal_launch_t launch;
  const xhal_functions_t* direct;
  unsigned long count;
  given_t given;
} counted_t;

/* One function a way, so that its growth is seen by name. */
#define COUNTED(entry, arguments)                                                   \
  static int hal_##entry(counted_t* c) {                                            \
    int sum = 0;                                                                    \
    for (unsigned long i = 0; i < c->count; ++i) sum |= xhal_##entry arguments;     \
    return sum;                                                                     \
  }                                                                                 \
  static int direct_##entry(counted_t* c) {                                         \
    int sum = 0;                                                                    \
    for (unsigned long i = 0; i < c->count; ++i) sum |= c->direct->entry arguments; \
    return sum;                                                                     \
  }

COUNTED(stream_query, (c->stream))
COUNTED(event_record, (c->event, c->stream, 0))
COUNTED(memory_copy, (c->stream, (void*)(uintptr_t)16, (const void*)(uintptr_t)32, 8))
COUNTED(kernel_launch, (c->stream, c->kernel, &c->launch))
/* Calls that give out a handle. The driver gives the same ones each time, so that only the way there and back is counted. */
COUNTED(stream_create, (c->device, NULL, &c->given.stream))
COUNTED(event_create, (c->device, NULL, &c->given.event))
COUNTED(device_get_default_stream, (c->device, &c->given.stream))
COUNTED(stream_get_device, (c->stream, &c->given.device))

static const struct {
  const char* entry;
  int (*hal)(counted_t*);
  int (*direct)(counted_t*);
} kCases[] = {
    {"stream_query", hal_stream_query, direct_stream_query},
    {"event_record", hal_event_record, direct_event_record},
    {"memory_copy", hal_memory_copy, direct_memory_copy},
    {"kernel_launch", hal_kernel_launch, direct_kernel_launch},
    {"stream_create", hal_stream_create, direct_stream_create},
    {"event_create", hal_event_create, direct_event_create},
    {"device_get_default_stream", hal_device_get_default_stream, direct_device_get_default_stream},
    {"stream_get_device", hal_stream_get_device, direct_stream_get_device},
};

static void check(const char* what, xhal_result_t result) {
  if (result >= 0) return;
  fprintf(stderr, "call_counts: %s: %s\n", what, xhal_result_name(result));
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s MANIFEST ENTRY hal|direct N\n", argv[0]);
    return 2;
  }
  const char* manifest = argv[1];
  xhal_instance_desc_t desc;
  memset(&desc, 0, sizeof(desc));
  desc.struct_size = sizeof(desc);
  desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.driver_path_count = 1;
  desc.driver_paths = &manifest;
  desc.drivers = "";
  xhal_instance_t instance;
  check("instance", xhal_instance_create(&desc, &instance));
  xhal_device_t device;
  uint32_t devices = 0;
  check("devices", xhal_instance_get_devices(instance, 1, &device, &devices));

  counted_t c;
  memset(&c, 0, sizeof(c));
  xhal_module_desc_t module_desc;
  memset(&module_desc, 0, sizeof(module_desc));
  xhal_module_t module;
  c.device = device;
  check("stream", xhal_stream_create(device, NULL, &c.stream));
  check("event", xhal_event_create(device, NULL, &c.event));
  check("module", xhal_module_load(device, &module_desc, &module));
  check("kernel", xhal_module_get_kernel(module, "k", &c.kernel));
  c.direct = ((const xhal_handle_header_t*)(const void*)c.stream)->table->driver;
  c.count = strtoul(argv[4], NULL, 10);

  for (size_t i = 0; i < sizeof(kCases) / sizeof(kCases[0]); ++i) {
    if (strcmp(kCases[i].entry, argv[2]) != 0) continue;
    if (strcmp(argv[3], "hal") == 0) return kCases[i].hal(&c);
    if (strcmp(argv[3], "direct") == 0) return kCases[i].direct(&c);
  }
  fprintf(stderr, "call_counts: no case %s %s\n", argv[2], argv[3]);
  return 2;
}
