// SPDX-License-Identifier: Apache-2.0
// What a person should know of how a device is driven: xhal_device_get_notes.
#pragma once

#include <vector>

#include "device/facts.hpp"
#include "xhal/device.h"

namespace xhal::opencl {

// Facts first, then the quirks that are in force.
std::vector<xhal_device_note_t> notes_of(const DeviceFacts& facts);

}  // namespace xhal::opencl
