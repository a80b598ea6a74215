/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver as somebody wrote it against frozen headers, without the kit and without C++: one synchronous device whose memory is
 * malloc's, a default stream, copies. What it lacks it leaves null. It knows the rules of driver.h and nothing of this repository.
 */
#include <stdlib.h>
#include <string.h>

#include "xhal/driver.h"

#ifndef FROZEN_NAME
#define FROZEN_NAME "frozen"
#endif

static const xhal_host_services_t* services;
static xhal_handle_header_t driver_header, device_header, stream_header;
static uint64_t stream_id;

static void set_up(xhal_handle_header_t* header, uint32_t type) {
  header->table = services->dead_table;
  header->type = type;
  header->generation += 1;
  header->object = header;
}

static xhal_result_t fail(xhal_result_t code, const char* text) {
  const xhal_error_report_t report = {sizeof(report), code, 0, FROZEN_NAME, text};
  services->report_error(&report);
  return code;
}

/* Exactly the caller's struct_size bytes: what is known here, then zeros. */
static xhal_result_t write_struct(const void* value, size_t size, void* out) {
  uint32_t wanted;
  if (out == NULL) return fail(XHAL_ERROR_INVALID_ARGUMENT, "an out-struct is null");
  memcpy(&wanted, out, sizeof(wanted));
  if (wanted < size)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "struct_size is below the first published size");
  memcpy((char*)out + sizeof(wanted), (const char*)value + sizeof(wanted), size - sizeof(wanted));
  memset((char*)out + size, 0, wanted - size);
  return XHAL_SUCCESS;
}

static xhal_result_t driver_get_properties(xhal_driver_t driver, xhal_driver_properties_t* out_properties) {
  xhal_driver_properties_t properties;
  (void)driver;
  memset(&properties, 0, sizeof(properties));
  properties.abi_minor = XHAL_ABI_MINOR;
  properties.abi_revision = XHAL_ABI_REVISION;
  strcpy(properties.name, FROZEN_NAME);
  strcpy(properties.version, "1");
  return write_struct(&properties, sizeof(properties), out_properties);
}

static xhal_result_t driver_get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                                        uint32_t* out_count) {
  (void)driver;
  if (out_count == NULL) return fail(XHAL_ERROR_INVALID_ARGUMENT, "out_count is null");
  *out_count = 1;
  if (capacity > 0) out_devices[0] = (xhal_device_t)&device_header;
  return XHAL_SUCCESS;
}

static xhal_result_t device_get_properties(xhal_device_t device, xhal_device_properties_t* out_properties) {
  xhal_device_properties_t properties;
  (void)device;
  memset(&properties, 0, sizeof(properties));
  properties.kind = XHAL_DEVICE_KIND_CPU;
  memcpy(properties.uuid, "frozen host mem", 16);
  properties.pci_domain = properties.pci_bus = properties.pci_device = properties.pci_function =
      XHAL_PCI_UNKNOWN;
  properties.numa_node = XHAL_NUMA_UNKNOWN;
  strcpy(properties.name, "malloc");
  strcpy(properties.architecture, "host");
  properties.memory_alignment = 16;
  properties.is_synchronous = 1;
  properties.features[0] = UINT64_C(1) << XHAL_FEATURE_CORE;
  return write_struct(&properties, sizeof(properties), out_properties);
}

static xhal_result_t device_synchronize(xhal_device_t device, uint64_t timeout_ns) {
  (void)device, (void)timeout_ns;
  return XHAL_SUCCESS;
}

static xhal_result_t device_get_default_stream(xhal_device_t device, xhal_stream_t* out_stream) {
  (void)device;
  if (out_stream == NULL) return fail(XHAL_ERROR_INVALID_ARGUMENT, "out_stream is null");
  *out_stream = (xhal_stream_t)&stream_header;
  return XHAL_SUCCESS;
}

static xhal_result_t stream_get_info(xhal_stream_t stream, xhal_stream_info_t* out_info) {
  xhal_stream_info_t info;
  (void)stream;
  memset(&info, 0, sizeof(info));
  info.is_default = 1;
  info.id = stream_id;
  return write_struct(&info, sizeof(info), out_info);
}

static xhal_result_t stream_get_device(xhal_stream_t stream, xhal_device_t* out_device) {
  (void)stream;
  if (out_device == NULL) return fail(XHAL_ERROR_INVALID_ARGUMENT, "out_device is null");
  *out_device = (xhal_device_t)&device_header;
  return XHAL_SUCCESS;
}

