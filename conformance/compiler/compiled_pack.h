// SPDX-License-Identifier: Apache-2.0
// The kernel pack as a vendor's own compiler makes it of the pack's text, for the devices that are judged.
#pragma once

#include <string>
#include <vector>

#include "frame/session.h"

namespace xhal::conformance {

struct KernelCompiler {
  std::vector<std::string> commands;  // tried in this order; none: the pack's images are used
  std::string cache_directory;        // "": the user's
  double deadline_s = 120;            // for one image
};

// With a compiler: asks the driver, in a worker, what its devices load, has the best format made that the compiler makes, and points
// target.kernel_directory at the folder of it. The text is of target.kernel_directory, or of the pack in `own_kernels` where that has none. Stops
// with the user's mistake, or the compiler's. An interruption is left for the caller to find.
void use_kernel_compiler(const KernelCompiler& compiler, Target& target, const std::string& own_kernels,
                         double entry_deadline_s, int interrupt_fd);

}  // namespace xhal::conformance
