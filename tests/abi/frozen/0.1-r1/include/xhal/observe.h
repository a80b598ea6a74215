/* SPDX-License-Identifier: Apache-2.0 */
/* xhal/observe.h - telemetry (feature telemetry) and activity records (feature activity). */
#ifndef XHAL_OBSERVE_H_
#define XHAL_OBSERVE_H_

#include "xhal/base.h"

XHAL_BEGIN_DECLS

/* ---- Telemetry ---------------------------------------------------------------------------------------------------------------- */

enum {
  XHAL_METRIC_UTILIZATION = 1, /* 1/1000 of the time busy */
  XHAL_METRIC_MEMORY_UTILIZATION = 2,
  XHAL_METRIC_TEMPERATURE = 3, /* 1/1000 degree Celsius */
  XHAL_METRIC_POWER = 4,       /* milliwatt */
  XHAL_METRIC_ENERGY = 5,      /* millijoule since boot */
  XHAL_METRIC_CLOCK = 6,       /* kHz of the compute units */
  XHAL_METRIC_MEMORY_CLOCK = 7,
  XHAL_METRIC_THROTTLE_REASONS = 8, /* bit 0 power, 1 temperature, 2 other */
  XHAL_METRIC_ECC_CORRECTED = 9,    /* count since boot */
  XHAL_METRIC_ECC_UNCORRECTED = 10,
  XHAL_METRIC_PROCESS_MEMORY = 11, /* bytes held by the process `instance` (a pid; 0: this one) */
  XHAL_METRIC_PCI_RX = 12,         /* bytes per second */
  XHAL_METRIC_PCI_TX = 13
};

typedef struct xhal_metric {
  uint32_t struct_size;
  uint32_t metric;       /* in: XHAL_METRIC_x */
  uint64_t instance;     /* in: 0, or the unit or process meant */
  xhal_result_t status;  /* out: SUCCESS, UNSUPPORTED, PERMISSION, NOT_FOUND */
  uint32_t simulated;    /* out: 1: a made-up number */
  int64_t value;         /* out */
  uint64_t timestamp_ns; /* out: host monotonic clock [XHAL-TELEMETRY-6] */
} xhal_metric_t;

/*
 * Reads count metrics at once; each says by its status whether the device has it. [XHAL-TELEMETRY-1..4] Opens no context and waits for
 * nothing. [XHAL-TELEMETRY-5]
 */
XHAL_EXPORT xhal_result_t xhal_device_read_metrics(xhal_device_t device, uint32_t count, uint32_t stride,
                                                   xhal_metric_t* metrics);

/* ---- Activity ----------------------------------------------------------------------------------------------------------------- */

enum {
  XHAL_ACTIVITY_KERNEL = 1u << 0,
  XHAL_ACTIVITY_COPY = 1u << 1,
  XHAL_ACTIVITY_FILL = 1u << 2,
  XHAL_ACTIVITY_HOST_FUNCTION = 1u << 3,
  XHAL_ACTIVITY_WAIT = 1u << 4,
  XHAL_ACTIVITY_GRAPH = 1u << 5,
  XHAL_ACTIVITY_ALLOCATION = 1u << 6
};

typedef struct xhal_activity_record {
  uint32_t struct_size;
  uint32_t kind; /* one XHAL_ACTIVITY_ bit */
  uint32_t device_index;
  uint32_t detail; /* copies: one XHAL_COPY_ bit; else 0 */
  uint64_t stream_id;
  uint64_t correlation_id; /* of the call inside this driver: each submission has its own */
  uint64_t
      external_correlation; /* what the submitting thread had pushed, or the launch's correlation_id; 0: none */
  uint64_t begin_ns, end_ns; /* device clock; xhal_device_get_clocks relates it to the host's */
  uint64_t bytes;
  const char* name; /* kernel name, else ""; alive during the callback */
} xhal_activity_record_t;

/* Called from a thread of the driver with records of completed work; `stride` bytes apart. Must not call the library. */
typedef void (*xhal_activity_fn)(void* user, const xhal_activity_record_t* records, uint32_t count,
                                 uint32_t stride);

typedef struct xhal_activity_desc {
  uint32_t struct_size;
  uint32_t kinds;
  xhal_activity_fn callback;
  void* user;
} xhal_activity_desc_t;

/* One moment on both clocks. */
typedef struct xhal_clocks {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t device_ns;
  uint64_t host_ns;        /* CLOCK_MONOTONIC */
  uint64_t uncertainty_ns; /* the two were read within this */
} xhal_clocks_t;

/* Changes nothing for the work that it watches. [XHAL-ACTIVITY-7] BUSY where the vendor allows one subscriber only; INVALID_ARGUMENT. [XHAL-ACTIVITY-8] */
XHAL_EXPORT xhal_result_t xhal_activity_subscribe(xhal_device_t device, const xhal_activity_desc_t* desc,
                                                  xhal_subscription_t* out_subscription);
/* Delivers what is complete first; after it returns the callback is not called again. [XHAL-ACTIVITY-6] */
XHAL_EXPORT xhal_result_t xhal_activity_unsubscribe(xhal_subscription_t subscription);
/* Delivers the records of all work that was done at the call, each once. [XHAL-ACTIVITY-1..3] */
XHAL_EXPORT xhal_result_t xhal_activity_flush(xhal_subscription_t subscription, uint64_t timeout_ns);
/* The calling thread's external correlation for later submissions; gives back the former one. 0 ends it. [XHAL-ACTIVITY-4] */
XHAL_EXPORT xhal_result_t xhal_driver_exchange_correlation(xhal_driver_t driver, uint64_t id,
                                                           uint64_t* out_former);
/* [XHAL-ACTIVITY-5] */
XHAL_EXPORT xhal_result_t xhal_device_get_clocks(xhal_device_t device, xhal_clocks_t* out_clocks);

XHAL_END_DECLS

#endif
