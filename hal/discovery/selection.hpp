// SPDX-License-Identifier: Apache-2.0
// Which of the candidates are taken, and in which order. [XHAL-LOADER-25] to [XHAL-LOADER-30]
#pragma once

#include <cstddef>
#include <string_view>

#include "discovery.hpp"

namespace xhal::discovery {

// Candidates before `explicit_end` were named by the application. Reads found.candidates, in which every usable one is still "selected",
// and sets their decisions, found.selected and, unless an earlier step failed, found.result.
void select(const Request& request, const Environment& environment, std::size_t explicit_end, Found& found);

// "" for a candidate whose name is not known.
std::string_view plain_name(const Candidate& candidate);

xhal_result_t not_found_result(Kind kind);

}  // namespace xhal::discovery
