// SPDX-License-Identifier: Apache-2.0
// Whether a library exports a symbol, read from its file without loading it.
#pragma once

#include <string>
#include <string_view>

namespace xhal::tools {

enum class Export { kYes, kNo, kNotReadable };  // the last: no ELF file of this machine, or cut off

Export exports_symbol(const std::string& library_path, std::string_view symbol);

}  // namespace xhal::tools
