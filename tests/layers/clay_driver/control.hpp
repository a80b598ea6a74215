// SPDX-License-Identifier: Apache-2.0
// What tests tell the driver `clay`, by its extension table "clay_control".
#pragma once

#include <cstdint>

#include "xhal/xhal.h"

namespace xhal::clay {

enum class Defect { kNone, kNoHandle, kSameAddress };

struct Control {
  // What the next call returns that is no question about devices.
  void (*fail_next)(xhal_result_t result);
  // What the driver does wrong from now on.
  void (*misbehave)(Defect defect);
  // Called inside every stream_synchronize; null: nothing.
  void (*inside_synchronize)(void (*function)(void*), void* user);
  // What the driver tells of every address in the range from now on: device memory of its own. Size 0: of none.
  void (*know)(void* base, uint64_t size);
  // Calls that reached the driver, by any thread.
  uint64_t (*calls)();
};

}  // namespace xhal::clay
