// SPDX-License-Identifier: Apache-2.0
// How every tool of the project ends.
#pragma once

namespace xhal::tools {

enum ExitCode : int {
  kExitOk = 0,            // done; conformant
  kExitMisbehaved = 1,    // a driver misbehaved; not conformant
  kExitUsage = 2,         // the user's input: an unknown name or option, a file that is no driver
  kExitNothing = 3,       // no device, or a filter that matches nothing
  kExitInternal = 4,      // the tool itself is broken
  kExitInterrupted = 130  // by a signal
};

}  // namespace xhal::tools
