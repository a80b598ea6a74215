// SPDX-License-Identifier: Apache-2.0
// What negotiation leaves behind for the rest of the kit.
#pragma once

#include <string>

#include "xhal/driver.h"

namespace xhal::kit {

// The name that errors and log lines are signed with; "" before negotiation.
const char* negotiated_name();

// In a helper process: where fail() leaves a copy of its text for the parent. Null in every other process.
struct HelperError {
  xhal_result_t code = XHAL_SUCCESS;
  int64_t native_code = 0;
  char text[XHAL_ERROR_TEXT_CAPACITY] = "";
};
extern HelperError* helper_error;

}  // namespace xhal::kit
