// SPDX-License-Identifier: Apache-2.0
// A program as one C11 file that calls OpenCL and nothing else: for the people who make an OpenCL driver, who need not know of xhal.
#pragma once

#include <string>

#include "programs/model.h"

namespace xhal::programs {

// As c_text of print_c.h.
std::string opencl_text(const Program& program, const std::string& made_by, const std::string& seen);

}  // namespace xhal::programs
