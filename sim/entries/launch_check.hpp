// SPDX-License-Identifier: Apache-2.0
// Whether a launch can be taken, with a text when it cannot, and taking its arguments.
#pragma once

#include <cstddef>

#include "device/device.hpp"
#include "xhal/kernel.h"

namespace xhal::sim {

xhal_result_t check_shape(const Kernel& kernel, const Stream& stream, const xhal_launch_t& launch);
xhal_result_t check_arguments(const Kernel& kernel, const xhal_launch_t& launch, const Memory::View& view);
// After both checks.
void copy_arguments(const KernelCode& code, const xhal_launch_t& launch, std::byte* out);

}  // namespace xhal::sim
