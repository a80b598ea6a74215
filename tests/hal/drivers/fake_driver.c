/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built several times: FAKE_NAME is the driver's name, FAKE_<FAULT> gives the library one defect.
 * Options: devices=N; open=error|silent|null|type; enumerate=error|null|type|many|grow; activate=open; any other is refused.
 */
#include "fake_driver.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FAKE_NAME
#define FAKE_NAME "fake"
#endif

#define MAX_DEVICES 8

typedef struct object {
  xhal_handle_header_t header;
  struct driver* driver;
  struct object* parent;
  struct object* next; /* of all that the driver ever made: never freed, as headers must stay readable */
  uint32_t index;
  uint32_t recorded;
} object_t;

typedef struct driver {
  object_t object;
  object_t devices[MAX_DEVICES];
  object_t streams[MAX_DEVICES];
  fake_state_t state;
  object_t* made;
  pthread_mutex_t mutex;
  uint32_t told; /* enumerate=grow */
  const char* enumerate;
} driver_t;

static const xhal_host_services_t* g_services;
static uint32_t g_negotiations;
static uint32_t g_opens;
static driver_t* g_drivers[4096]; /* keeps them reachable for the leak checker */

static object_t* object_of(void* handle) { return (object_t*)handle; }

static driver_t* enter(void* handle) {
  driver_t* driver = object_of(handle)->driver;
  __atomic_fetch_add(&driver->state.calls, 1, __ATOMIC_RELAXED);
  return driver;
}

static void set_up(object_t* object, driver_t* driver, uint32_t type, uint32_t index) {
  object->header.type = type;
  object->header.generation++;
  object->header.object = object;
  object->driver = driver;
  object->index = index;
  __atomic_store_n(&object->header.table, g_services->dead_table, __ATOMIC_RELAXED);
}

static object_t* make(driver_t* driver, object_t* parent, uint32_t type) {
  object_t* object = calloc(1, sizeof(*object));
  if (object == NULL) return NULL;
  set_up(object, driver, type, parent->index);
  object->parent = parent;
  pthread_mutex_lock(&driver->mutex);
  object->next = driver->made;
  driver->made = object;
  pthread_mutex_unlock(&driver->mutex);
  return object;
}

static void kill_object(object_t* object) {
  __atomic_store_n(&object->header.table, g_services->dead_table, __ATOMIC_RELAXED);
}

static xhal_result_t report(xhal_result_t code, int64_t native_code, const char* text) {
  const xhal_error_report_t given = {sizeof(given), code, native_code, FAKE_NAME, text};
  g_services->report_error(&given);
  return code;
}

/* ---- driver ---- */

static xhal_result_t driver_get_devices(xhal_driver_t handle, uint32_t capacity, xhal_device_t* out_devices,
                                        uint32_t* out_count) {
  driver_t* driver = enter(handle);
  uint32_t count = driver->state.raw_devices;
  if (out_count == NULL || (capacity != 0 && out_devices == NULL)) return XHAL_ERROR_INVALID_ARGUMENT;
  if (driver->enumerate != NULL && strcmp(driver->enumerate, "error") == 0) {
    return report(XHAL_ERROR_IO, 77, "the bus is on fire");
  }
  if (driver->enumerate != NULL && strcmp(driver->enumerate, "many") == 0) count = 4000000000u;
  if (driver->enumerate != NULL && strcmp(driver->enumerate, "grow") == 0 && driver->told < count)
    count = ++driver->told;
  *out_count = count;
  if (out_devices == NULL) return XHAL_SUCCESS;
  for (uint32_t i = 0; i < count && i < capacity && i < MAX_DEVICES; ++i) {
    out_devices[i] = (xhal_device_t)&driver->devices[i];
    if (driver->enumerate != NULL && strcmp(driver->enumerate, "null") == 0) out_devices[i] = NULL;
    if (driver->enumerate != NULL && strcmp(driver->enumerate, "type") == 0)
      out_devices[i] = (xhal_device_t)&driver->streams[i];
  }
  return capacity < count ? XHAL_INCOMPLETE : XHAL_SUCCESS;
}

