// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace xhal::conformance {

// SHA-256 (FIPS 180-4) of a file's bytes in hexadecimal; "" when it cannot be read.
std::string sha256_of_file(const std::string& path);
std::string sha256(std::string_view bytes);

}  // namespace xhal::conformance
