/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/driver.h - the other side of the contract: what a driver or a layer exports and what libxhal gives it.
 *
 * A driver is a shared library with one exported symbol, xhal_driver_negotiate, and a manifest beside it. The static library
 * xhal::driver_kit has the negotiation, the handle slabs, the struct rules and the stubs; a driver written with it does not write
 * any of them again. A layer is the same with xhal_layer_negotiate; it stands between libxhal and the next layer or the driver.
 *
 * How a call travels: the application calls xhal_stream_query(stream) in libxhal, which checks the handle and jumps through
 * stream->table->functions.stream_query: the outermost layer's function, or the driver's. A layer calls on through its `next`
 * table with the same handle; handles are never wrapped.
 */
#ifndef XHAL_DRIVER_H_
#define XHAL_DRIVER_H_

#include "xhal/macros.h"
#include "xhal/xhal.h"

XHAL_BEGIN_DECLS

/* ---- Tables ------------------------------------------------------------------------------------------------------------------- */

/* One slot an entry, in the list's order. Grows at the end within a 0.minor; struct_size says how much of it is there. */
typedef struct xhal_functions {
  uint32_t struct_size;
  uint32_t abi_revision;
#define XHAL_ENTRY(feature, since, name, ...) xhal_result_t (*name)(XHAL_PARAMS(__VA_ARGS__));
#include "xhal/entry_points.def"
} xhal_functions_t;

#define XHAL_MAX_LAYERS 16
#define XHAL_TABLE_LIVE 0x4c414858u   /* "XHAL" */
#define XHAL_TABLE_DEAD 0x44414544u   /* "DEAD" */
#define XHAL_TABLE_FORKED 0x4b524f46u /* "FORK" */

/*
 * What the first word of a handle points to: made by libxhal, one for each handle type of each driver of each instance, never unmapped.
 * The part before `functions` is frozen. Only the slots whose first parameter is a handle of this type are live, the others refuse with
 * INVALID_HANDLE: so the one jump through it checks the type as well. When the instance is destroyed, or its process forks, libxhal
 * overwrites the functions in place by ones that refuse, so that the call path needs no check for either.
 * docs/decisions/0002-call-path.md has the reasons. `driver` and `layer_state` are equal in all tables of a driver and instance.
 */
typedef struct xhal_table {
  uint32_t state;     /* XHAL_TABLE_x */
  uint32_t type;      /* of the handles that point here, from XHAL_HANDLE_LIST; 0 in the dead table */
  void* host_context; /* libxhal's */
  const struct xhal_functions*
      driver; /* what the driver itself gave, below all layers; complete: no slot is null */
  void* layer_state[XHAL_MAX_LAYERS]; /* by the slot that a layer was told in attach */
  xhal_functions_t functions;
} xhal_table_t;

/*
 * How every object that a handle points to starts. The driver (its kit) sets table to the dead table and type and generation when the
 * slot is given out; libxhal stamps table when the handle passes it on its way to the application; the kit sets it back to the dead
 * table when the object is destroyed. The memory of a header stays readable for the life of the process, and a slot is used again
 * only after at least 1,024 other slots of its type were given back. [XHAL-ABI-4]
 */
typedef struct xhal_handle_header {
  const xhal_table_t* table;
  uint32_t type; /* from XHAL_HANDLE_LIST */
  uint32_t generation;
  void* object; /* the driver's; null when the slot is free */
  void* reserved;
} xhal_handle_header_t;

enum {
#define XHAL_HANDLE_TYPE_(name, tag) XHAL_TYPE_##name = (tag),
  XHAL_HANDLE_LIST(XHAL_HANDLE_TYPE_)
#undef XHAL_HANDLE_TYPE_
      XHAL_TYPE_END_ = 255
};

/* ---- What libxhal offers ---------------------------------------------------------------------------------------------------- */

typedef struct xhal_error_report {
  uint32_t struct_size;
  xhal_result_t code;
  int64_t native_code;
  const char* source; /* the driver's or layer's name */
  const char* text;   /* one line; copied */
} xhal_error_report_t;

/* Valid for the life of the process; every function may be called from any thread. Grows at the end. */
typedef struct xhal_host_services {
  uint32_t struct_size;
  uint32_t abi_revision;
  const xhal_table_t* dead_table;
  /* Text for the error that the calling thread's current call is about to return; the entry's name is added by libxhal. */
  void (*report_error)(const xhal_error_report_t* report);
  void (*log)(void* host_context, uint32_t level, const char* source, const char* text);
  /*
   * To be called before a driver does anything that does not survive a fork: starts a thread, opens a context, maps shared memory that a
   * child must not touch. Once is enough, more is harmless. After it, every call of the instance in a forked child returns FORKED.
   */
  void (*activated)(void* host_context);
  /* A number that no other call of this ever returned in this process: ids of streams, allocations, captures, correlations. */
  uint64_t (*next_id)(void);
} xhal_host_services_t;

