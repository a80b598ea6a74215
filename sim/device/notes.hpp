// SPDX-License-Identifier: Apache-2.0
// What a person should know of how a simulated device is made up: xhal_device_get_notes.
#pragma once

#include <vector>

#include "options.hpp"
#include "xhal/device.h"

namespace xhal::sim {

// A pure function of the options: each that makes the device another one than it is by itself.
[[nodiscard]] std::vector<xhal_device_note_t> notes_of(const Options& options);

}  // namespace xhal::sim
