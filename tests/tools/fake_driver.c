/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that misbehaves where it is told to: FAKE_DRIVER_MODE=<action>:<step>, action crash, hang, exit, pipe (raises SIGPIPE) or
 * garbage, step load, negotiate, open, enumerate, properties or close; or unterminated, many, none,
 * stranger, refuses, picky, sulks. Without a mode it is a driver of one plain device.
 */
#define _POSIX_C_SOURCE 200809L /* NOLINT(readability-identifier-naming): the C library's */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xhal/driver.h"

static xhal_handle_header_t driver_header, device_header;
static const xhal_negotiation_t* host_info;

static int mode_is(const char* word) {
  const char* mode = getenv("FAKE_DRIVER_MODE");
  return mode != NULL && strcmp(mode, word) == 0;
}

static void step(const char* name) {
  const char* mode = getenv("FAKE_DRIVER_MODE");
  const char* colon = mode == NULL ? NULL : strchr(mode, ':');
  if (colon == NULL || strcmp(colon + 1, name) != 0) return;
  if (strncmp(mode, "crash", 5) == 0) {
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would answer in the driver's place */
    raise(SIGSEGV);
  }
  if (strncmp(mode, "pipe", 4) == 0) raise(SIGPIPE);
  if (strncmp(mode, "exit", 4) == 0) _exit(7);
  if (strncmp(mode, "hang", 4) == 0) {
    for (;;) pause();
  }
  if (strncmp(mode, "garbage", 7) == 0) {
    for (int i = 0; i < 1000; ++i) {
      fputs("{\"stage\":\"\x01\xff rubbish\n", stdout);
      fputs("\x1b[31mrubbish\xc3(\n", stderr);
    }
    fflush(NULL);
  }
}

__attribute__((constructor)) static void on_load(void) { step("load"); }

static void* give(xhal_handle_header_t* header, uint32_t type) {
  header->table = host_info->services->dead_table;
  header->type = type;
  header->object = header;
  return header;
}

static void put_text(char* field, size_t capacity, const char* text) {
  memset(field, 0, capacity);
  if (mode_is("unterminated")) {
    memset(field, 'A', capacity);
  } else {
    strncpy(field, text, capacity - 1);
  }
}

static xhal_result_t get_driver_properties(xhal_driver_t driver, xhal_driver_properties_t* out) {
  (void)driver;
  step("properties");
  if (mode_is("sulks")) return XHAL_ERROR_INVALID_ARGUMENT;
  const uint32_t size = out->struct_size;
  memset(out, 0, sizeof(*out));
  out->struct_size = size;
  out->abi_minor = XHAL_ABI_MINOR;
  out->emulated = 1;
  put_text(out->name, sizeof(out->name), "fake");
  put_text(out->version, sizeof(out->version), "1.2.3");
  put_text(out->vendor, sizeof(out->vendor), "nobody");
  return XHAL_SUCCESS;
}

static xhal_result_t get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                                 uint32_t* out_count) {
  (void)driver;
  step("enumerate");
  if (out_count == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  *out_count = mode_is("none") ? 0 : mode_is("many") ? UINT32_MAX : 1;
  if (capacity > 0 && *out_count > 0) out_devices[0] = (xhal_device_t)give(&device_header, XHAL_TYPE_device);
  return capacity > 0 && capacity < *out_count ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

static xhal_result_t get_device_properties(xhal_device_t device, xhal_device_properties_t* out) {
  (void)device;
  const uint32_t size = out->struct_size;
  memset(out, 0, sizeof(*out));
  out->struct_size = size;
  out->kind = XHAL_DEVICE_KIND_CPU;
  out->uuid[0] = 1;
  out->pci_domain = out->pci_bus = out->pci_device = out->pci_function = XHAL_PCI_UNKNOWN;
  out->numa_node = XHAL_NUMA_UNKNOWN;
  out->emulated = 1;
  put_text(out->name, sizeof(out->name), "Fake device \x1b[31m with \xff odd bytes");
  put_text(out->architecture, sizeof(out->architecture), "fake-1");
  out->memory_bytes = 1 << 20;
  out->memory_granularity = 1;
  out->dtype_mask = UINT64_C(1) << XHAL_DTYPE_F32 | UINT64_C(1) << 60;
  out->unit_count = 1;
  out->address_bits = 64;
  out->features[0] = 1;
  out->max_allocation_bytes = 1 << 20;
  out->memory_alignment = 256;
  return XHAL_SUCCESS;
}

static xhal_result_t has_feature(xhal_device_t device, uint32_t feature, uint32_t* out_claimed) {
  (void)device;
  *out_claimed = feature == XHAL_FEATURE_CORE;
  return XHAL_SUCCESS;
}

static xhal_result_t get_image_formats(xhal_device_t device, uint32_t capacity, uint32_t stride,
                                       xhal_image_format_t* out, uint32_t* out_count) {
  (void)device, (void)capacity, (void)stride, (void)out;
  *out_count = 0;
  return XHAL_SUCCESS;
}

static xhal_result_t is_active(xhal_device_t device, uint32_t* out_active) {
  (void)device;
  *out_active = 0;
  return XHAL_SUCCESS;
}

static xhal_result_t get_link(xhal_device_t device, xhal_device_t peer, xhal_link_t* out) {
  const uint32_t size = out->struct_size;
  memset(out, 0, sizeof(*out));
  out->struct_size = size;
  out->kind = device == peer ? XHAL_LINK_SELF : XHAL_LINK_UNKNOWN;
  return XHAL_SUCCESS;
}

static xhal_result_t open_driver(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  (void)params;
  step("open");
  if (mode_is("refuses")) return XHAL_ERROR_DEVICE_LOST;
  if (mode_is("picky")) return XHAL_ERROR_INVALID_ARGUMENT; /* as for an option that it does not know */
  *out_driver = (xhal_driver_t)give(&driver_header, XHAL_TYPE_driver);
  return XHAL_SUCCESS;
}

static xhal_result_t close_driver(xhal_driver_t driver) {
  (void)driver;
  step("close");
  return XHAL_SUCCESS;
}

XHAL_EXPORT xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                                xhal_driver_interface_t* out) {
  host_info = host;
  step("negotiate");
  out->abi_major = XHAL_ABI_MAJOR;
  out->abi_minor = XHAL_ABI_MINOR + (mode_is("stranger") ? 1 : 0);
  out->abi_revision = XHAL_ABI_REVISION;
  out->name = "fake";
  out->version = "1.2.3";
  out->open = open_driver;
  out->close = close_driver;
  xhal_functions_t* functions = out->functions;
  functions->driver_get_properties = get_driver_properties;
  functions->driver_get_devices = get_devices;
  functions->device_get_properties = get_device_properties;
  functions->device_has_feature = has_feature;
  functions->device_get_image_formats = get_image_formats;
  functions->device_is_active = is_active;
  functions->device_get_link = get_link;
  return XHAL_SUCCESS;
}