/* Filled by libxhal before it calls a negotiate function. */
typedef struct xhal_negotiation {
  uint32_t struct_size;
  uint32_t abi_major, abi_minor, abi_revision; /* libxhal's */
  const xhal_host_services_t* services;
  const char* library_path; /* as loaded; alive for the life of the process */
  const char* manifest_path;
} xhal_negotiation_t;

/* ---- Drivers ------------------------------------------------------------------------------------------------------------------ */

typedef struct xhal_key_value {
  const char* key;
  const char* value;
} xhal_key_value_t;

typedef struct xhal_driver_open {
  uint32_t struct_size;
  uint32_t option_count;
  const xhal_key_value_t* options; /* later ones win; unknown keys are refused [XHAL-INSTANCE-9] */
  void* host_context;              /* for services */
} xhal_driver_open_t;

/*
 * Filled by the driver. struct_size comes in as the size libxhal has and goes out as the size that the driver filled, at most what came
 * in. `functions` points to libxhal's memory of functions_capacity bytes, all slots refusing; the driver writes its own into at most that
 * much and sets functions->struct_size to what it knows, at most the capacity. A slot left null refuses with UNSUPPORTED.
 */
typedef struct xhal_driver_interface {
  uint32_t struct_size;
  uint32_t abi_major, abi_minor, abi_revision; /* the driver's */
  uint32_t functions_capacity;                 /* in */
  uint32_t reserved;
  xhal_functions_t* functions; /* in: where to; out: filled */
  const char* name;            /* must be the manifest's */
  const char* version;
  /*
   * One object for each instance. Opens no vendor context and starts no thread. UNSUPPORTED where what it drives is not installed on this
   * machine: it is left out as any driver that fails, and nobody calls it broken.
   */
  xhal_result_t (*open)(const xhal_driver_open_t* params, xhal_driver_t* out_driver);
  /*
   * Stops everything, turns the headers of all its handles dead; afterwards no thread of it touches memory of the application. Not called
   * in a forked child once the instance was activated. Inside a host function CALL_FORBIDDEN, having changed nothing; any other error is
   * logged and the driver counts as closed. A driver that answers the extension of xhal/ext/host_function.h, as the kit's do, is asked
   * by it before any driver of the instance is closed; one that does not is closed first, so that its refusal comes before other changes.
   */
  xhal_result_t (*close)(xhal_driver_t driver);
} xhal_driver_interface_t;

/* The one exported symbol of a driver. VERSION_MISMATCH when 0.minor is unequal. */
typedef xhal_result_t (*xhal_driver_negotiate_fn)(const xhal_negotiation_t* host,
                                                  xhal_driver_interface_t* interface_out);
#define XHAL_DRIVER_NEGOTIATE_SYMBOL "xhal_driver_negotiate"
XHAL_EXPORT xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host,
                                                xhal_driver_interface_t* interface_out);

/* ---- Layers ------------------------------------------------------------------------------------------------------------------- */

typedef struct xhal_layer_attach {
  uint32_t struct_size;
  uint32_t slot; /* table->layer_state[slot] is this layer's; the same at every attach in the process */
  uint32_t functions_capacity;
  uint32_t option_count;
  const xhal_functions_t* next; /* complete: no slot is null; valid until detach */
  xhal_functions_t*
      functions; /* starts as a copy of next: overwrite what the layer intercepts, up to functions_capacity */
  const char* driver_name;
  const xhal_key_value_t* options;
  void* host_context;
} xhal_layer_attach_t;

typedef struct xhal_layer_interface {
  uint32_t struct_size;
  uint32_t abi_major, abi_minor, abi_revision;
  const char* name;
  const char* version;
  /* Once for each driver of each instance that asked for the layer. *out_state goes into the slot. */
  xhal_result_t (*attach)(const xhal_layer_attach_t* params, void** out_state);
  /* After the driver was closed. */
  void (*detach)(void* state);
} xhal_layer_interface_t;

typedef xhal_result_t (*xhal_layer_negotiate_fn)(const xhal_negotiation_t* host,
                                                 xhal_layer_interface_t* interface_out);
#define XHAL_LAYER_NEGOTIATE_SYMBOL "xhal_layer_negotiate"
XHAL_EXPORT xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host,
                                               xhal_layer_interface_t* interface_out);

/* A layer finds its state by the first handle of the call. Handles just given out by `next` are not stamped yet: do not ask them. */
#define XHAL_LAYER_STATE(handle, slot) (((const xhal_handle_header_t*)(handle))->table->layer_state[(slot)])

XHAL_END_DECLS

#endif
