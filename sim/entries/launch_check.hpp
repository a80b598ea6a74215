// SPDX-License-Identifier: Apache-2.0
// Whether a launch can be taken, with a text when it cannot, and taking its arguments.
#pragma once

#include <cstddef>

#include "device/device.hpp"
#include "xhal/kernel.h"

namespace xhal::sim {

// Whether all that a launch says beside its arguments and ranges is right; what is wrong is told by check_shape.
bool has_good_shape(const Kernel& kernel, const Stream& stream, const xhal_launch_t& launch);
xhal_result_t check_shape(const Kernel& kernel, const Stream& stream, const xhal_launch_t& launch);

// Takes the arguments over in one pass, as long as each is right; what is wrong is told by check_arguments. `out`: the kernel's
// argument_bytes.
bool take_arguments(const Kernel& kernel, const xhal_launch_t& launch, std::byte* out);
xhal_result_t check_arguments(const Kernel& kernel, const xhal_launch_t& launch);

xhal_result_t check_ranges(const Kernel& kernel, const xhal_launch_t& launch);

}  // namespace xhal::sim
