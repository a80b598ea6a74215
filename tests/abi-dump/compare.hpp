// SPDX-License-Identifier: Apache-2.0
// Two dumps: what differs, and whether the new one only grew at its tails.
#pragma once

#include <string>
#include <vector>

namespace xhal::abi {

struct Comparison {
  std::vector<std::string> diff;  // "- old line", "+ new line", in order
  std::vector<std::string>
      breaks;  // each a reason why a program or driver of the old contract would not work with the new one
  bool grew = false;             // something was added
  bool revision_stayed = false;  // something was added under the number of the former revision
};

// A line of the dump that is not understood is a break.
Comparison compare(const std::string& former, const std::string& current);

}  // namespace xhal::abi
