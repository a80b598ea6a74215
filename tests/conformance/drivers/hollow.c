/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver with one device (HOLLOW_DEVICES: or none) of a good description and nothing behind it. HOLLOW_RESULT is what every other entry answers: with XHAL_SUCCESS it
 * promises all and does nothing (handles that it gives out look valid), with XHAL_ERROR_UNSUPPORTED it refuses all. With HOLLOW_MEMORY
 * allocations are real, so that the suite gets further.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "xhal/driver.h"

#ifndef HOLLOW_DEVICES
#define HOLLOW_DEVICES 1
#endif
#ifndef HOLLOW_RESULT
#define HOLLOW_RESULT XHAL_SUCCESS
#endif

static const xhal_host_services_t* g_services;

/* Never freed: headers stay readable for the life of the process. */
static void* new_handle(uint32_t type) {
  xhal_handle_header_t* header = calloc(1, sizeof(*header));
  if (header == NULL) abort();
  header->table = g_services->dead_table;
  header->type = type;
  header->generation = 1;
  header->object = header;
  return header;
}

/* What an entry without work does to its parameters. */
#define IDLE_H(type, name) (void)name;
#define IDLE_V(ctype, name) (void)name;
#define IDLE_A(ctype, name) (void)name;
#define IDLE_IN(ctype, name) (void)name;
#define IDLE_INO(ctype, name) (void)name;
#define IDLE_OUT(ctype, name) (void)name;
#define IDLE_OUTO(ctype, name) (void)name;
#define IDLE_OUTH(type, name) \
  if (HOLLOW_RESULT == XHAL_SUCCESS && name != NULL) *name = (xhal_##type##_t)new_handle(XHAL_TYPE_##type);
#define IDLE_OUTHA(type, name, capacity, count) (void)name;
#define IDLE_(kind, ...) IDLE_##kind(__VA_ARGS__)
#define IDLE(tuple) IDLE_ tuple

#define XHAL_ENTRY(feature, since, name, ...)                  \
  static xhal_result_t idle_##name(XHAL_PARAMS(__VA_ARGS__)) { \
    XHAL_PP_EACH(IDLE, __VA_ARGS__)                            \
    return HOLLOW_RESULT;                                      \
  }
#include "xhal/entry_points.def"

static xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                                 uint32_t* out_count) {
  if (out_count == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  *out_count = HOLLOW_DEVICES;
  if (HOLLOW_DEVICES == 0) return XHAL_SUCCESS;
  if (capacity == 0) return out_devices == NULL ? XHAL_SUCCESS : XHAL_INCOMPLETE;
  out_devices[0] = (xhal_device_t)((const xhal_handle_header_t*)driver)->object;
  return XHAL_SUCCESS;
}

static xhal_result_t get_driver_properties(xhal_driver_t driver, xhal_driver_properties_t* out) {
  xhal_driver_properties_t properties = {0};
  (void)driver;
  if (out == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  properties.struct_size = out->struct_size;
  properties.abi_minor = XHAL_ABI_MINOR;
  properties.abi_revision = XHAL_ABI_REVISION;
  strncpy(properties.name, HOLLOW_NAME, sizeof(properties.name) - 1);
  strncpy(properties.version, "1.0", sizeof(properties.version) - 1);
  memcpy(out, &properties, out->struct_size < sizeof(properties) ? out->struct_size : sizeof(properties));
  return XHAL_SUCCESS;
}

/* Asynchronous streams that progress beside each other: what a test can see most of. */
static xhal_result_t get_device_properties(xhal_device_t device, xhal_device_properties_t* out) {
  xhal_device_properties_t p = {0};
  (void)device;
  if (out == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  p.struct_size = out->struct_size;
  p.kind = XHAL_DEVICE_KIND_CPU;
  memcpy(p.uuid, "xhal-hollow-devi", sizeof(p.uuid));
  p.pci_domain = p.pci_bus = p.pci_device = p.pci_function = XHAL_PCI_UNKNOWN;
  p.numa_node = XHAL_NUMA_UNKNOWN;
  strncpy(p.name, "Hollow device", sizeof(p.name) - 1);
  strncpy(p.vendor, "xhal tests", sizeof(p.vendor) - 1);
  strncpy(p.architecture, "hollow", sizeof(p.architecture) - 1);
  p.memory_bytes = p.max_allocation_bytes = UINT64_C(1) << 28;
  p.memory_granularity = 1;
  p.memory_alignment = 256;
  p.dtype_mask = UINT64_C(1) << XHAL_DTYPE_U8;
  p.unit_count = 1;
  p.address_bits = 64;
  p.features[0] = (UINT64_C(1) << XHAL_FEATURE_CORE) | (UINT64_C(1) << XHAL_FEATURE_CROSS_STREAM_PROGRESS);
  p.fault_scope = XHAL_FAULT_SCOPE_DEVICE;
  p.fault_recovery = XHAL_RECOVERY_NONE;
  p.free_waits = XHAL_FREE_WAITS_NEVER;
  p.default_stream_kind = XHAL_DEFAULT_STREAM_INDEPENDENT;
  memcpy(out, &p, out->struct_size < sizeof(p) ? out->struct_size : sizeof(p));
  return XHAL_SUCCESS;
}

#ifdef HOLLOW_MEMORY
/* Never freed: the process does not live long. */
static xhal_result_t allocate(xhal_device_t device, const xhal_memory_desc_t* desc, void** out_pointer) {
  (void)device;
  if (desc == NULL || out_pointer == NULL || desc->size > (UINT64_C(1) << 28))
    return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  *out_pointer = calloc(1, desc->size);
  return *out_pointer == NULL ? XHAL_ERROR_OUT_OF_HOST_MEMORY : XHAL_SUCCESS;
}
#endif

static xhal_result_t open_driver(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  (void)params;
  xhal_handle_header_t* driver = new_handle(XHAL_TYPE_driver);
  driver->object = new_handle(XHAL_TYPE_device);
  *out_driver = (xhal_driver_t)driver;
  return XHAL_SUCCESS;
}

static xhal_result_t close_driver(xhal_driver_t driver) {
  xhal_handle_header_t* header = (xhal_handle_header_t*)driver;
  ((xhal_handle_header_t*)header->object)->table = g_services->dead_table;
  header->table = g_services->dead_table;
  return XHAL_SUCCESS;
}

xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* out) {
  static const xhal_functions_t kFunctions = {
      .struct_size = sizeof(xhal_functions_t),
      .abi_revision = XHAL_ABI_REVISION,
#define XHAL_ENTRY(feature, since, name, ...) .name = idle_##name,
#include "xhal/entry_points.def"
  };
  g_services = host->services;
  memcpy(out->functions, &kFunctions, sizeof(kFunctions));
  out->functions->driver_get_devices = get_devices;
  out->functions->driver_get_properties = get_driver_properties;
  out->functions->device_get_properties = get_device_properties;
#ifdef HOLLOW_MEMORY
  out->functions->memory_allocate = allocate;
#endif
  out->struct_size = sizeof(*out);
  out->abi_major = XHAL_ABI_MAJOR;
  out->abi_minor = XHAL_ABI_MINOR;
  out->abi_revision = XHAL_ABI_REVISION;
  out->name = HOLLOW_NAME;
  out->version = "1.0";
  out->open = open_driver;
  out->close = close_driver;
  return XHAL_SUCCESS;
}
