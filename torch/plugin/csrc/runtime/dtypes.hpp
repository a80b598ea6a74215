// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/DeviceCapability.h>

#include "runtime/driver.hpp"

namespace torch_xhal {

// Which types the device's kernels know, as the driver says.
c10::DeviceCapability capability_of(const Device& device);

}  // namespace torch_xhal
