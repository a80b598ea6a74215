// SPDX-License-Identifier: Apache-2.0
#pragma once

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

// Autograd's engine counts devices once, at the first backward. Starts it, and warns when it had been started before it could see ours.
void start_autograd();
// Ends the engine's threads: one that still lets go of a graph while the interpreter ends takes the process down.
void stop_autograd();

}  // namespace torch_xhal
#pragma GCC visibility pop
