// SPDX-License-Identifier: Apache-2.0
// What tests tell the driver `traced`, by its extension table "traced_control".
#pragma once

#include <cstdint>

#include "xhal/xhal.h"

namespace xhal::traced {

struct Control {
  // While held, queries are not ready and waits time out; nothing of it blocks.
  void (*hold)(bool held);
  // What the next submission returns.
  void (*fail_next)(xhal_result_t result);
  // What the next flush of a subscription returns.
  void (*fail_flush)(xhal_result_t result);
  // Subscriptions that live.
  uint32_t (*subscriptions)();
  // The external correlation of the latest submission.
  uint64_t (*last_correlation)();
  // Calls that reached the driver, by any thread.
  uint64_t (*calls)();
};

}  // namespace xhal::traced
