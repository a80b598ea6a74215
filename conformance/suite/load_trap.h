// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "frame/context.h"

namespace xhal::conformance {

// Launches the trap kernel once so that it raises nothing: where a first launch loads code it may wait for all that runs, and the one that
// fails comes behind what the test holds.
void load_trap(Context& t);

}  // namespace xhal::conformance
