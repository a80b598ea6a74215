// SPDX-License-Identifier: Apache-2.0
// Whether bytes are a shared object that the system's loader may be given. The loader trusts what it reads: a table that points out of
// the file would crash the process rather than fail.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace xhal::sim {

// False with a reason. `symbol` must be among the names of its dynamic symbols.
[[nodiscard]] bool check_elf(std::span<const std::byte> bytes, std::string_view symbol, std::string& why);

}  // namespace xhal::sim