static xhal_result_t stream_query(xhal_stream_t stream) {
  (void)stream;
  return XHAL_SUCCESS;
}

static xhal_result_t stream_synchronize(xhal_stream_t stream, uint64_t timeout_ns) {
  (void)stream, (void)timeout_ns;
  return XHAL_SUCCESS;
}

static xhal_result_t memory_allocate(xhal_device_t device, const xhal_memory_desc_t* desc,
                                     void** out_pointer) {
  void* pointer;
  (void)device;
  if (desc == NULL || out_pointer == NULL || desc->struct_size < sizeof(*desc) || desc->size == 0) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "no size, or an argument is null");
  }
  if (desc->kind != XHAL_MEMORY_DEVICE)
    return fail(XHAL_ERROR_UNSUPPORTED, "device memory is the only kind here");
  pointer = malloc((size_t)desc->size);
  if (pointer == NULL) return fail(XHAL_ERROR_OUT_OF_DEVICE_MEMORY, "malloc has no memory left");
  *out_pointer = pointer;
  return XHAL_SUCCESS;
}

static xhal_result_t memory_free(xhal_device_t device, void* pointer) {
  (void)device;
  free(pointer);
  return XHAL_SUCCESS;
}

static xhal_result_t memory_copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  (void)stream;
  if (size == 0) return XHAL_SUCCESS;
  if (destination == NULL || source == NULL) return fail(XHAL_ERROR_INVALID_POINTER, "a pointer is null");
  memcpy(destination, source, (size_t)size);
  return XHAL_SUCCESS;
}

static xhal_result_t open_driver(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  if (params->option_count > 0) return fail(XHAL_ERROR_INVALID_ARGUMENT, "this driver has no options");
  if (driver_header.object != NULL) return fail(XHAL_ERROR_BUSY, "this driver serves one instance at a time");
  set_up(&driver_header, XHAL_TYPE_driver);
  set_up(&device_header, XHAL_TYPE_device);
  set_up(&stream_header, XHAL_TYPE_stream);
  stream_id = services->next_id();
  *out_driver = (xhal_driver_t)&driver_header;
  return XHAL_SUCCESS;
}

static xhal_result_t close_driver(xhal_driver_t driver) {
  (void)driver;
  driver_header.table = device_header.table = stream_header.table = services->dead_table;
  driver_header.object = device_header.object = stream_header.object = NULL;
  return XHAL_SUCCESS;
}

xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* interface_out) {
  xhal_functions_t functions;
  uint32_t size;
  interface_out->abi_major = XHAL_ABI_MAJOR;
  interface_out->abi_minor = XHAL_ABI_MINOR;
  interface_out->abi_revision = XHAL_ABI_REVISION;
  if (host->abi_major != XHAL_ABI_MAJOR || host->abi_minor != XHAL_ABI_MINOR)
    return XHAL_ERROR_VERSION_MISMATCH;
  if (interface_out->struct_size < sizeof(*interface_out)) return XHAL_ERROR_INVALID_ARGUMENT;
  services = host->services;

  memset(&functions, 0, sizeof(functions));
  functions.driver_get_properties = driver_get_properties;
  functions.driver_get_devices = driver_get_devices;
  functions.device_get_properties = device_get_properties;
  functions.device_synchronize = device_synchronize;
  functions.device_get_default_stream = device_get_default_stream;
  functions.stream_get_info = stream_get_info;
  functions.stream_get_device = stream_get_device;
  functions.stream_query = stream_query;
  functions.stream_synchronize = stream_synchronize;
  functions.memory_allocate = memory_allocate;
  functions.memory_free = memory_free;
  functions.memory_copy = memory_copy;
  size = interface_out->functions_capacity < sizeof(functions) ? interface_out->functions_capacity
                                                               : (uint32_t)sizeof(functions);
  functions.struct_size = size;
  functions.abi_revision = XHAL_ABI_REVISION;
  memcpy(interface_out->functions, &functions, size);

  interface_out->struct_size = sizeof(*interface_out);
  interface_out->name = FROZEN_NAME;
  interface_out->version = "1";
  interface_out->open = open_driver;
  interface_out->close = close_driver;
  return XHAL_SUCCESS;
}
