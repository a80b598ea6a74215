// SPDX-License-Identifier: Apache-2.0
// What a simulated device tells of its state. A CPU measures nothing of a device that it plays: but for memory, numbers are made up, the
// same in every run, and say so.
#pragma once

#include <cstdint>

#include "xhal/observe.h"

namespace xhal::sim {

class Device;

// Fills in what is answered: status, simulated, value and timestamp_ns. `now_ns`: the host's monotonic clock.
void read_metric(Device& device, uint64_t now_ns, xhal_metric_t& metric);

}  // namespace xhal::sim
