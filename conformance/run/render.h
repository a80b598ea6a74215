// SPDX-License-Identifier: Apache-2.0
// Other forms of reports that exist.
#pragma once

#include <string>
#include <vector>

namespace xhal::conformance {

struct RenderOptions {
  std::vector<std::string> from;     // JSON reports
  std::vector<std::string> reports;  // FORMAT=FILE
  std::string power;
  std::string artifact_url;
};

// Of the report that was started last; the others are its history.
int render(const RenderOptions& options);

}  // namespace xhal::conformance
