// SPDX-License-Identifier: Apache-2.0
// What a worker does for the command `fuzz`: batches of programs, and single ones while a failing one is made smaller.
#pragma once

namespace xhal::programs {

// Tells workers of this program how. To be called before the program finds out whether it is one.
void add_fuzz_tasks();

}  // namespace xhal::programs
