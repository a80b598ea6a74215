// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "export.hpp"

namespace TORCH_XHAL_SEEN torch_xhal {

// Autograd's engine counts devices once, at the first backward. Starts it, and warns when it had been started before it could see ours.
void start_autograd();
// Ends the engine's threads: one that still lets go of a graph while the interpreter ends takes the process down.
void stop_autograd();

}  // namespace TORCH_XHAL_SEEN torch_xhal