static xhal_result_t driver_get_extension(xhal_driver_t handle, const char* name, uint32_t version,
                                          const void** out_table) {
  driver_t* driver = enter(handle);
  if (name == NULL || out_table == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  if (strcmp(name, "fake.state") != 0 || version != 1) return XHAL_ERROR_NOT_FOUND;
  driver->state.negotiations = __atomic_load_n(&g_negotiations, __ATOMIC_RELAXED);
  driver->state.opens = __atomic_load_n(&g_opens, __ATOMIC_RELAXED);
  *out_table = &driver->state;
  return XHAL_SUCCESS;
}

#ifndef FAKE_NO_ATTRIBUTES
static xhal_result_t driver_get_pointer_attributes(xhal_driver_t handle, const void* pointer,
                                                   xhal_pointer_attributes_t* out_attributes) {
  driver_t* driver = enter(handle);
  const char* owned = driver->state.owned_pointer;
  const char* asked = pointer;
  if (driver->state.attributes_result != 0) return driver->state.attributes_result;
  const uint32_t size = out_attributes->struct_size;
  memset(out_attributes, 0, size);
  out_attributes->struct_size = size;
  if (owned == NULL || asked < owned || asked >= owned + driver->state.owned_size) return XHAL_SUCCESS;
  out_attributes->kind = XHAL_MEMORY_DEVICE;
  out_attributes->device_index = driver->state.raw_devices - 1;
  out_attributes->size = driver->state.owned_size;
  out_attributes->base = (void*)(uintptr_t)owned;
  out_attributes->device_pointer = (void*)(uintptr_t)asked;
  out_attributes->allocation_id = 1;
  return XHAL_SUCCESS;
}
#endif

/* ---- device ---- */

static xhal_result_t device_has_feature(xhal_device_t handle, uint32_t feature, uint32_t* out_claimed) {
  enter(handle);
  if (out_claimed == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  *out_claimed =
      feature == 255 ? 7 : (feature == XHAL_FEATURE_CORE ? 1 : 0); /* 255: layers add a digit each */
  return XHAL_SUCCESS;
}

static xhal_result_t device_get_link(xhal_device_t handle, xhal_device_t peer, xhal_link_t* out_link) {
  enter(handle);
  if (out_link == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  out_link->hops = 100 * object_of(handle)->index + object_of(peer)->index;
  return XHAL_SUCCESS;
}

static xhal_result_t device_get_default_stream(xhal_device_t handle, xhal_stream_t* out_stream) {
  driver_t* driver = enter(handle);
  if (out_stream == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  *out_stream = (xhal_stream_t)&driver->streams[object_of(handle)->index];
  return XHAL_SUCCESS;
}

/* The first call that would need the device: it does what does not survive a fork. */
static xhal_result_t memory_allocate(xhal_device_t handle, const xhal_memory_desc_t* desc,
                                     void** out_pointer) {
  driver_t* driver = enter(handle);
  if (desc == NULL || out_pointer == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  g_services->activated(driver->state.host_context);
  *out_pointer = &driver->devices[object_of(handle)->index];
  return XHAL_SUCCESS;
}

/* ---- stream ---- */

static xhal_result_t stream_create(xhal_device_t handle, const xhal_stream_desc_t* desc,
                                   xhal_stream_t* out_stream) {
  driver_t* driver = enter(handle);
  object_t* made;
  if (out_stream == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  if (driver->state.report_text != NULL) { /* a first attempt failed, another one succeeds */
    report(driver->state.report_code, driver->state.report_native_code, driver->state.report_text);
  }
  if (desc != NULL && desc->flags == 1) { /* a defective driver: an error that writes */
    *out_stream = (xhal_stream_t)&driver->streams[0];
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
  if (desc != NULL && desc->flags == 2) return XHAL_SUCCESS; /* another one: success without a handle */
  made = make(driver, object_of(handle), XHAL_TYPE_stream);
  if (made == NULL) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  *out_stream = (xhal_stream_t)made;
  return XHAL_SUCCESS;
}

static xhal_result_t stream_destroy(xhal_stream_t handle) {
  enter(handle);
  kill_object(object_of(handle));
  return XHAL_SUCCESS;
}

static xhal_result_t stream_get_device(xhal_stream_t handle, xhal_device_t* out_device) {
  driver_t* driver = enter(handle);
  if (out_device == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  *out_device = (xhal_device_t)&driver->devices[object_of(handle)->index];
  return XHAL_SUCCESS;
}

static xhal_result_t stream_query(xhal_stream_t handle) {
  enter(handle);
  return XHAL_SUCCESS;
}

static xhal_result_t stream_synchronize(xhal_stream_t handle, uint64_t timeout_ns) {
  driver_t* driver = enter(handle);
  (void)timeout_ns;
  if (driver->state.report_text != NULL) {
    report(driver->state.report_code, driver->state.report_native_code, driver->state.report_text);
  }
  return driver->state.result;
}

static xhal_result_t stream_wait_event(xhal_stream_t handle, xhal_event_t event, uint32_t flags) {
  enter(handle);
  (void)flags;
  return object_of(event)->recorded != 0 ? XHAL_NOT_READY : XHAL_SUCCESS;
}

static xhal_result_t stream_host_function(xhal_stream_t handle, xhal_host_fn function, void* user) {
  enter(handle);
  if (function == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  function(user, XHAL_SUCCESS); /* a synchronous device: it runs at once */
  return XHAL_SUCCESS;
}

/* ---- event ---- */

static xhal_result_t event_create(xhal_device_t handle, const xhal_event_desc_t* desc,
                                  xhal_event_t* out_event) {
  driver_t* driver = enter(handle);
  object_t* made;
  (void)desc;
  if (out_event == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  made = make(driver, object_of(handle), XHAL_TYPE_event);
  if (made == NULL) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  *out_event = (xhal_event_t)made;
  return XHAL_SUCCESS;
}

static xhal_result_t event_destroy(xhal_event_t handle) {
  enter(handle);
  kill_object(object_of(handle));
  return XHAL_SUCCESS;
}

static xhal_result_t event_record(xhal_event_t handle, xhal_stream_t stream, uint32_t flags) {
  enter(handle);
  (void)stream;
  (void)flags;
  object_of(handle)->recorded++;
  return XHAL_SUCCESS;
}

static xhal_result_t event_get_elapsed(xhal_event_t start, xhal_event_t end, int64_t* out_nanoseconds) {
  enter(start);
  if (out_nanoseconds == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  *out_nanoseconds = (int64_t)object_of(end)->recorded - (int64_t)object_of(start)->recorded;
  return XHAL_SUCCESS;
}

/* ---- module and kernel ---- */

static xhal_result_t module_load(xhal_device_t handle, const xhal_module_desc_t* desc,
                                 xhal_module_t* out_module) {
  driver_t* driver = enter(handle);
  object_t* made;
  (void)desc;
  if (out_module == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  made = make(driver, object_of(handle), XHAL_TYPE_module);
  if (made == NULL) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  *out_module = (xhal_module_t)made;
  return XHAL_SUCCESS;
}

static xhal_result_t module_get_kernel(xhal_module_t handle, const char* name, xhal_kernel_t* out_kernel) {
  driver_t* driver = enter(handle);
  object_t* made;
  if (name == NULL || out_kernel == NULL) return XHAL_ERROR_INVALID_ARGUMENT;
  made = make(driver, object_of(handle), XHAL_TYPE_kernel);
  if (made == NULL) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  *out_kernel = (xhal_kernel_t)made;
  return XHAL_SUCCESS;
}

static xhal_result_t kernel_launch(xhal_stream_t handle, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  enter(handle);
  (void)kernel;
  return launch == NULL ? XHAL_ERROR_INVALID_ARGUMENT : XHAL_SUCCESS;
}

/* ---- open, close, negotiate ---- */

static xhal_result_t fake_open(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  driver_t* driver = NULL;
  uint32_t devices = 2;
  const char* how = "";
  char text[128];
  char* options;
  uint32_t number = __atomic_fetch_add(&g_opens, 1, __ATOMIC_RELAXED);
  driver = calloc(1, sizeof(*driver));
  if (driver == NULL) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  g_drivers[number % 4096] = driver;
  options = driver->state.options;
  for (uint32_t i = 0; i < params->option_count; ++i) {
    const char* key = params->options[i].key;
    const char* value = params->options[i].value;
    const size_t used = strlen(options);
    snprintf(options + used, sizeof(driver->state.options) - used, "%s=%s;", key, value);
    if (strcmp(key, "devices") == 0) {
      devices = (uint32_t)atoi(value);
      if (devices > MAX_DEVICES) return report(XHAL_ERROR_INVALID_ARGUMENT, 0, "devices: at most 8");
    } else if (strcmp(key, "open") == 0) {
      how = value;
    } else if (strcmp(key, "enumerate") == 0) {
      driver->enumerate = strdup(value);
    } else if (strcmp(key, "activate") == 0) {
      g_services->activated(params->host_context);
    } else {
      snprintf(text, sizeof(text), "unknown option '%s'; known are devices, open, enumerate, activate", key);
      return report(XHAL_ERROR_INVALID_ARGUMENT, 0, text);
    }
  }
  if (strcmp(how, "error") == 0)
    return report(XHAL_ERROR_PERMISSION, 13, "no access to /dev/fake0; join the group 'fake'");
  if (strcmp(how, "silent") == 0) return XHAL_ERROR_UNKNOWN;
  if (strcmp(how, "positive") == 0) return XHAL_NOT_READY;
  if (strcmp(how, "null") == 0) return XHAL_SUCCESS;
  pthread_mutex_init(&driver->mutex, NULL);
  driver->state.raw_devices = devices;
  driver->state.host_context = params->host_context;
  driver->state.services = g_services;
  set_up(&driver->object, driver, strcmp(how, "type") == 0 ? XHAL_TYPE_event : XHAL_TYPE_driver, 0);
  for (uint32_t i = 0; i < MAX_DEVICES; ++i) {
    set_up(&driver->devices[i], driver, XHAL_TYPE_device, i);
    set_up(&driver->streams[i], driver, XHAL_TYPE_stream, i);
  }
  *out_driver = (xhal_driver_t)driver;
  return XHAL_SUCCESS;
}

static xhal_result_t fake_close(xhal_driver_t handle) {
  driver_t* driver = (driver_t*)handle;
  if (driver->state.forbid_close != 0) {
    driver->state.forbid_close--;
    if (driver->state.on_forbidden_close != NULL)
      driver->state.on_forbidden_close(driver->state.on_forbidden_close_user);
    return report(XHAL_ERROR_CALL_FORBIDDEN, 0, "close inside a host function");
  }
  kill_object(&driver->object);
  for (uint32_t i = 0; i < MAX_DEVICES; ++i) {
    kill_object(&driver->devices[i]);
    kill_object(&driver->streams[i]);
  }
  for (object_t* object = driver->made; object != NULL; object = object->next) kill_object(object);
  return XHAL_SUCCESS;
}

/* Slots that are not named stay null: the host fills them with refusing ones. */
static const xhal_functions_t kFunctions = {
    .struct_size = sizeof(xhal_functions_t),
    .driver_get_devices = driver_get_devices,
    .driver_get_extension = driver_get_extension,
#ifndef FAKE_NO_ATTRIBUTES
    .driver_get_pointer_attributes = driver_get_pointer_attributes,
#endif
    .device_has_feature = device_has_feature,
    .device_get_link = device_get_link,
    .device_get_default_stream = device_get_default_stream,
    .memory_allocate = memory_allocate,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .stream_get_device = stream_get_device,
    .stream_query = stream_query,
    .stream_synchronize = stream_synchronize,
    .stream_wait_event = stream_wait_event,
    .stream_host_function = stream_host_function,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_record = event_record,
    .event_get_elapsed = event_get_elapsed,
    .module_load = module_load,
    .module_get_kernel = module_get_kernel,
    .kernel_launch = kernel_launch,
};

/* Ends right behind the core calls, as if from an older revision. */
#define SHORT_SIZE ((uint32_t)offsetof(xhal_functions_t, memory_copy_region))

xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* out) {
  __atomic_fetch_add(&g_negotiations, 1, __ATOMIC_RELAXED);
#ifdef FAKE_SLOW_NEGOTIATION
  /* Says through one pipe that it is here, and waits for a byte of another: the variables name their ends. */
  if (getenv("FAKE_GATE") != NULL) {
    char byte = 'x';
    while (write(atoi(getenv("FAKE_REACHED")), &byte, 1) != 1) {
    }
    while (read(atoi(getenv("FAKE_GATE")), &byte, 1) != 1) {
    }
  }
#endif
  out->abi_major = XHAL_ABI_MAJOR;
  out->abi_minor = XHAL_ABI_MINOR;
  out->abi_revision = XHAL_ABI_REVISION;
#ifdef FAKE_OTHER_MINOR
  out->abi_minor = XHAL_ABI_MINOR + 1;
  return XHAL_ERROR_VERSION_MISMATCH;
#endif
#ifdef FAKE_OTHER_MINOR_UNSAID
  out->abi_minor = XHAL_ABI_MINOR + 1;
#endif
#ifdef FAKE_REFUSES_HOST
  return XHAL_ERROR_VERSION_MISMATCH;
#endif
#ifdef FAKE_NEGOTIATION_ERROR
  {
    const xhal_error_report_t given = {sizeof(given), XHAL_ERROR_IO, 5, FAKE_NAME,
                                       "firmware is missing; install it"};
    host->services->report_error(&given);
    return XHAL_ERROR_IO;
  }
#endif
#ifdef FAKE_NEGOTIATION_POSITIVE
  return XHAL_NOT_READY;
#endif
  g_services = host->services;
  memcpy(out->functions, &kFunctions, sizeof(kFunctions));
  out->struct_size = sizeof(*out);
  out->name = FAKE_NAME;
  out->version = "1.2.3";
  out->open = fake_open;
  out->close = fake_close;
#ifdef FAKE_NO_NAME
  out->name = NULL;
#endif
#ifdef FAKE_EMPTY_NAME
  out->name = "";
#endif
#ifdef FAKE_OTHER_NAME
  out->name = "somebody_else";
#endif
#ifdef FAKE_BAD_NAME
  out->name = "No Good Name";
#endif
#ifdef FAKE_NO_OPEN
  out->open = NULL;
#endif
#ifdef FAKE_NO_CLOSE
  out->close = NULL;
#endif
#ifdef FAKE_INTERFACE_SMALL
  out->struct_size = (uint32_t)offsetof(xhal_driver_interface_t, close);
#endif
#ifdef FAKE_INTERFACE_LARGE
  out->struct_size = sizeof(*out) + 8;
#endif
#ifdef FAKE_INTERFACE_OVERRUN
  memset((char*)out + sizeof(*out), 0, 8);
#endif
#ifdef FAKE_TABLE_SMALL
  out->functions->struct_size = (uint32_t)offsetof(xhal_functions_t, event_create);
#endif
#ifdef FAKE_TABLE_ZERO
  out->functions->struct_size = 0;
#endif
#ifdef FAKE_TABLE_ODD
  out->functions->struct_size = SHORT_SIZE + 4;
#endif
#ifdef FAKE_TABLE_LARGE
  out->functions->struct_size = out->functions_capacity + 8;
#endif
#ifdef FAKE_TABLE_OVERRUN
  memset((char*)out->functions + out->functions_capacity, 0, 8);
#endif
#ifdef FAKE_TABLE_OWN
  out->functions = (xhal_functions_t*)(uintptr_t)&kFunctions;
#endif
#ifdef FAKE_TABLE_SHORT
  memset((char*)out->functions + SHORT_SIZE, 0, 8); /* what lies behind the told size is not to be used */
  out->functions->struct_size = SHORT_SIZE;
#endif
  return XHAL_SUCCESS;
}
