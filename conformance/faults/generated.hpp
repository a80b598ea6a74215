// SPDX-License-Identifier: Apache-2.0
// The generated faults at work: what an attachment remembers of one, and the functions that it puts into the layer's table.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "census.hpp"
#include "generated_list.hpp"

namespace xhal::faults {

// Calls that were put off, and what the successful call before gave.
struct GeneratedState {
  GeneratedFault fault{};
  std::mutex lock;
  std::vector<std::function<void()>> put_off;
  std::array<std::vector<std::byte>, kMostParameters> given_before;
  std::optional<xhal_result_t> answered_before;
};

// "memory_copy:late"; nothing for what is no such name.
std::optional<GeneratedFault> find_generated(std::string_view name);

// The fault's functions, by the fault of the attachments that they are called for.
void install_generated(xhal_functions_t& to, const GeneratedFault& fault);

// Counts into the file from now on, for all attachments of the process. False: it cannot be used.
bool begin_census(const char* path);
// Puts functions that count over those in `to`, or over `next` where there are none; `counted` is told what they go on to.
void install_counters(xhal_functions_t& to, xhal_functions_t& counted, const xhal_functions_t& next);
void count_lie();

}  // namespace xhal::faults
