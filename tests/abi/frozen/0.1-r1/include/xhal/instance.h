/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/instance.h - finding drivers, instances, drivers, enumeration.
 *
 * An instance is one application's view of the machine: the drivers it selected, their devices, a table of calls of its own. Several
 * live side by side. Counting devices and reading their properties opens no vendor context and is safe before fork.
 */
#ifndef XHAL_INSTANCE_H_
#define XHAL_INSTANCE_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Types ------------------------------------------------------------------------------------------------------------------ */

/* One option for one driver. Unknown keys are refused by the driver. [XHAL-INSTANCE-9] */
typedef struct xhal_option {
  const char* driver; /* name of the driver it is for */
  const char* key;
  const char* value;
} xhal_option_t;

enum { XHAL_LOG_ERROR = 0, XHAL_LOG_WARNING = 1, XHAL_LOG_INFO = 2, XHAL_LOG_DEBUG = 3 };

/* May be called from any thread that is inside a call of this library, or from a driver's thread. It must not call the library. */
typedef void (*xhal_log_fn)(void* user, uint32_t level, const char* source, const char* text);

enum {
  XHAL_CANDIDATE_SELECTED = 0,  /* loaded, or would be when only discovering */
  XHAL_CANDIDATE_NOT_ASKED = 1, /* left out by the selection */
  XHAL_CANDIDATE_SHADOWED = 2,  /* an earlier one has its name */
  XHAL_CANDIDATE_REFUSED = 3,   /* manifest or library cannot be used; reason says why */
  XHAL_CANDIDATE_ABSENT = 4     /* a place that was looked at and holds nothing */
};

/* One decision of the search; strings live during the callback. */
typedef struct xhal_candidate {
  uint32_t struct_size;
  uint32_t decision;
  xhal_result_t result; /* of the step that refused it */
  uint32_t is_layer;
  uint32_t emulated; /* as the manifest says */
  uint32_t reserved;
  const char*
      origin; /* "explicit", "XHAL_DRIVER_PATH" or "XHAL_LAYER_PATH", "user", "system", "installation", "selection" */
  const char* manifest_path; /* or the place looked at */
  const char* library_path;  /* "" until known */
  const char* name;          /* "" until known */
  const char* description;
  const char* reason; /* one line */
} xhal_candidate_t;

typedef void (*xhal_candidate_fn)(void* user, const xhal_candidate_t* candidate);

enum {
  XHAL_INSTANCE_IGNORE_ENVIRONMENT =
      1u << 0, /* read no variable, HOME neither, as an elevated process does [XHAL-LOADER-3] */
  XHAL_INSTANCE_DISCOVER_ONLY = 1u << 1 /* read manifests, load nothing: the instance has no drivers */
};

/*
 * How an instance is made. All zero but struct_size and abi_minor means: search the usual places, take every driver found.
 * Explicit fields win over environment variables.
 */
typedef struct xhal_instance_desc {
  uint32_t struct_size;
  uint32_t flags;
  uint32_t abi_minor; /* XHAL_ABI_MINOR of the application's headers; 0 is taken as 0 and refused */
  uint32_t driver_path_count;
  const char* const* driver_paths; /* manifests or libraries, taken before any search */
  const char*
      drivers; /* comma list of names, in this order; null: XHAL_DRIVERS, or all; "" : only driver_paths */
  const char* layers; /* comma list, a nearest the application; null: XHAL_LAYERS; "": none */
  const xhal_option_t* options;
  uint32_t option_count;
  uint32_t option_stride; /* 0: sizeof(xhal_option_t) */
  xhal_log_fn log;        /* null: XHAL_LOG decides, to stderr */
  void* log_user;
  xhal_candidate_fn on_candidate; /* told each decision, in search order, before the call returns */
  void* candidate_user;
} xhal_instance_desc_t;

typedef struct xhal_driver_properties {
  uint32_t struct_size;
  uint32_t emulated; /* 1: stands in for hardware that is not there */
  uint32_t abi_minor;
  uint32_t abi_revision;
  char name[64];
  char version[64]; /* the driver's own */
  char vendor[64];
  char native_driver_version[64]; /* "" when there is none */
  char native_runtime_version[64];
  char library_path[1024];
  char manifest_path[1024];
  char visible_devices_variable[64]; /* the vendor's variable that hides devices, "" when none */
  char visible_devices_effect[256];  /* in words: to count, index and uuid; docs/spec/device.md has them */
} xhal_driver_properties_t;

/* ---- Instance ---------------------------------------------------------------------------------------------------------------- */

/*
 * Finds, loads and opens drivers. Succeeds with no devices when none is found [XHAL-INSTANCE-1], unless one was asked for by name or
 * path [XHAL-INSTANCE-3]. desc may be null. Opens no vendor context. [XHAL-INSTANCE-2]
 * Errors: DRIVER_NOT_FOUND, NOT_FOUND (layers), DRIVER_FAILED, UNSUPPORTED (what the driver drives is not installed), VERSION_MISMATCH,
 * BAD_MANIFEST (all of these explicit drivers and layers only), INVALID_ARGUMENT, OUT_OF_HOST_MEMORY.
 */
XHAL_EXPORT xhal_result_t xhal_instance_create(const xhal_instance_desc_t* desc,
                                               xhal_instance_t* out_instance);

/* The one destroy that may wait: for work that runs. Afterwards all handles of the instance are invalid. [XHAL-INSTANCE-8] [XHAL-ABI-22] */
XHAL_EXPORT xhal_result_t xhal_instance_destroy(xhal_instance_t instance);

/* Handles belong to the instance and are not destroyed by the caller. [XHAL-INSTANCE-5] [XHAL-INSTANCE-6] */
XHAL_EXPORT xhal_result_t xhal_instance_get_drivers(xhal_instance_t instance, uint32_t capacity,
                                                    xhal_driver_t* out_drivers, uint32_t* out_count);
/* All devices of all drivers, driver by driver. */
XHAL_EXPORT xhal_result_t xhal_instance_get_devices(xhal_instance_t instance, uint32_t capacity,
                                                    xhal_device_t* out_devices, uint32_t* out_count);

/* ---- Driver ------------------------------------------------------------------------------------------------------------------ */

XHAL_EXPORT xhal_result_t xhal_driver_get_properties(xhal_driver_t driver,
                                                     xhal_driver_properties_t* out_properties);
XHAL_EXPORT xhal_result_t xhal_driver_get_devices(xhal_driver_t driver, uint32_t capacity,
                                                  xhal_device_t* out_devices, uint32_t* out_count);

/*
 * The one door for a vendor's further calls: a table by name and version, alive as long as the instance. Its layout is the vendor's.
 * Errors: NOT_FOUND. [XHAL-ABI-21]
 */
XHAL_EXPORT xhal_result_t xhal_driver_get_extension(xhal_driver_t driver, const char* name, uint32_t version,
                                                    const void** out_table);

XHAL_END_DECLS

#endif
