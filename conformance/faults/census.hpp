// SPDX-License-Identifier: Apache-2.0
// What the layer counts where it is asked to (XHAL_FAULTS=...,calls=FILE): a file of this size that all processes of a run share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "generated_list.hpp"

namespace xhal::faults {

struct Census {
  uint64_t lies;               // calls in which a generated fault had its way
  uint64_t calls[kCallCount];  // of each entry
};

}  // namespace xhal::faults
