/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer for tests, without the kit: LAYER_NAME, LAYER_DIGIT. It appends its digit to what device_has_feature(255) answers, counts
 * queries in its state, gives out a stream by its own event_record, and tells its state as an extension "layer.<name>".
 * Options: attach=error; any other is kept.
 */
#include "fake_layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t g_slot; /* atomic: written at each attach, always the same */
static const xhal_host_services_t* g_services;
/* What is detached is kept, for tests that look at it afterwards and for the leak checker. */
static fake_layer_state_t* g_states[4096];
static uint32_t g_state_count;

#define STATE(handle) \
  ((fake_layer_state_t*)XHAL_LAYER_STATE(handle, __atomic_load_n(&g_slot, __ATOMIC_RELAXED)))

static xhal_result_t device_has_feature(xhal_device_t device, uint32_t feature, uint32_t* out_claimed) {
  const xhal_result_t result = STATE(device)->next->device_has_feature(device, feature, out_claimed);
  if (result == XHAL_SUCCESS && feature == 255) *out_claimed = 10 * *out_claimed + LAYER_DIGIT;
  return result;
}

static xhal_result_t stream_query(xhal_stream_t stream) {
  fake_layer_state_t* state = STATE(stream);
  __atomic_fetch_add(&state->queries, 1, __ATOMIC_RELAXED);
  if (state->query_result != 0) {
    const xhal_error_report_t report = {sizeof(report), state->query_result, 4, LAYER_NAME,
                                        "the layer forbids it"};
    g_services->report_error(&report);
    return state->query_result;
  }
  return state->next->stream_query(stream);
}

static xhal_result_t stream_create(xhal_device_t device, const xhal_stream_desc_t* desc,
                                   xhal_stream_t* out_stream) {
  fake_layer_state_t* state = STATE(device);
  const xhal_result_t result = state->next->stream_create(device, desc, out_stream);
  /* Not stamped yet on the layer's side. */
  if (result == XHAL_SUCCESS)
    __atomic_store_n(&state->saw_unstamped,
                     ((const xhal_handle_header_t*)*out_stream)->table->state == XHAL_TABLE_DEAD ? 1 : 0,
                     __ATOMIC_RELAXED);
  return result;
}

static xhal_result_t driver_get_devices(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out_devices,
                                        uint32_t* out_count) {
  fake_layer_state_t* state = STATE(driver);
  xhal_result_t result = state->next->driver_get_devices(driver, capacity, out_devices, out_count);
  if (state->hide_last && result >= 0 && *out_count > 0) *out_count -= 1;
  return result;
}

static xhal_result_t driver_get_extension(xhal_driver_t driver, const char* name, uint32_t version,
                                          const void** out_table) {
  fake_layer_state_t* state = STATE(driver);
  if (name != NULL && strcmp(name, "layer." LAYER_NAME) == 0 && version == 1) {
    *out_table = state;
    return XHAL_SUCCESS;
  }
  return state->next->driver_get_extension(driver, name, version, out_table);
}

static xhal_result_t attach(const xhal_layer_attach_t* params, void** out_state) {
  fake_layer_state_t* state = calloc(1, sizeof(*state));
  if (state == NULL) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  g_states[__atomic_fetch_add(&g_state_count, 1, __ATOMIC_RELAXED) % 4096] = state;
  for (uint32_t i = 0; i < params->option_count; ++i) {
    const char* key = params->options[i].key;
    const char* value = params->options[i].value;
    const size_t used = strlen(state->options);
    snprintf(state->options + used, sizeof(state->options) - used, "%s=%s;", key, value);
    if (strcmp(key, "hide") == 0) state->hide_last = 1;
    if (strcmp(key, "attach") == 0) {
      const xhal_error_report_t report = {sizeof(report), XHAL_ERROR_IO, 0, LAYER_NAME,
                                          "the layer's file cannot be written"};
      g_services->report_error(&report);
      return XHAL_ERROR_IO;
    }
  }
  __atomic_store_n(&g_slot, params->slot, __ATOMIC_RELAXED);
  state->slot = params->slot;
  state->next = params->next;
  snprintf(state->driver_name, sizeof(state->driver_name), "%s", params->driver_name);
  params->functions->device_has_feature = device_has_feature;
  params->functions->stream_query = stream_query;
  params->functions->stream_create = stream_create;
  params->functions->driver_get_devices = driver_get_devices;
  params->functions->driver_get_extension = driver_get_extension;
#ifdef LAYER_OVERRUN
  memset((char*)params->functions + params->functions_capacity, 0, 8);
#endif
#ifdef LAYER_NULL_SLOT
  params->functions->graph_destroy = NULL;
#endif
  *out_state = state;
  return XHAL_SUCCESS;
}

static void detach(void* given) {
  fake_layer_state_t* state = given;
  state->detached++;
}

xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host, xhal_layer_interface_t* out) {
  g_services = host->services;
  out->struct_size = sizeof(*out);
  out->abi_major = XHAL_ABI_MAJOR;
  out->abi_minor = XHAL_ABI_MINOR;
  out->abi_revision = XHAL_ABI_REVISION;
#ifdef LAYER_OTHER_MINOR
  out->abi_minor = XHAL_ABI_MINOR + 1;
  return XHAL_ERROR_VERSION_MISMATCH;
#endif
  out->name = LAYER_NAME;
  out->version = "1";
  out->attach = attach;
  out->detach = detach;
  return XHAL_SUCCESS;
}
