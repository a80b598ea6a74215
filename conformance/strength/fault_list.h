// SPDX-License-Identifier: Apache-2.0
// The fault pack as data: the rows of conformance/faults/table, without their functions.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "frame/clause.h"

namespace xhal::conformance {

// What goes wrong, by who would look for it.
inline constexpr std::array<std::string_view, 13> kFaultFamilies = {
    "order",   "sync",  "failure", "memory",      "lifetime", "kernel", "timing",
    "threads", "graph", "sharing", "observation", "abi",      "device"};

// Not constexpr on purpose: a constant evaluation that gets here ends in a compile error with this name.
inline void no_family_has_this_name() {}

class FaultFamily {
 public:
  consteval FaultFamily(const char* name) : index_(0) {  // NOLINT(google-explicit-constructor)
    while (index_ < kFaultFamilies.size() && kFaultFamilies[index_] != name) ++index_;
    if (index_ == kFaultFamilies.size()) no_family_has_this_name();
  }
  [[nodiscard]] constexpr std::string_view name() const { return kFaultFamilies[index_]; }

 private:
  size_t index_;
};

struct FaultInfo {
  std::string_view name;
  FaultFamily family;
  uint32_t feature;        // nothing shows the fault on a device that does not claim it
  Clause clause;           // the one it breaks
  std::string_view wild;   // a report of a real driver that did the same, or ""
  std::string_view about;  // one line: what it does
};

// In the order of the table.
std::span<const FaultInfo> all_faults();

}  // namespace xhal::conformance
