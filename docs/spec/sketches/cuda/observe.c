/* SPDX-License-Identifier: Apache-2.0 */
/* Activity by CUPTI, which comes with the toolkit: the driver opens libcupti when the first subscription is made. */
#include "objects.h"

#if defined(__has_include)
#if __has_include(<cupti.h>)
#include <cupti.h>
#define XHAL_HAS_CUPTI 1
#endif
#endif

#ifdef XHAL_HAS_CUPTI

static xhal_result_t cupti_result(CUptiResult code) {
  if (code == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED) return XHAL_ERROR_BUSY;
  return code == CUPTI_SUCCESS ? XHAL_SUCCESS : XHAL_ERROR_UNKNOWN;
}
#define TRY_CUPTI(call)                                  \
  do {                                                   \
    const xhal_result_t try_result = cupti_result(call); \
    if (try_result != XHAL_SUCCESS) return try_result;   \
  } while (0)

void CUPTIAPI give_buffer(uint8_t** buffer, size_t* size, size_t* record_limit);
void CUPTIAPI take_buffer(CUcontext context, uint32_t stream, uint8_t* buffer, size_t size, size_t valid);

/* One consumer of activity buffers in a process: BUSY when a profiler is attached. */
xhal_result_t sketch_activity_subscribe(uint32_t kinds) {
  TRY_CUPTI(cuptiActivityRegisterCallbacks(give_buffer, take_buffer));
  if (kinds & XHAL_ACTIVITY_KERNEL) TRY_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
  if (kinds & XHAL_ACTIVITY_COPY) TRY_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY));
  if (kinds & XHAL_ACTIVITY_FILL) TRY_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMSET));
  TRY_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_activity_unsubscribe(void) {
  TRY_CUPTI(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));
  TRY_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
  TRY_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_MEMCPY));
  TRY_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_MEMSET));
  return XHAL_SUCCESS;
}

/* take_buffer runs inside this call for every completed record. */
xhal_result_t sketch_activity_flush(void) {
  TRY_CUPTI(cuptiActivityFlushAll(0));
  return XHAL_SUCCESS;
}

/* A stack of ids a thread; the exchange is a pop and a push. */
xhal_result_t sketch_driver_exchange_correlation(uint64_t id, uint64_t* out_former) {
  uint64_t former = 0;
  const CUptiResult code =
      cuptiActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0, &former);
  if (code != CUPTI_ERROR_QUEUE_EMPTY) TRY_CUPTI(code);
  if (id != 0) TRY_CUPTI(cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0, id));
  *out_former = former;
  return XHAL_SUCCESS;
}

/* CUPTI brings records to one normalised clock; read between two readings of the host's. */
xhal_result_t sketch_device_get_clocks(uint64_t host_before, uint64_t host_after, xhal_clocks_t* out) {
  uint64_t now = 0;
  TRY_CUPTI(cuptiGetTimestamp(&now));
  out->device_ns = now;
  out->host_ns = host_before + (host_after - host_before) / 2;
  out->uncertainty_ns = host_after - host_before;
  return XHAL_SUCCESS;
}

#endif
