/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host as it was at a frozen revision: frozen_host DRIVER.so [refused]
 *
 * Negotiates with a driver of any later revision by the frozen structs, with guard bytes behind everything that the driver writes to,
 * opens it, allocates, copies there and back, synchronises, closes. `refused`: the driver must refuse this host's version, and
 * must have touched nothing.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xhal/driver.h"

#define GUARD_BYTES 4096
#define GUARD 0xA5

static char last_text[512];
static uint64_t last_id;

static void report_error(const xhal_error_report_t* report) {
  snprintf(last_text, sizeof(last_text), "%s: %s", report->source, report->text);
}
static void log_line(void* context, uint32_t level, const char* source, const char* text) {
  (void)context, (void)level;
  fprintf(stderr, "%s: %s\n", source, text);
}
static void activated(void* context) { (void)context; }
static uint64_t next_id(void) { return ++last_id; }

static void stop(const char* what, xhal_result_t result) {
  printf("frozen host: %s failed with %d (%s)\n", what, (int)result, last_text);
  exit(1);
}
static void check(const char* what, xhal_result_t result) {
  if (result != XHAL_SUCCESS) stop(what, result);
}

/* In every slot at first. Its arguments do not matter: the caller cleans up after them. */
static xhal_result_t refuse(void) { return XHAL_ERROR_UNSUPPORTED; }

/* What the driver may write to, and the bytes behind it that it may not. */
static union {
  xhal_functions_t functions;
  unsigned char bytes[sizeof(xhal_functions_t) + GUARD_BYTES];
} table;
static union {
  xhal_driver_interface_t driver;
  unsigned char bytes[sizeof(xhal_driver_interface_t) + GUARD_BYTES];
} interface;

static void check_guards(void) {
  size_t i;
  for (i = 0; i < GUARD_BYTES; ++i) {
    if (table.bytes[sizeof(xhal_functions_t) + i] != GUARD ||
        interface.bytes[sizeof(xhal_driver_interface_t) + i] != GUARD) {
      printf("frozen host: the driver wrote %zu bytes behind what it was given\n", i + 1);
      exit(1);
    }
  }
}

int main(int argc, char** argv) {
  static xhal_table_t dead;
  static xhal_host_services_t services;
  xhal_negotiation_t host;
  xhal_driver_open_t params;
  xhal_driver_negotiate_fn negotiate;
  xhal_driver_t driver = NULL;
  xhal_device_t device = NULL;
  xhal_stream_t stream = NULL;
  xhal_memory_desc_t desc;
  void* memory = NULL;
  unsigned char sent[1000], received[1000];
  uint32_t count = 0;
  size_t i;
  xhal_result_t result;
  void (*refusing)(void) = (void (*)(void))refuse;
  const int expect_refusal = argc == 3 && strcmp(argv[2], "refused") == 0;
  void* library;

  if (argc < 2 || argc > 3 || (argc == 3 && !expect_refusal)) {
    fprintf(stderr, "usage: frozen_host DRIVER.so [refused]\n");
    return 2;
  }
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    printf("frozen host: %s\n", dlerror());
    return 1;
  }
  *(void**)&negotiate = dlsym(library, XHAL_DRIVER_NEGOTIATE_SYMBOL);
  if (negotiate == NULL) {
    printf("frozen host: no %s\n", XHAL_DRIVER_NEGOTIATE_SYMBOL);
    return 1;
  }

  dead.state = XHAL_TABLE_DEAD;
  memset(&services, 0, sizeof(services));
  services.struct_size = sizeof(services);
  services.abi_revision = XHAL_ABI_REVISION;
  services.dead_table = &dead;
  services.report_error = report_error;
  services.log = log_line;
  services.activated = activated;
  services.next_id = next_id;
  memset(&host, 0, sizeof(host));
  host.struct_size = sizeof(host);
  host.abi_major = XHAL_ABI_MAJOR;
  host.abi_minor = XHAL_ABI_MINOR;
  host.abi_revision = XHAL_ABI_REVISION;
  host.services = &services;
  host.library_path = argv[1];
  host.manifest_path = "";

  memset(table.bytes, GUARD, sizeof(table.bytes));
  memset(&table.functions, 0, sizeof(table.functions));
  for (i = offsetof(xhal_functions_t, abi_revision) + 4; i < sizeof(xhal_functions_t);
       i += sizeof(refusing)) {
    memcpy(table.bytes + i, &refusing, sizeof(refusing));
  }
  memset(interface.bytes, GUARD, sizeof(interface.bytes));
  memset(&interface.driver, 0, sizeof(interface.driver));
  interface.driver.struct_size = sizeof(interface.driver);
  interface.driver.functions_capacity = sizeof(xhal_functions_t);
  interface.driver.functions = &table.functions;

  result = negotiate(&host, &interface.driver);
  check_guards();
  if (expect_refusal) {
    if (result != XHAL_ERROR_VERSION_MISMATCH || interface.driver.abi_minor == XHAL_ABI_MINOR ||
        table.functions.struct_size != 0) {
      stop("the refusal", result);
    }
    printf("frozen host %d.%d: %s is of %u.%u and refuses it\n", XHAL_ABI_MAJOR, XHAL_ABI_MINOR, argv[1],
           interface.driver.abi_major, interface.driver.abi_minor);
    return 0;
  }
  check("negotiation", result);
  if (interface.driver.struct_size > sizeof(interface.driver) ||
      table.functions.struct_size > sizeof(table.functions)) {
    stop("keeping to the sizes", XHAL_ERROR_INTERNAL);
  }

  memset(&params, 0, sizeof(params));
  params.struct_size = sizeof(params);
  check("open", interface.driver.open(&params, &driver));
  result = table.functions.driver_get_devices(driver, 1, &device, &count);
  if (result < 0 || count == 0) stop("xhal_driver_get_devices", result);
  check("xhal_device_get_default_stream", table.functions.device_get_default_stream(device, &stream));
  memset(&desc, 0, sizeof(desc));
  desc.struct_size = sizeof(desc);
  desc.kind = XHAL_MEMORY_DEVICE;
  desc.size = sizeof(sent);
  check("xhal_memory_allocate", table.functions.memory_allocate(device, &desc, &memory));
  for (i = 0; i < sizeof(sent); ++i) sent[i] = (unsigned char)(i * 7 + 3);
  memset(received, 0, sizeof(received));
  check("xhal_memory_copy to the device", table.functions.memory_copy(stream, memory, sent, sizeof(sent)));
  check("xhal_memory_copy from the device",
        table.functions.memory_copy(stream, received, memory, sizeof(received)));
  check("xhal_stream_synchronize", table.functions.stream_synchronize(stream, XHAL_WAIT_FOREVER));
  if (memcmp(sent, received, sizeof(sent)) != 0) stop("comparing what came back", XHAL_ERROR_UNKNOWN);
  check("xhal_memory_free", table.functions.memory_free(device, memory));
  check("close", interface.driver.close(driver));
  check_guards();
  printf("frozen host %d.%d-r%d: %s %s of revision %u works with %u of the %u bytes\n", XHAL_ABI_MAJOR,
         XHAL_ABI_MINOR, XHAL_ABI_REVISION, interface.driver.name, interface.driver.version,
         interface.driver.abi_revision, table.functions.struct_size, (uint32_t)sizeof(xhal_functions_t));
  return 0;
}
