// SPDX-License-Identifier: Apache-2.0
// Which code was in the process that was judged.
#pragma once

#include <nlohmann/json.hpp>

namespace xhal::conformance {

// [{path, build_id}] of the ELF objects that the dynamic linker has in this process, sorted by path. "build_id" is hexadecimal, "" where the
// linker was not asked for one.
nlohmann::json mapped_libraries();

}  // namespace xhal::conformance
