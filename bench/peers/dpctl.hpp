// SPDX-License-Identifier: Apache-2.0
// dpctl's queue, SYCL over Unified Runtime over OpenCL: Python, in a process of its own that lives as long as the row and measures by its own clock.
#pragma once

#include <string>

#include "bench/runner/row.hpp"

namespace xhal::bench {

// Adds it to a row over the OpenCL driver when the folder of peers has it and it runs there; `work` is a word of bench/peers/dpctl_queue.py.
void add_dpctl(Row& row, const Bench& bench, const std::string& work);

}  // namespace xhal::bench
