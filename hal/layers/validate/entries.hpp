// SPDX-License-Identifier: Apache-2.0
// The intercepted calls, all made from entry_points.def.
#pragma once

#include "xhal/driver.h"

namespace xhal::validate {

// Puts the layer's function into every slot that lies within `capacity` bytes. `slot` is where handles keep the layer's state.
void intercept_all(xhal_functions_t& functions, uint32_t capacity, uint32_t slot);

}  // namespace xhal::validate
