// SPDX-License-Identifier: Apache-2.0
// Where the raw calls of OpenCL stand beside a row over xhal's OpenCL driver, and why not elsewhere.
#pragma once

#include <string>
#include <string_view>

namespace xhal::bench {

inline constexpr const char* kOpenClReference = "opencl";

// Why a row, by its name, has no reference in OpenCL's own calls; "" when it has one.
[[nodiscard]] std::string_view why_no_opencl(const std::string& row);

}  // namespace xhal::bench
