// SPDX-License-Identifier: Apache-2.0
// A program as one C11 file that needs nothing but libxhal and its headers.
#pragma once

#include <string>

#include "programs/model.h"

namespace xhal::programs {

// `made_by` and `seen` stand in the comment on top.
std::string c_text(const Program& program, const std::string& made_by, const std::string& seen);

}  // namespace xhal::programs
