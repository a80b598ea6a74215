// SPDX-License-Identifier: Apache-2.0
// One test in this process, for a debugger.
#pragma once

#include "run/run.h"

namespace xhal::conformance {

int run_in_process(const Options& options);

}  // namespace xhal::conformance
