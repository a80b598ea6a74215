// SPDX-License-Identifier: Apache-2.0
// Reports of shards become the report of the run that they are parts of.
#pragma once

#include <string>
#include <vector>

namespace xhal::conformance {

struct MergeOptions {
  std::string out;
  std::vector<std::string> shards;  // JSON reports
  bool allow_waivers = false;
};

// The exit code of the whole run, or kExitInternal and one line where the shards are no whole run.
int merge(const MergeOptions& options);

}  // namespace xhal::conformance
