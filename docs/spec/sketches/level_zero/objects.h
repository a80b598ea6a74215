/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a driver's objects that the sketches of Level Zero touch. Written against API 1.4 (Debian 12's libze-dev). */
#ifndef XHAL_SKETCH_LEVEL_ZERO_H_
#define XHAL_SKETCH_LEVEL_ZERO_H_

#include <level_zero/ze_api.h>
#include <level_zero/zes_api.h>

#include "sketch.h"

typedef struct {
  ze_driver_handle_t driver;
  ze_device_handle_t device;
  ze_context_handle_t
      context;            /* one for all devices of the driver, so that events and memory reach across them */
  uint32_t compute_group; /* ordinal of a queue group with compute and copy */
} Device;

/*
 * An immediate command list. Its commands have no order among themselves unless an event or a barrier gives it: each operation waits for
 * `last` and signals a fresh event, which becomes `last`. Appending is not thread-safe for one list: the driver locks the stream.
 */
typedef struct {
  Device* device;
  ze_command_list_handle_t list;
  ze_event_handle_t last; /* null: nothing was submitted */
} Stream;

/* Level Zero's events are one-shot: each record takes a fresh one, so a generation is a ze_event of its own. */
typedef struct {
  Device* device;
  ze_event_handle_t current; /* null: generation 0 */
  int has_timing;
} Event;

typedef struct {
  Device* device;
  ze_module_handle_t module;
} Module;

typedef struct {
  Module* module;
  ze_kernel_handle_t kernel; /* argument values are its state: locked from the first argument to the launch */
} Kernel;

/* Capture is the driver's own: it sees every submission. A graph is its list of recorded operations. */
typedef struct operation operation;
typedef struct {
  const operation* const* operations;
  uint32_t count;
} Graph;

typedef struct {
  ze_command_list_handle_t list;
  ze_event_handle_t begin, end; /* reset by the list itself; launches never overlap */
} GraphExec;

typedef struct {
  ze_physical_mem_handle_t physical;
} Physical;

xhal_result_t result(ze_result_t code);

/* From the device's event pools; it goes back when nobody refers to it any more, and is reset by the host then. */
ze_event_handle_t fresh_event(Device* device, int with_timing);

/* Appends one recorded operation to a list, behind a barrier where the graph has an edge. */
xhal_result_t append(ze_command_list_handle_t list, const operation* operation);

static inline uint32_t waits(const Stream* stream) { return stream->last != NULL; }
static inline ze_event_handle_t* wait_list(Stream* stream) {
  return stream->last != NULL ? &stream->last : NULL;
}

#endif
