/* SPDX-License-Identifier: Apache-2.0 */
/* Native handles out: no call but the question for the primary context's state. */
#include "objects.h"

/* Asks without opening: the question is about any user of the primary context, the answer of the contract about this instance. */
xhal_result_t sketch_device_is_active(const Device* device, uint32_t* out_active) {
  unsigned int flags = 0;
  int active = 0;
  TRY(cuDevicePrimaryCtxGetState(device->device, &flags, &active));
  *out_active = active && device->context != NULL;
  return XHAL_SUCCESS;
}
